"""The order of answers (RFC 7644 §3.4.2.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from scim.directories.attribute_mapping import AttributeMapping
from scim.resources.schema import ENTERPRISE_URN, USER_URN
from tests.service import EXTENSION_URN, SEARCH_URN, ScimClient, Service

PEOPLE: Mapping[str, dict[str, Any]] = {
    "dora": {
        "title": "b",
        "emails": [{"value": "d@x.example"}, {"value": "a@x.example", "primary": True}],
        ENTERPRISE_URN: {"department": "Sales"},
        "name": {"familyName": "Éclair"},
        "active": False,
    },
    "Carl": {"emails": [{"value": "c@x.example"}, {"value": "0@x.example"}], "name": {"familyName": "eclair"}},
    "beat": {"title": "B", "emails": [{"value": "b@x.example"}], ENTERPRISE_URN: {"department": "assembly"}},
    "anna": {"title": "a", "active": True},
}

ORDERS = {
    "userName": "anna beat Carl dora",
    f"{USER_URN}:USERNAME": "anna beat Carl dora",
    # of several values the primary one counts, or else the first
    "emails": "dora beat Carl anna",
    "emails.value": "dora beat Carl anna",
    # a missing value comes last; ties are in the order of creation
    "title": "anna dora beat Carl",
    f"{ENTERPRISE_URN}:department": "beat dora Carl anna",
    "name.familyName": "Carl dora beat anna",
    "active": "dora anna Carl beat",
    "meta.created": "dora Carl beat anna",
    "id": "dora Carl beat anna",
}


@pytest.fixture
async def names(scim: ScimClient) -> dict[str, str]:
    """The names of stored people by id; ids made in the same millisecond would have no order."""
    created = {}
    for name, attributes in PEOPLE.items():
        created[(await scim.new_user(name, **attributes))["id"]] = name
        await asyncio.sleep(0.002)
    return created


async def order(scim: ScimClient, names: Mapping[str, str], **query: str) -> list[str]:
    answer = await scim.get("/Users", query)
    assert answer.status == 200, answer.json
    return [names[resource_id] for resource_id in answer.ids]


async def test_resources_are_ordered_by_one_attribute(scim: ScimClient, names: Mapping[str, str]) -> None:
    results = {sort_by: await order(scim, names, sortBy=sort_by) for sort_by in ORDERS}

    assert results == {sort_by: expected.split() for sort_by, expected in ORDERS.items()}


async def test_descending_is_the_reverse_with_missing_values_first(scim: ScimClient, names: Mapping[str, str]) -> None:
    results = {sort_by: await order(scim, names, sortBy=sort_by, sortOrder="descending") for sort_by in ORDERS}

    assert results == {sort_by: expected.split()[::-1] for sort_by, expected in ORDERS.items()}


async def test_pages_are_cut_from_the_order(scim: ScimClient, names: Mapping[str, str]) -> None:
    page = await scim.get("/Users", {"sortBy": "userName", "startIndex": "2", "count": "2", "filter": "emails pr"})

    assert [names[resource_id] for resource_id in page.ids] == ["Carl", "dora"]
    assert (page.json["totalResults"], page.json["startIndex"], page.json["itemsPerPage"]) == (3, 2, 2)


async def test_a_search_by_body_is_ordered_alike(scim: ScimClient, names: Mapping[str, str]) -> None:
    body = {"schemas": [SEARCH_URN], "sortBy": "userName", "sortOrder": "descending", "count": 2}

    assert [names[resource_id] for resource_id in (await scim.post("/Users/.search", body)).ids] == ["dora", "Carl"]


async def test_without_an_attribute_the_order_is_that_of_creation(scim: ScimClient, names: Mapping[str, str]) -> None:
    assert await order(scim, names) == await order(scim, names, sortOrder="descending") == list(PEOPLE)


async def test_users_and_groups_are_ordered_together_at_the_root(scim: ScimClient) -> None:
    await scim.new_user("x", displayName="b")
    await scim.new_group("a")
    await scim.new_user("y")
    await scim.new_group("C")

    ordered = await scim.get("", {"sortBy": "displayName"})
    of_users_only = await scim.get("", {"sortBy": "userName", "sortOrder": "descending"})

    assert [resource.get("displayName") for resource in ordered.resources] == ["a", "b", "C", None]
    assert [resource.get("userName") for resource in of_users_only.resources] == [None, None, "y", "x"]


async def test_custom_attributes_are_ordered_by_their_type(service: Service) -> None:
    level = AttributeMapping("level", f"{EXTENSION_URN}:level", "integer")
    start = AttributeMapping("start", f"{EXTENSION_URN}:start", "dateTime")
    scim = await service.new_directory([level, start])
    values: Mapping[str, dict[str, Any]] = {
        "ten": {"level": 10, "start": "2026-01-01T12:00:00+02:00"},
        "nine": {"level": 9, "start": "2026-01-01T11:00:00Z"},
        "wrong type": {"level": "high", "start": "soon"},
    }
    names = {(await scim.new_user(name, **{EXTENSION_URN: value}))["id"]: name for name, value in values.items()}

    assert await order(scim, names, sortBy=f"{EXTENSION_URN}:level") == ["nine", "ten", "wrong type"]
    assert await order(scim, names, sortBy=f"{EXTENSION_URN}:start") == ["ten", "nine", "wrong type"]


@pytest.mark.parametrize(
    ("query", "scim_type"),
    [
        ({"sortBy": "nothing"}, "invalidPath"),
        ({"sortBy": "name"}, "invalidPath"),
        ({"sortBy": "addresses"}, "invalidPath"),
        ({"sortBy": "password"}, "invalidPath"),
        ({"sortBy": 'emails[type eq "work"]'}, "invalidPath"),
        ({"sortBy": "userName", "sortOrder": "sideways"}, "invalidValue"),
    ],
)
async def test_an_order_that_does_not_exist_is_refused(
    scim: ScimClient, query: Mapping[str, str], scim_type: str
) -> None:
    answer = await scim.get("/Users", query)

    assert (answer.status, answer.json["scimType"]) == (400, scim_type)

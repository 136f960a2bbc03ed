"""Users and groups through the API, as the application sees them, and what each operation costs."""

from __future__ import annotations

from typing import Any

import pytest

from scim.resources.profile import PROFILE_NAMES
from scim.resources.schema import ENTERPRISE_URN
from tests.api import ApiClient
from tests.service import EXTENSION_URN, ScimClient

pytestmark = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])


async def test_a_user_is_read_as_a_profile(api: ApiClient, scim: ScimClient) -> None:
    user = await scim.new_user(
        "Anna@example.com",
        externalId="e1",
        name={"givenName": "Anna"},
        emails=[{"type": "work", "value": "anna@example.com"}],
        **{EXTENSION_URN: {"tag": "blue"}, ENTERPRISE_URN: {"department": "Sales"}},
    )
    group = await scim.new_group("Team", [user["id"]])
    one = f"directories/{scim.directory.id}/users/{user['id']}"

    read, more = await api.get(one), await api.get(one, {"raw": "true", "groups": "true"})

    assert (read.status, read.storage_requests) == (200, 2)
    assert read.json.keys() == PROFILE_NAMES - {"groups", "raw", "member_count"}
    shown = {"username": "Anna@example.com", "email": "anna@example.com", "given_name": "Anna", "department": "Sales"}
    assert read.json.items() >= {**shown, "active": True, "title": None}.items()
    assert read.json["custom_attributes"] == {"tag": "blue"}
    assert more.json["groups"] == [group["id"]]
    assert more.json["raw"]["userName"] == "Anna@example.com"
    assert more.storage_requests <= 4


async def test_users_are_listed_oldest_first_and_found_by_their_values(api: ApiClient, scim: ScimClient) -> None:
    made = await scim.new_users(5)
    anna = (await scim.new_user("anna", externalId="e1", emails=[{"type": "work", "value": "anna@example.com"}]))["id"]
    path = f"directories/{scim.directory.id}/users"

    page = await api.get(path, {"limit": "2"})

    assert page.storage_requests == 2
    assert sorted(each["id"] for each in await api.all_pages(path, 2)) == sorted([*made, anna])
    for query in ({"username": "ANNA"}, {"email": "Anna@example.com"}, {"external_id": "e1", "username": "anna"}):
        found = await api.get(path, query)
        assert ([each["id"] for each in found.json["data"]], found.storage_requests) == ([anna], 3)
        assert found.json["list_metadata"]["after"] is None
    assert (await api.get(path, {"username": 'no"body\\'})).json["data"] == []
    assert "raw" in (await api.get(path, {"raw": "true"})).json["data"][0]


@pytest.mark.parametrize(
    ("emails", "found"),
    [
        ([{"type": "home", "value": "Anna@home.example"}], "anna@home.example"),
        ([{"type": "work", "value": "a@w.example"}, {"value": "a@p.example", "primary": True}], "a@p.example"),
        ([{"value": "a@o.example"}, {"type": "work", "value": "a@w.example"}], "a@w.example"),
    ],
)
async def test_users_are_found_by_the_address_that_their_profile_shows(
    api: ApiClient, scim: ScimClient, emails: list[dict[str, Any]], found: str
) -> None:
    await scim.new_user("bob", emails=[{"type": "work", "value": "bob@example.com"}])
    anna = (await scim.new_user("anna", emails=emails))["id"]
    path = f"directories/{scim.directory.id}/users"

    answer = await api.get(path, {"email": found})

    assert [each["email"].lower() for each in answer.json["data"]] == [found]
    assert answer.storage_requests == 3
    others = {email["value"].lower() for email in emails} - {found}
    for address in others:
        assert (await api.get(path, {"email": address})).json["data"] == []
    await scim.patch(f"/Users/{anna}", {"op": "replace", "path": "emails", "value": [{"value": "new@example.com"}]})
    assert (await api.get(path, {"email": found})).json["data"] == []
    assert (await api.get(path, {"email": found, "username": "anna"})).json["data"] == []
    renewed = await api.get(path, {"email": "new@example.com", "username": "anna"})
    assert ([each["id"] for each in renewed.json["data"]], renewed.storage_requests) == ([anna], 3)


@pytest.mark.parametrize("name", ["username", "email", "external_id", "group", "updated_after"])
async def test_an_empty_filter_finds_nobody_in_place_of_everybody(api: ApiClient, scim: ScimClient, name: str) -> None:
    await scim.new_users(1)

    answer = await api.get(f"directories/{scim.directory.id}/users", {name: ""})

    assert (answer.status, [each["field"] for each in answer.json["errors"]]) == (422, [name])


@pytest.mark.parametrize("text", ["2026", "1893456000", "2026-01-01", "2026-01-01T00:00:00"])
async def test_a_time_is_written_out_with_its_offset(api: ApiClient, scim: ScimClient, text: str) -> None:
    answer = await api.get(f"directories/{scim.directory.id}/users", {"updated_after": text})

    assert answer.status == 422
    assert answer.json["errors"] == [
        {"field": "updated_after", "detail": "give a time with its offset, such as 2027-01-31T12:00:00Z"}
    ]


async def test_a_cursor_is_good_in_its_own_list_only(api: ApiClient, scim: ScimClient) -> None:
    await scim.new_users(3)
    path = f"directories/{scim.directory.id}"
    after = (await api.get(f"{path}/users", {"limit": "1"})).json["list_metadata"]["after"]

    assert (await api.get(f"{path}/users", {"limit": "2", "after": after})).status == 200
    assert (await api.get(f"{path}/users", {"username": "a", "after": after})).status == 422
    assert (await api.get(f"{path}/groups", {"after": after})).status == 422


async def test_groups_and_their_members_are_read_page_by_page(api: ApiClient, scim: ScimClient) -> None:
    users = await scim.new_users(3)
    inner = (await scim.new_group("Inner"))["id"]
    group = (await scim.new_group("Team", [*users, inner], externalId="g1"))["id"]
    path = f"directories/{scim.directory.id}/groups"

    read, members = await api.get(f"{path}/{group}"), await api.get(f"{path}/{group}/members", {"limit": "2"})

    assert (read.json["display_name"], read.json["external_id"], read.storage_requests) == ("Team", "g1", 3)
    assert read.json["member_count"] is None  # nothing was derived yet
    assert members.storage_requests <= 4
    assert sorted(await api.all_pages(f"{path}/{group}/members", 2), key=lambda each: str(each["id"])) == sorted(
        [*({"id": user, "type": "user"} for user in users), {"id": inner, "type": "group"}],
        key=lambda each: str(each["id"]),
    )
    assert [each["id"] for each in await api.all_pages(path, 1)] == sorted([inner, group])
    found = await api.get(path, {"display_name": "TEAM"})
    assert ([each["id"] for each in found.json["data"]], found.storage_requests) == ([group], 4)


async def test_the_groups_of_a_user_are_read_page_by_page(api: ApiClient, scim: ScimClient) -> None:
    (user,) = await scim.new_users(1)
    groups = [(await scim.new_group(f"Team {number}", [user]))["id"] for number in range(3)]
    path = f"directories/{scim.directory.id}/users/{user}/groups"

    page = await api.get(path, {"limit": "2"})

    assert page.storage_requests <= 5 + 2
    assert [each["id"] for each in await api.all_pages(path, 2)] == sorted(groups)


async def test_what_is_no_user_or_group_of_the_directory_does_not_exist(api: ApiClient, scim: ScimClient) -> None:
    user, group = (await scim.new_user("anna"))["id"], (await scim.new_group("Team"))["id"]
    other = await api.new_directory(await api.new_organization())
    for directory_id, resource_id, name in (
        (other["id"], user, "users"),
        (other["id"], group, "groups"),
        (scim.directory.id, group, "users"),
        (scim.directory.id, user, "groups"),
        (scim.directory.id, "unknown", "users"),
    ):
        path = f"directories/{directory_id}/{name}/{resource_id}"
        more = f"{path}/{'groups' if name == 'users' else 'members'}"
        assert [(await api.get(path)).status, (await api.get(more)).status] == [404, 404]

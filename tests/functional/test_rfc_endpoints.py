"""Which paths and methods there are (RFC 7644 §3.2), and searches by body (§3.4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from scim.resources.schema import GROUP_URN, USER_URN
from tests.service import LIST_URN, SEARCH_URN, ScimClient

ALLOWED = {
    "": "GET",
    "/.search": "POST",
    "/Users": "GET POST",
    "/Users/.search": "POST",
    "/Users/usr_1": "DELETE GET PATCH PUT",
    "/Groups": "GET POST",
    "/Groups/.search": "POST",
    "/Groups/grp_1": "DELETE GET PATCH PUT",
    "/Bulk": "POST",
    "/Schemas": "GET",
    f"/Schemas/{USER_URN}": "GET",
    "/ResourceTypes": "GET",
    "/ResourceTypes/User": "GET",
    "/ServiceProviderConfig": "GET",
    "/Me": "DELETE GET PATCH POST PUT",
}
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PROPFIND", "PUT", "TRACE")


@pytest.mark.parametrize("path", ALLOWED)
async def test_a_method_that_an_endpoint_lacks_is_refused_naming_those_it_has(scim: ScimClient, path: str) -> None:
    allowed = ALLOWED[path].split()

    for method in METHODS:
        answer = await scim.send(method, path)
        assert (answer.status == 405) == (method not in allowed)
        if answer.status == 405:
            assert answer.headers["Allow"] == ", ".join(allowed)


@pytest.mark.parametrize(
    "path",
    [
        "/Devices",
        "/Users/usr_1/emails",
        "/Groups/grp_1/members",
        "/Users/usr_1/.search",
        "/Bulk/1",
        "/ServiceProviderConfig/1",
        "/Schemas/a/b",
        "//Users",
        "/Users/%2e%2e/Groups",
    ],
)
async def test_an_unknown_path_is_not_found_whatever_the_method(scim: ScimClient, path: str) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        assert (await scim.send(method, path)).status == 404


@pytest.mark.parametrize(
    "resource_id", ["x", "usr_1", "a|b", "..", "usr_" + "0" * 32, "usr_" + "é" * 32, "a" * 3000, "\x00"]
)
async def test_an_unknown_id_is_not_found_and_asks_storage_for_nothing_odd(scim: ScimClient, resource_id: str) -> None:
    group_id = (await scim.new_group("Team"))["id"]

    for path in (f"/Users/{resource_id}", f"/Groups/{resource_id}", f"/Users/{group_id}"):
        read, deleted, changed = await scim.get(path), await scim.delete(path), await scim.patch(path)
        assert (read.status, deleted.status, changed.status) == (404, 404, 404)
        assert read.storage_requests <= 1


async def test_an_endpoint_is_found_in_another_letter_case_and_with_a_slash_behind(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna"))["id"]

    for path in ("/users", "/USERS", "/Users/", f"/users/{user_id}", "/schemas", "/serviceproviderconfig", "/"):
        assert (await scim.get(path)).status == 200


async def test_me_is_not_implemented(scim: ScimClient) -> None:
    for method in ALLOWED["/Me"].split():
        assert (await scim.send(method, "/Me")).status == 501


async def test_unknown_query_parameters_are_ignored(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna"))["id"]
    flag = {"aadOptscim062020": "", "unknown": "1"}

    assert (await scim.get("/Users", flag)).ids == [user_id]
    changed = await scim.patch(f"/Users/{user_id}", {"op": "replace", "path": "active", "value": False}, query=flag)
    assert (changed.status, changed.json["active"]) == (200, False)


SEARCHES: Sequence[tuple[str, dict[str, Any], list[str]]] = [
    ("", {}, ["Team", "anna", "bob"]),
    ("", {"filter": 'displayName eq "team"'}, ["Team"]),
    ("", {"count": 1, "startIndex": 2}, ["anna"]),
    ("/Users", {"filter": 'userName sw "B"'}, ["bob"]),
    ("/Users", {"sortBy": "userName", "sortOrder": "descending"}, ["bob", "anna"]),
    ("/Groups", {"excludedAttributes": ["members"]}, ["Team"]),
    ("/Users", {"attributes": ["userName"], "count": "1"}, ["anna"]),
    ("/Users", {"filter": None, "sortBy": None, "startIndex": None}, ["anna", "bob"]),
]


@pytest.mark.parametrize(("endpoint", "parameters", "expected"), SEARCHES)
async def test_a_search_by_body_answers_a_list(
    scim: ScimClient, endpoint: str, parameters: dict[str, Any], expected: list[str]
) -> None:
    anna = (await scim.new_user("anna"))["id"]
    await scim.new_group("Team", [anna])
    await scim.new_user("bob")

    answer = await scim.post(f"{endpoint}/.search", {"schemas": [SEARCH_URN], **parameters})

    assert (answer.status, answer.json["schemas"]) == (200, [LIST_URN])
    assert {resource.get("userName", resource.get("displayName")) for resource in answer.resources} == set(expected)
    assert len(answer.resources) == len(expected)
    if "excludedAttributes" in parameters:
        assert answer.resources[0].keys() == {"schemas", "id", "displayName", "meta"}
    if "attributes" in parameters:
        assert answer.resources[0].keys() == {"schemas", "id", "userName"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"schemas": [USER_URN]},
        {"schemas": [SEARCH_URN], "filter": 7},
        {"schemas": [SEARCH_URN], "filter": ["userName pr"]},
        {"schemas": [SEARCH_URN], "count": True},
        {"schemas": [SEARCH_URN], "count": 1.5},
        {"schemas": [SEARCH_URN], "startIndex": {}},
        {"schemas": [SEARCH_URN], "attributes": {"a": 1}},
        {"schemas": [SEARCH_URN], "attributes": [7]},
        {"schemas": [SEARCH_URN], "sortBy": ["userName"]},
        {"schemas": [SEARCH_URN], "attributes": ["userName"], "excludedAttributes": ["title"]},
    ],
)
async def test_a_body_that_is_no_search_is_refused(scim: ScimClient, body: Any) -> None:
    for path in ("/.search", "/Users/.search", "/Groups/.search"):
        assert (await scim.post(path, body)).status == 400


async def test_a_list_has_no_nulls_and_names_what_it_lists(scim: ScimClient) -> None:
    await scim.new_user("anna")
    await scim.new_group("Team")

    listed = await scim.get("")

    assert listed.json.keys() == {"schemas", "totalResults", "startIndex", "itemsPerPage", "Resources"}
    assert [resource["schemas"] for resource in listed.resources] == [[GROUP_URN], [USER_URN]]
    assert [resource["meta"]["location"] for resource in listed.resources] == [
        f"{scim.base_url}/Groups/{listed.ids[0]}",
        f"{scim.base_url}/Users/{listed.ids[1]}",
    ]

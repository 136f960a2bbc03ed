"""What an answer shows: ``attributes``, ``excludedAttributes`` and ``returned`` (RFC 7644 §3.9, RFC 7643 §7)."""

from __future__ import annotations

from typing import Any

import pytest

from scim.resources.schema import ENTERPRISE_URN, GROUP_URN, USER_URN
from tests.service import EXTENSION_URN, SEARCH_URN, ScimClient, user

ANNA: dict[str, Any] = {
    "userName": "anna",
    "title": "Boss",
    "name": {"givenName": "Anna", "familyName": "Adams"},
    "emails": [{"type": "work", "value": "anna@work.example"}],
    ENTERPRISE_URN: {"department": "Sales", "employeeNumber": "42"},
    EXTENSION_URN: {"tag": "red"},
    "notDeclared": {"kept": True},
}


@pytest.fixture
async def anna(scim: ScimClient) -> str:
    """The id of a stored user."""
    user_id: str = (await scim.new_user(**{**ANNA, "user_name": ANNA["userName"]}))["id"]
    return user_id


SHOWN = [
    ("userName", {"userName"}, []),
    ("USERNAME, title", {"userName", "title"}, []),
    (f"{USER_URN}:userName", {"userName"}, []),
    (f"{USER_URN.upper()}:name.givenName", {"name"}, []),
    (ENTERPRISE_URN, {ENTERPRISE_URN}, [ENTERPRISE_URN]),
    (f"{ENTERPRISE_URN}:department", {ENTERPRISE_URN}, [ENTERPRISE_URN]),
    (f"{EXTENSION_URN}:tag,title", {EXTENSION_URN, "title"}, [EXTENSION_URN]),
    ("meta.version", {"meta"}, []),
    ("notDeclared", {"notDeclared"}, []),
    ("nothingOfThisName", set(), []),
    ("id", set(), []),
]


@pytest.mark.parametrize(("attributes", "expected", "extensions"), SHOWN)
async def test_only_what_is_asked_for_is_shown_beside_id_and_schemas(
    scim: ScimClient, anna: str, attributes: str, expected: set[str], extensions: list[str]
) -> None:
    shown = (await scim.get(f"/Users/{anna}", {"attributes": attributes})).json

    assert shown.keys() == {"id", "schemas", *expected}
    assert shown["schemas"] == [USER_URN, *extensions]
    whole = (await scim.get(f"/Users/{anna}")).json
    assert all(
        value == whole[name] or value.items() <= whole[name].items()
        for name, value in shown.items()
        if name != "schemas"
    )


async def test_parts_of_an_attribute_are_shown_alone(scim: ScimClient, anna: str) -> None:
    asked = {"attributes": f"{USER_URN}:name.givenName,emails.value,{ENTERPRISE_URN}:department,meta.resourceType"}

    shown = (await scim.get(f"/Users/{anna}", asked)).json

    assert shown == {
        "schemas": [USER_URN, ENTERPRISE_URN],
        "id": anna,
        "name": {"givenName": "Anna"},
        "emails": [{"value": "anna@work.example"}],
        ENTERPRISE_URN: {"department": "Sales"},
        "meta": {"resourceType": "User"},
    }


async def test_what_is_excluded_is_left_out_but_never_id_and_schemas(scim: ScimClient, anna: str) -> None:
    whole = (await scim.get(f"/Users/{anna}")).json
    excluded = f"id,schemas,title,{USER_URN}:emails,name.familyName,{ENTERPRISE_URN}:department,{EXTENSION_URN},meta"

    shown = (await scim.get(f"/Users/{anna}", {"excludedAttributes": excluded})).json

    assert shown == {
        "schemas": [USER_URN, ENTERPRISE_URN],
        "id": anna,
        "userName": "anna",
        "name": {"givenName": "Anna"},
        ENTERPRISE_URN: {"employeeNumber": "42"},
        "notDeclared": whole["notDeclared"],
    }


@pytest.mark.parametrize(
    "query",
    [
        {"attributes": "userName", "excludedAttributes": "title"},
        {"attributes": 'emails[type eq "work"]'},
        {"attributes": "a..b"},
        {"excludedAttributes": "emails["},
        {"attributes": ",".join(f"a{number}" for number in range(300))},
    ],
)
async def test_what_is_no_list_of_names_is_refused(scim: ScimClient, anna: str, query: dict[str, str]) -> None:
    for path in (f"/Users/{anna}", "/Users", "/Groups", ""):
        assert (await scim.get(path, query)).status == 400


async def test_groups_of_a_user_are_returned_on_request_only(scim: ScimClient, anna: str) -> None:
    group_id = (await scim.new_group("Team", [anna]))["id"]
    expected = [{"value": group_id, "$ref": f"{scim.base_url}/Groups/{group_id}", "type": "direct"}]
    path, asked = f"/Users/{anna}", {"attributes": "groups,title"}
    change = {"op": "replace", "path": "title", "value": "Chief"}
    search = {"schemas": [SEARCH_URN], "filter": 'userName eq "anna"', "attributes": ["groups"]}

    assert "groups" not in (await scim.get(path)).json
    assert "groups" not in (await scim.get(path, {"attributes": "title"})).json
    assert "groups" not in (await scim.get(path, {"excludedAttributes": "title"})).json
    assert "groups" not in (await scim.get("/Users")).resources[0]
    for answer in (
        await scim.get(path, asked),
        await scim.get(path, {"attributes": f"{USER_URN}:groups"}),
        await scim.patch(path, change, query=asked),
        await scim.put(path, user("anna"), asked),
    ):
        assert answer.json["groups"] == expected
    assert (await scim.get(path, {"attributes": "groups.value"})).json["groups"] == [{"value": group_id}]
    assert (await scim.get("/Users", asked)).resources[0]["groups"] == expected
    assert (await scim.post("/Users/.search", search)).resources[0]["groups"] == expected
    assert "groups" not in (await scim.post("/Users", user("bob"), asked)).json


async def test_a_password_is_accepted_and_never_shown_or_found(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna", password="secret"))["id"]
    path = f"/Users/{user_id}"

    changed = await scim.patch(path, {"op": "replace", "path": "password", "value": "another"})

    assert "password" not in changed.json
    assert "password" not in (await scim.get(path, {"attributes": "password"})).json
    assert await scim.find("password pr") == []
    assert await scim.find('password eq "another"') == []


async def test_an_answer_to_a_creation_shows_what_is_asked_for(scim: ScimClient, anna: str) -> None:
    created = await scim.post("/Users", user("bob", title="Boss"), {"attributes": "title"})
    group = await scim.post(
        "/Groups",
        {"schemas": [GROUP_URN], "displayName": "Team", "members": [{"value": anna}]},
        {"excludedAttributes": "members"},
    )

    assert (created.status, created.json.keys()) == (201, {"schemas", "id", "title"})
    assert created.headers["Location"] == f"{scim.base_url}/Users/{created.json['id']}"
    assert (group.status, "members" in group.json) == (201, False)
    assert (await scim.get(f"/Groups/{group.json['id']}")).json["members"][0]["value"] == anna


async def test_members_are_shown_with_their_type_and_address(scim: ScimClient, anna: str) -> None:
    inner = (await scim.new_group("Inner"))["id"]
    body = {
        "schemas": [GROUP_URN],
        "displayName": "Outer",
        "members": [{"value": anna, "display": "A"}, {"value": inner}],
    }

    created = await scim.post("/Groups", body)

    expected = [
        {"value": inner, "$ref": f"{scim.base_url}/Groups/{inner}", "type": "Group"},
        {"value": anna, "$ref": f"{scim.base_url}/Users/{anna}", "type": "User", "display": "A"},
    ]
    path = f"/Groups/{created.json['id']}"
    assert created.json["members"] == (await scim.get(path)).json["members"] == expected
    assert "members" not in (await scim.get(path, {"attributes": "displayName"})).json
    assert "members" not in (await scim.get("/Groups", {"excludedAttributes": "members"})).resources[0]
    assert (await scim.get(path, {"attributes": "members.value"})).json["members"] == [
        {"value": inner},
        {"value": anna},
    ]

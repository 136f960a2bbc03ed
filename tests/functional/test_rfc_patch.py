"""Changing resources in part (RFC 7644 §3.5.2)."""

from __future__ import annotations

from typing import Any

import pytest

from scim.resources.schema import ENTERPRISE_URN, USER_URN
from tests.service import EXTENSION_URN, ScimClient, add_members

WORK = {"type": "work", "value": "a@work.example", "primary": True}
HOME = {"type": "home", "value": "a@home.example"}


@pytest.fixture
async def path(scim: ScimClient) -> str:
    """The path of a stored user."""
    created = await scim.new_user(
        "anna",
        title="Boss",
        name={"givenName": "Anna", "familyName": "Adams"},
        emails=[WORK, HOME],
        **{ENTERPRISE_URN: {"department": "Sales", "employeeNumber": "42"}, EXTENSION_URN: {"tag": "red"}},
    )
    return f"/Users/{created['id']}"


CHANGES: list[tuple[str, list[dict[str, Any]], dict[str, Any]]] = [
    ("replace a value", [{"op": "replace", "path": "title", "value": "Chief"}], {"title": "Chief"}),
    ("add a value", [{"op": "add", "path": "nickName", "value": "Annie"}], {"nickName": "Annie"}),
    ("remove a value", [{"op": "remove", "path": "title"}], {"title": None}),
    ("remove what is absent", [{"op": "remove", "path": "nickName"}], {}),
    (
        "a sub-attribute",
        [{"op": "replace", "path": "name.givenName", "value": "A"}],
        {"name": {"givenName": "A", "familyName": "Adams"}},
    ),
    (
        "merge a complex value",
        [{"op": "add", "path": "name", "value": {"givenName": "A"}}],
        {"name": {"givenName": "A", "familyName": "Adams"}},
    ),
    (
        "add to a list",
        [{"op": "add", "path": "emails", "value": [{"value": "x@x.example"}]}],
        {"emails": [WORK, HOME, {"value": "x@x.example"}]},
    ),
    ("add what is there", [{"op": "add", "path": "emails", "value": [HOME]}], {}),
    ("replace a list", [{"op": "replace", "path": "emails", "value": [HOME]}], {"emails": [HOME]}),
    (
        "replace in an entry",
        [{"op": "replace", "path": 'emails[type eq "work"].value', "value": "b"}],
        {"emails": [{**WORK, "value": "b"}, HOME]},
    ),
    ("remove an entry", [{"op": "remove", "path": 'emails[type eq "work" and value co "work"]'}], {"emails": [HOME]}),
    (
        "remove from an entry",
        [{"op": "remove", "path": 'emails[type eq "work"].primary'}],
        {"emails": [{"type": "work", "value": "a@work.example"}, HOME]},
    ),
    ("remove a list", [{"op": "remove", "path": "emails"}], {"emails": None}),
    (
        "a new primary takes the place of the old",
        [{"op": "replace", "path": 'emails[type eq "home"].primary', "value": True}],
        {"emails": [{**WORK, "primary": False}, {**HOME, "primary": True}]},
    ),
    ("a URN-qualified path", [{"op": "replace", "path": f"{USER_URN}:title", "value": "Chief"}], {"title": "Chief"}),
    (
        "an extension's attribute",
        [{"op": "replace", "path": f"{ENTERPRISE_URN}:department", "value": "IT"}],
        {ENTERPRISE_URN: {"department": "IT", "employeeNumber": "42"}},
    ),
    (
        "a custom attribute",
        [{"op": "add", "path": f"{EXTENSION_URN}:tag", "value": "blue"}],
        {EXTENSION_URN: {"tag": "blue"}},
    ),
    ("an extension's last attribute", [{"op": "remove", "path": f"{EXTENSION_URN}:tag"}], {EXTENSION_URN: None}),
    ("a whole extension", [{"op": "remove", "path": ENTERPRISE_URN}], {ENTERPRISE_URN: None}),
    (
        "no path",
        [
            {
                "op": "replace",
                "value": {"title": "Chief", "name": {"givenName": "A"}, ENTERPRISE_URN: {"department": "IT"}},
            }
        ],
        {
            "title": "Chief",
            "name": {"givenName": "A", "familyName": "Adams"},
            ENTERPRISE_URN: {"department": "IT", "employeeNumber": "42"},
        },
    ),
    ("names in another letter case", [{"op": "REPLACE", "path": "TITLE", "value": "Chief"}], {"title": "Chief"}),
    ("an undeclared attribute", [{"op": "add", "path": "shoeSize", "value": 38}], {"shoeSize": 38}),
    (
        "operations in their order",
        [
            {"op": "remove", "path": "title"},
            {"op": "add", "path": "title", "value": "1"},
            {"op": "replace", "path": "title", "value": "2"},
        ],
        {"title": "2"},
    ),
]


@pytest.mark.parametrize(
    ("operations", "expected"), [change[1:] for change in CHANGES], ids=[change[0] for change in CHANGES]
)
async def test_a_user_is_changed_and_answered(
    scim: ScimClient, path: str, operations: list[dict[str, Any]], expected: dict[str, Any]
) -> None:
    before = (await scim.get(path)).json

    answer = await scim.patch(path, *operations)

    wanted = {name: value for name, value in {**before, **expected}.items() if value is not None}
    assert answer.status == 200
    assert answer.json == (await scim.get(path)).json
    assert {**answer.json, "schemas": None, "meta": None} == {**wanted, "schemas": None, "meta": None}
    assert answer.json["schemas"] == [USER_URN, *sorted(name for name in wanted if name.startswith("urn:"))]


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"op": "remove", "path": "userName"}, "mutability"),
    ({"op": "replace", "path": "userName", "value": None}, "mutability"),
    ({"op": "replace", "path": "userName", "value": ""}, "invalidValue"),
    ({"op": "replace", "path": "id", "value": "x"}, "mutability"),
    ({"op": "replace", "value": {"id": "x"}}, "mutability"),
    ({"op": "add", "path": "groups", "value": [{"value": "grp_1"}]}, "mutability"),
    ({"op": "replace", "path": "meta.created", "value": "2000-01-01T00:00:00Z"}, "mutability"),
    ({"op": "replace", "path": 'emails[value co "nothing"].type', "value": "x"}, "noTarget"),
    ({"op": "remove"}, "noTarget"),
    ({"op": "replace", "path": "emails[", "value": "x"}, "invalidPath"),
    ({"op": "replace", "path": 'userName eq "x"', "value": "x"}, "invalidPath"),
    ({"op": "replace", "path": 'emails[nothing eq "x"].value', "value": "x"}, "invalidFilter"),
    ({"op": "replace", "path": "active", "value": "perhaps"}, "invalidValue"),
    ({"op": "add", "path": "emails", "value": [{"value": 7}]}, "invalidValue"),
    (
        {"op": "add", "path": "emails", "value": [{"value": "1", "primary": True}, {"value": "2", "primary": True}]},
        "invalidValue",
    ),
    ({"op": "add", "path": "title"}, "invalidValue"),
    ({"op": "replace", "value": "x"}, "invalidValue"),
    ({"op": "move", "path": "title", "value": "x"}, "invalidValue"),
    ({"op": 1, "path": "title", "value": "x"}, "invalidValue"),
]


@pytest.mark.parametrize(("operation", "scim_type"), REFUSALS)
async def test_an_operation_that_cannot_be_is_refused_and_none_is_applied(
    scim: ScimClient, path: str, operation: dict[str, Any], scim_type: str
) -> None:
    before = await scim.get(path)

    answer = await scim.patch(path, {"op": "replace", "path": "title", "value": "Chief"}, operation)

    assert (answer.status, answer.json["scimType"]) == (400, scim_type)
    assert (await scim.get(path)).json == before.json


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"Operations": []},
        {"schemas": ["urn:x"], "Operations": []},
        {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]},
        {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": {}},
        {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [None]},
    ],
)
async def test_a_body_that_is_no_patch_is_refused(scim: ScimClient, path: str, body: Any) -> None:
    answer = await scim.send("PATCH", path, body)

    assert (answer.status, answer.json["scimType"]) == (400, "invalidSyntax")


async def test_no_operations_change_nothing_and_succeed(scim: ScimClient, path: str) -> None:
    before, team = await scim.get(path), await scim.new_group("Team")

    of_user, of_group = await scim.patch(path), await scim.patch(f"/Groups/{team['id']}")

    assert (of_user.status, of_user.json) == (200, before.json)
    assert (of_group.status, of_group.etag) == (204, team["meta"]["version"])


async def test_a_group_is_answered_with_204_unless_attributes_are_asked_for(scim: ScimClient, path: str) -> None:
    member = path.rpartition("/")[2]
    of_group = f"/Groups/{(await scim.new_group('Team'))['id']}"

    plain = await scim.patch(of_group, add_members(member))
    asked = await scim.patch(
        of_group, {"op": "replace", "path": "displayName", "value": "Crew"}, query={"attributes": "displayName,members"}
    )
    without = await scim.patch(
        of_group, {"op": "add", "path": "externalId", "value": "e1"}, query={"excludedAttributes": "members"}
    )

    assert (plain.status, plain.json) == (204, None)
    assert (asked.status, asked.json.keys()) == (200, {"schemas", "id", "displayName", "members"})
    assert (without.status, without.json["externalId"], "members" in without.json) == (200, "e1", False)
    assert len({plain.etag, asked.etag, without.etag}) == 3
    assert without.etag == (await scim.get(of_group)).etag


async def test_a_user_is_answered_with_what_is_asked_for(scim: ScimClient, path: str) -> None:
    change = {"op": "replace", "path": "title", "value": "Chief"}

    answer = await scim.patch(path, change, query={"attributes": "title"})

    assert (answer.status, answer.json.keys(), answer.json["title"]) == (200, {"schemas", "id", "title"}, "Chief")
    assert answer.etag == (await scim.get(path)).etag

"""Creating, replacing and deleting (RFC 7644 §3.3, §3.5.1, §3.6)."""

from __future__ import annotations

from typing import Any

import pytest

from scim.resources.schema import ENTERPRISE_URN, GROUP_URN, USER_URN
from tests.service import EXTENSION_URN, ScimClient, group, user

UNKNOWN_URN = "urn:ietf:params:scim:schemas:extension:Unmapped:2.0:User"


async def test_a_created_resource_is_answered_as_it_is_read(scim: ScimClient) -> None:
    manager = (await scim.new_user("boss"))["id"]
    body = user(
        "Anna",
        externalId="e1",
        name={"givenName": "Anna"},
        emails=[{"type": "work", "value": "Anna@Mail.Example", "primary": True}],
        **{ENTERPRISE_URN: {"manager": {"value": manager}}, EXTENSION_URN: {"tag": "red"}},
    )

    created = await scim.post("/Users", body)
    read = await scim.get(f"/Users/{created.json['id']}")

    assert created.status == 201
    assert created.json == read.json
    assert created.headers["Location"] == created.json["meta"]["location"] == f"{scim.base_url}/Users/{read.json['id']}"
    assert created.json["meta"]["created"] == created.json["meta"]["lastModified"]
    assert created.json["meta"]["resourceType"] == "User"
    assert created.json["schemas"] == [USER_URN, EXTENSION_URN, ENTERPRISE_URN]
    kept = {name: value for name, value in created.json.items() if name not in ("schemas", "id", "meta")}
    reference = {"value": manager, "$ref": f"{scim.base_url}/Users/{manager}"}
    assert kept == {**_attributes(body), ENTERPRISE_URN: {"manager": reference}}


def _attributes(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "schemas"}


async def test_what_no_schema_declares_is_returned_as_it_was_sent(scim: ScimClient) -> None:
    sent: dict[str, Any] = {
        "favourites": [{"Name": "tea", "n": 1.5}, None, []],
        UNKNOWN_URN: {"costCentre": "7", "nested": {"a": [1]}},
    }

    created = await scim.new_user("anna", **sent)

    assert {name: created[name] for name in sent} == sent
    assert created["schemas"] == [USER_URN, UNKNOWN_URN]


async def test_read_only_values_in_a_body_are_ignored(scim: ScimClient) -> None:
    given: dict[str, Any] = {
        "id": "chosen",
        "meta": {"created": "2000-01-01T00:00:00Z"},
        "groups": [{"value": "grp_1"}],
    }

    created = await scim.new_user("anna", **given)
    replaced = (await scim.put(f"/Users/{created['id']}", user("anna", **given, title="Boss"))).json

    for stored in (created, replaced):
        assert stored["id"].startswith("usr_")
        assert stored["meta"]["created"] == created["meta"]["created"] != given["meta"]["created"]
        assert "groups" not in stored


async def test_names_of_attributes_are_read_in_any_letter_case(scim: ScimClient) -> None:
    body = {
        "SCHEMAS": [USER_URN.upper()],
        "USERNAME": "anna",
        "Emails": [{"VALUE": "a@x.example", "Type": "work"}],
        ENTERPRISE_URN.lower(): {"DEPARTMENT": "Sales"},
    }

    created = (await scim.post("/Users", body)).json

    assert created["userName"] == "anna"
    assert created["emails"] == [{"value": "a@x.example", "type": "work"}]
    assert created[ENTERPRISE_URN] == {"department": "Sales"}


async def test_core_attributes_are_read_under_the_urn_of_their_schema(scim: ScimClient) -> None:
    qualified = {
        f"{USER_URN}:title": "Boss",
        f"{USER_URN.upper()}:name.givenName": "Anna",
        f"{USER_URN}:schemas": ["x"],
    }
    never: dict[str, Any] = {
        f"{USER_URN}:password": "secret",
        f"{USER_URN}:id": "x",
        f"{USER_URN}:groups": [{"value": "grp_1"}],
    }
    nested: dict[str, Any] = {
        USER_URN: {"title": "Boss", "name": {"givenName": "Anna"}, "password": "secret", "schemas": ["x"]}
    }

    for number, body in enumerate(({**qualified, **never}, nested)):
        created = await scim.new_user(f"user {number}", **body)
        assert created.keys() == {"schemas", "id", "userName", "title", "name", "meta"}
        assert (created["schemas"], created["name"], created["title"]) == ([USER_URN], {"givenName": "Anna"}, "Boss")


async def test_members_are_read_under_the_urn_of_their_schema(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna"))["id"]
    bodies: list[dict[str, Any]] = [
        {f"{GROUP_URN}:members": [{"value": user_id}]},
        {GROUP_URN: {"members": {"value": user_id}, "externalId": "e1"}},
    ]

    for number, body in enumerate(bodies):
        created = await scim.new_group(f"Team {number}", **body)
        assert [member["type"] for member in created["members"]] == ["User"]
        assert await scim.find(f'id eq "{created["id"]}" and members eq "{user_id}"', "/Groups") == [created["id"]]
        emptied = await scim.put(f"/Groups/{created['id']}", group(f"Team {number}"))
        assert "members" not in emptied.json
    twice = group("Crew", [user_id], **bodies[0])
    assert (await scim.post("/Groups", twice)).status == 400


async def test_null_and_empty_lists_leave_an_attribute_unassigned(scim: ScimClient) -> None:
    empties: dict[str, Any] = {
        "title": None,
        "emails": [],
        "name": {},
        "phoneNumbers": [None],
        "roles": None,
        "unknown": None,
    }

    created = await scim.new_user("anna", **empties, **{ENTERPRISE_URN: {"manager": None, "department": None}})

    assert created.keys() == {"schemas", "id", "userName", "meta"}
    assert created["schemas"] == [USER_URN]


@pytest.mark.parametrize(
    ("body", "scim_type"),
    [
        ({"userName": "anna"}, "invalidSyntax"),
        ({"schemas": [], "userName": "anna"}, "invalidSyntax"),
        ({"schemas": USER_URN, "userName": "anna"}, "invalidSyntax"),
        ({"schemas": [GROUP_URN], "userName": "anna"}, "invalidSyntax"),
        ([user("anna")], "invalidSyntax"),
        ({"schemas": [USER_URN]}, "invalidValue"),
        (user(""), "invalidValue"),
        (user("  "), "invalidValue"),
        ({"schemas": [USER_URN], "userName": 7}, "invalidValue"),
        ({"schemas": [USER_URN], "userName": "anna", "USERNAME": "bob"}, "invalidValue"),
        (user("anna", active="perhaps"), "invalidValue"),
        (user("anna", title=["a", "b"]), "invalidValue"),
        (user("anna", name="Anna"), "invalidValue"),
        (user("anna", emails=[{"value": "a", "primary": True}, {"value": "b", "primary": True}]), "invalidValue"),
        (user("anna", **{ENTERPRISE_URN: "x"}), "invalidValue"),
    ],
)
async def test_a_body_that_is_no_user_is_refused_and_nothing_stored(
    scim: ScimClient, body: Any, scim_type: str
) -> None:
    existing = (await scim.new_user("existing"))["id"]

    for answer in (await scim.post("/Users", body), await scim.put(f"/Users/{existing}", body)):
        assert (answer.status, answer.json["scimType"]) == (400, scim_type)
    assert (await scim.get("/Users")).ids == [existing]


async def test_a_replacement_clears_what_it_does_not_give(scim: ScimClient) -> None:
    created = await scim.new_user(
        "anna", title="Boss", active=False, unknown=1, **{ENTERPRISE_URN: {"department": "Sales"}}
    )

    replaced = await scim.put(f"/Users/{created['id']}", user("anna", displayName="Anna"))

    assert replaced.status == 200
    assert replaced.json.keys() == {"schemas", "id", "userName", "displayName", "meta"}
    assert replaced.json["schemas"] == [USER_URN]
    assert replaced.json == (await scim.get(f"/Users/{created['id']}")).json
    assert replaced.json["meta"]["created"] == created["meta"]["created"]


async def test_a_replacement_of_a_group_replaces_its_members(scim: ScimClient) -> None:
    first, second, third = await scim.new_users(3)
    path = f"/Groups/{(await scim.new_group('Team', [first, second], externalId='e1'))['id']}"

    replaced = await scim.put(path, group("Crew", [third, second, second]))
    emptied = await scim.put(path, group("Crew"))

    assert [member["value"] for member in replaced.json["members"]] == [second, third]
    assert "externalId" not in replaced.json
    assert (emptied.status, "members" in emptied.json) == (200, False)
    assert await scim.find('displayName eq "team"', "/Groups") == []


async def test_a_replacement_creates_nothing(scim: ScimClient) -> None:
    missing = "usr_" + "0" * 32

    assert (await scim.put(f"/Users/{missing}", user("anna"))).status == 404
    assert (await scim.get("/Users")).json["totalResults"] == 0


async def test_a_resource_may_write_its_own_name_in_another_case(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna@x.example"))["id"]
    group_id = (await scim.new_group("Straße"))["id"]

    written = [
        await scim.put(f"/Users/{user_id}", user("Anna@X.example")),
        await scim.patch(f"/Users/{user_id}", {"op": "replace", "path": "userName", "value": "ANNA@x.example"}),
        await scim.put(f"/Groups/{group_id}", group("STRASSE")),
        await scim.patch(f"/Groups/{group_id}", {"op": "replace", "value": {"displayName": "strasse"}}),
    ]

    assert [answer.status for answer in written] == [200, 200, 200, 204]
    assert (await scim.get(f"/Users/{user_id}")).json["userName"] == "ANNA@x.example"
    assert (await scim.get(f"/Groups/{group_id}")).json["displayName"] == "strasse"
    assert await scim.find('userName eq "anna@x.example"') == [user_id]
    assert await scim.find('displayName eq "straße"', "/Groups") == [group_id]


async def test_a_name_that_is_taken_is_refused_however_it_is_written(scim: ScimClient) -> None:
    await scim.new_user("anna")
    await scim.new_group("Team")
    user_id, group_id = (await scim.new_user("bob"))["id"], (await scim.new_group("Crew"))["id"]

    refused = [
        await scim.post("/Users", user("ANNA")),
        await scim.put(f"/Users/{user_id}", user("Anna")),
        await scim.patch(f"/Users/{user_id}", {"op": "replace", "path": "userName", "value": "anna"}),
        await scim.post("/Groups", group("TEAM")),
        await scim.put(f"/Groups/{group_id}", group("team")),
        await scim.patch(f"/Groups/{group_id}", {"op": "replace", "path": "displayName", "value": "tEAM"}),
    ]

    assert [(answer.status, answer.json["scimType"]) for answer in refused] == [(409, "uniqueness")] * 6
    assert (await scim.get(f"/Users/{user_id}")).json["userName"] == "bob"


async def test_a_deleted_resource_is_gone_and_its_name_free(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna", externalId="e1"))["id"]
    group_id = (await scim.new_group("Team", externalId="e1"))["id"]

    for path, body in ((f"/Users/{user_id}", user("anna")), (f"/Groups/{group_id}", group("Team"))):
        deleted = await scim.delete(path)
        assert (deleted.status, deleted.json) == (204, None)
        after = [await scim.get(path), await scim.put(path, body), await scim.patch(path), await scim.delete(path)]
        assert [answer.status for answer in after] == [404] * 4
        endpoint = path.rpartition("/")[0]
        assert (await scim.get(endpoint)).json["totalResults"] == 0
        assert await scim.find('externalId eq "e1"', endpoint) == []
        assert (await scim.post(endpoint, body)).status == 201

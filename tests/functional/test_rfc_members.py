"""Members of groups: what changes them, and what becomes of them when a user or group goes."""

from __future__ import annotations

from typing import Any

import pytest

from scim.resources.schema import GROUP_URN
from tests.service import Answer, ScimClient, add_members, group, references, remove_members

UNKNOWN_USER, UNKNOWN_GROUP = "usr_" + "0" * 32, "grp_" + "0" * 32


async def members(scim: ScimClient, path: str) -> list[str]:
    answer = await scim.get(path)
    assert answer.status == 200, answer.json
    return [member["value"] for member in answer.json.get("members", [])]


async def groups(scim: ScimClient, user_id: str) -> list[str]:
    answer = await scim.get(f"/Users/{user_id}", {"attributes": "groups"})
    return [entry["value"] for entry in answer.json.get("groups", [])]


async def new_group(scim: ScimClient, name: str = "Team", *ids: str) -> str:
    return f"/Groups/{(await scim.new_group(name, ids))['id']}"


def id_of(path: str) -> str:
    return path.rpartition("/")[2]


@pytest.mark.parametrize("number", [1, 31, 70])
async def test_members_are_added_and_removed_by_entra_in_one_request(scim: ScimClient, number: int) -> None:
    ids, path = await scim.new_users(number), await new_group(scim)

    added = await scim.patch(path, add_members(*ids))
    again = await scim.patch(path, add_members(*ids))
    assert (added.status, again.status, again.etag) == (204, 204, added.etag)
    assert await members(scim, path) == ids

    removed = await scim.patch(path, remove_members(*ids))
    again = await scim.patch(path, remove_members(*ids))
    assert (removed.status, again.status, again.etag) == (204, 204, removed.etag)
    assert await members(scim, path) == []


@pytest.mark.parametrize("number", [30, 31, 95])
async def test_a_group_is_created_with_any_number_of_members(scim: ScimClient, number: int) -> None:
    ids = await scim.new_users(number)

    created = await scim.post("/Groups", group("Team", [*ids, ids[0]]))

    assert (created.status, [member["value"] for member in created.json["members"]]) == (201, ids)
    assert created.json == (await scim.get(f"/Groups/{created.json['id']}")).json
    assert await groups(scim, ids[-1]) == [created.json["id"]]


FORMS: list[tuple[str, Any, str]] = [
    ("one object", {"op": "add", "path": "members", "value": {"value": "{2}"}}, "0 1 2"),
    ("a plain id", {"op": "add", "path": "members", "value": "{2}"}, "0 1 2"),
    ("plain ids", {"op": "add", "path": "members", "value": ["{2}", "{3}"]}, "0 1 2 3"),
    ("no path", {"op": "add", "value": {"members": [{"value": "{2}"}], "externalId": "e1"}}, "0 1 2"),
    ("a path by filter", {"op": "add", "path": 'members[value eq "{2}"]', "value": {"value": "{2}"}}, "0 1 2"),
    ("replacing", {"op": "replace", "path": "members", "value": [{"value": "{3}"}, {"value": "{0}"}]}, "0 3"),
    ("replacing by nothing", {"op": "replace", "path": "members", "value": []}, ""),
    ("removing by filter", {"op": "remove", "path": 'members[value eq "{1}"]'}, "0"),
    ("removing two by filter", {"op": "remove", "path": 'members[value eq "{1}" or value eq "{0}"]'}, ""),
    ("removing an absent one", {"op": "remove", "path": 'members[value eq "{3}"]'}, "0 1"),
    ("removing all", {"op": "remove", "path": "members"}, ""),
    ("removing what is no id", {"op": "remove", "path": 'members[value eq "x|y/#?"]'}, "0 1"),
    ("a URN", {"op": "add", "path": f"{GROUP_URN}:members", "value": [{"value": "{2}"}]}, "0 1 2"),
    ("a URN and a filter", {"op": "remove", "path": f'{GROUP_URN}:members[value eq "{{1}}"]'}, "0"),
    ("a URN in the value", {"op": "add", "value": {f"{GROUP_URN}:members": [{"value": "{2}"}]}}, "0 1 2"),
    ("under a URN", {"op": "replace", "value": {GROUP_URN: {"members": [{"value": "{3}"}]}}}, "3"),
    ("names in another letter case", {"op": "Remove", "path": "MEMBERS", "value": [{"Value": "{1}"}]}, "0"),
]


@pytest.mark.parametrize(("operation", "expected"), [form[1:] for form in FORMS], ids=[form[0] for form in FORMS])
async def test_members_are_named_in_many_forms(scim: ScimClient, operation: Any, expected: str) -> None:
    ids = await scim.new_users(4)
    path = await new_group(scim, "Team", *ids[:2])

    answer = await scim.patch(path, _filled(operation, ids))

    assert answer.status == 204
    assert await members(scim, path) == [ids[int(number)] for number in expected.split()]


def _filled(value: Any, ids: list[str]) -> Any:
    if isinstance(value, str):
        return value.replace("{", "{0[").replace("}", "]}").format(ids)
    if isinstance(value, list):
        return [_filled(item, ids) for item in value]
    return {name: _filled(item, ids) for name, item in value.items()} if isinstance(value, dict) else value


async def test_operations_on_members_act_in_their_order_with_the_others(scim: ScimClient) -> None:
    first, second, third = await scim.new_users(3)
    path = await new_group(scim, "Team", first)

    answer = await scim.patch(
        path,
        add_members(second, third),
        {"op": "replace", "path": "displayName", "value": "Crew"},
        remove_members(first, second),
        add_members(first),
    )

    assert answer.status == 204
    assert await members(scim, path) == [first, third]
    assert (await scim.get(path)).json["displayName"] == "Crew"


@pytest.mark.parametrize("unknown", [UNKNOWN_USER, UNKNOWN_GROUP, "no/such#user?", "701984"])
@pytest.mark.parametrize("others", [1, 40])
async def test_an_unknown_member_is_refused_by_name_and_nothing_is_changed(
    scim: ScimClient, unknown: str, others: int
) -> None:
    ids = await scim.new_users(others)
    path = await new_group(scim)
    before = await scim.get(path)
    wanted = [*ids, unknown]

    refused = [
        await scim.patch(path, add_members(*wanted)),
        await scim.patch(path, {"op": "replace", "path": "displayName", "value": "Crew"}, add_members(*wanted)),
        await scim.put(path, group("Team", wanted)),
        await scim.post("/Groups", group("Crew", wanted)),
    ]

    for answer in refused:
        assert (answer.status, answer.json["scimType"]) == (400, "invalidValue")
        assert unknown in answer.json["detail"]
    assert (await scim.get(path)).json == before.json
    assert await scim.find('displayName eq "crew"', "/Groups") == []
    assert await groups(scim, ids[0]) == []


@pytest.mark.parametrize("value", [[{"display": "Anna"}], [{"value": ""}], [{"value": 7}], [None]])
async def test_a_member_without_an_id_is_refused(scim: ScimClient, value: Any) -> None:
    path = await new_group(scim)

    answer = await scim.patch(path, {"op": "add", "path": "members", "value": value})

    assert (answer.status, answer.json["scimType"]) == (400, "invalidValue")


async def test_a_group_cannot_be_in_itself(scim: ScimClient) -> None:
    path = await new_group(scim)

    for answer in (
        await scim.patch(path, add_members(id_of(path))),
        await scim.put(path, group("Team", [id_of(path)])),
    ):
        assert (answer.status, answer.json["scimType"]) == (400, "invalidValue")


async def test_a_part_of_a_member_cannot_be_changed(scim: ScimClient) -> None:
    (user_id,) = await scim.new_users(1)
    path = await new_group(scim, "Team", user_id)

    for selected in ("members.value", f'members[value eq "{user_id}"].value', "members.type"):
        answer = await scim.patch(path, {"op": "replace", "path": selected, "value": UNKNOWN_USER})
        assert (answer.status, answer.json["scimType"]) == (400, "mutability")
    assert await members(scim, path) == [user_id]


@pytest.mark.parametrize("number", [1, 20, 45])
async def test_a_deleted_user_leaves_all_its_groups(scim: ScimClient, number: int) -> None:
    user_id, other = await scim.new_users(2)
    paths = [await new_group(scim, f"Team {index}", user_id, other) for index in range(number)]
    etags = [(await scim.get(path)).etag for path in paths]

    deleted = await scim.delete(f"/Users/{user_id}")

    assert deleted.status == 204
    assert [await members(scim, path) for path in paths] == [[other]] * number
    assert await scim.find(f'members eq "{user_id}"', "/Groups") == []
    assert not set(etags) & {(await scim.get(path)).etag for path in paths}
    assert (await scim.patch(paths[0], add_members(user_id))).status == 400
    assert (await scim.patch(paths[0], remove_members(user_id))).status == 204


async def test_a_deleted_group_leaves_no_membership_behind(scim: ScimClient) -> None:
    user_id, other = await scim.new_users(2)
    inner, outer = await new_group(scim, "Inner", user_id), await new_group(scim, "Outer")
    await scim.patch(outer, add_members(id_of(inner), other))

    assert (await scim.delete(inner)).status == 204

    for _ in ("at once", "after the background work"):
        assert await groups(scim, user_id) == []
        assert await members(scim, outer) == [other]
        assert await scim.find(f'groups eq "{id_of(inner)}"') == []
        assert await scim.find(f'members eq "{id_of(inner)}"', "/Groups") == []
        assert (await scim.patch(outer, add_members(id_of(inner)))).status == 400
        await scim.relay()
    rows = [key async for key in _keys(scim) if id_of(inner) in key and not key.startswith(("f|", "h|"))]
    assert rows == []


async def _keys(scim: ScimClient) -> Any:
    async for row in scim.partition.rows((" ", "~")):
        yield row.key


async def test_the_name_of_a_deleted_group_is_free_while_its_members_are_cleared(scim: ScimClient) -> None:
    ids = await scim.new_users(3)
    first = await new_group(scim, "Team", *ids)

    await scim.delete(first)
    second = await new_group(scim, "Team", ids[0])
    await scim.relay()

    assert await members(scim, second) == [ids[0]]
    assert await groups(scim, ids[0]) == [id_of(second)]
    assert await groups(scim, ids[1]) == []


async def test_a_group_of_very_many_members_is_read_without_them(
    scim: ScimClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scim.provisioning.groups.MAX_MEMBERS_SHOWN", 4)
    ids = await scim.new_users(5)
    path = await new_group(scim, "Team", *ids[:4])
    assert await members(scim, path) == ids[:4]

    added = await scim.patch(path, add_members(ids[4]))
    refused: list[Answer] = [await scim.get(path), await scim.get("/Groups"), await scim.get("")]

    assert added.status == 204
    for answer in refused:
        assert (answer.status, answer.json["scimType"]) == (400, "tooMany")
        assert "excludedAttributes=members" in answer.json["detail"]
    assert (await scim.get(path, {"excludedAttributes": "members"})).status == 200
    text = f'id eq "{id_of(path)}" and members eq "{ids[4]}"'
    assert await scim.find(text, "/Groups", attributes="id") == [id_of(path)]


async def test_a_display_name_sent_with_a_member_is_kept(scim: ScimClient) -> None:
    first, second = await scim.new_users(2)
    path = await new_group(scim)

    await scim.patch(path, {"op": "add", "path": "members", "value": [{"value": first, "display": "Anna"}]})
    await scim.patch(path, {"op": "add", "path": "members", "value": [*references(second), {"value": first}]})

    assert [member.get("display") for member in (await scim.get(path)).json["members"]] == ["Anna", None]

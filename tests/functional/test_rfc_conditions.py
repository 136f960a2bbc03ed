"""Versions and conditions (RFC 7644 §3.14), and writers that meet."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.service import ScimClient, add_members, group, references, user

pytestmark = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])

TITLE = {"op": "replace", "path": "title", "value": "Boss"}
RENAME = {"op": "replace", "path": "displayName", "value": "Crew"}
OUTDATED = 'W/"00000000000000000000000000000000"'


async def test_every_answer_with_a_resource_carries_its_version(scim: ScimClient) -> None:
    created = await scim.post("/Users", user("anna"))
    path = f"/Users/{created.json['id']}"

    answers = [created, await scim.get(path), await scim.patch(path, TITLE), await scim.put(path, user("anna"))]

    assert all(answer.etag == answer.json["meta"]["version"] for answer in answers)
    assert answers[0].etag == answers[1].etag
    assert len({answer.etag for answer in answers[1:]}) == 3
    assert all(answer.etag.startswith('W/"') for answer in answers)


async def test_a_group_has_a_new_version_after_every_change_of_members(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna"))["id"]
    created = await scim.post("/Groups", group("Team"))
    path = f"/Groups/{created.json['id']}"

    added = await scim.patch(path, add_members(user_id))
    read = await scim.get(path)

    assert (added.status, added.json) == (204, None)
    assert created.etag != added.etag == read.etag == read.json["meta"]["version"]
    assert read.json["meta"]["lastModified"] >= created.json["meta"]["lastModified"]


async def test_what_changes_nothing_keeps_the_version(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna", title="Boss", emails=[{"value": "a@x.example"}, {"value": "b@x.example"}]))[
        "id"
    ]
    group_id = (await scim.new_group("Team", [user_id]))["id"]
    before, of_group = await scim.get(f"/Users/{user_id}"), await scim.get(f"/Groups/{group_id}")
    reordered = {**before.json, "emails": before.json["emails"][::-1]}

    unchanged = [
        await scim.patch(f"/Users/{user_id}", TITLE),
        await scim.patch(f"/Users/{user_id}"),
        await scim.put(f"/Users/{user_id}", reordered),
        await scim.patch(f"/Groups/{group_id}", add_members(user_id)),
        await scim.patch(f"/Groups/{group_id}", {"op": "remove", "path": "members", "value": references("usr_x")}),
        await scim.put(f"/Groups/{group_id}", group("Team", [user_id])),
    ]

    assert [answer.status for answer in unchanged] == [200, 200, 200, 204, 204, 200]
    assert [answer.etag for answer in unchanged] == [before.etag] * 3 + [of_group.etag] * 3
    assert (await scim.get(f"/Users/{user_id}")).json == before.json


async def test_a_read_of_a_known_version_answers_304(scim: ScimClient) -> None:
    created = await scim.post("/Users", user("anna"))
    of_group = await scim.post("/Groups", group("Team"))

    for path, etag in (
        (f"/Users/{created.json['id']}", created.etag),
        (f"/Groups/{of_group.json['id']}", of_group.etag),
    ):
        for known in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
            answer = await scim.get(path, if_none_match=known)
            assert (answer.status, answer.json, answer.etag) == (304, None, etag)
        assert (await scim.get(path, if_none_match=OUTDATED)).status == 200


async def test_a_read_minds_the_version_it_names(scim: ScimClient) -> None:
    paths = [f"/Users/{(await scim.new_user('anna'))['id']}", f"/Groups/{(await scim.new_group('Team'))['id']}"]

    for path in paths:
        etag = (await scim.get(path)).etag
        assert (await scim.get(path, if_match=etag)).status == 200
        assert (await scim.get(path, if_match="*")).status == 200
        assert (await scim.get(path, if_match=OUTDATED)).status == 412
        assert (await scim.get(path, if_match=etag, if_none_match=etag)).status == 304


async def test_a_write_needs_the_version_it_names(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna"))["id"]
    group_id = (await scim.new_group("Team"))["id"]

    refused = [
        await scim.patch(f"/Users/{user_id}", TITLE, if_match=OUTDATED),
        await scim.put(f"/Users/{user_id}", user("bob"), if_match=OUTDATED),
        await scim.delete(f"/Users/{user_id}", if_match=OUTDATED),
        await scim.patch(f"/Groups/{group_id}", RENAME, if_match=OUTDATED),
        await scim.patch(f"/Groups/{group_id}", add_members(user_id), if_match=OUTDATED),
        await scim.put(f"/Groups/{group_id}", group("Crew"), if_match=OUTDATED),
        await scim.delete(f"/Groups/{group_id}", if_match=OUTDATED),
        await scim.patch(f"/Users/{user_id}", TITLE, if_none_match="*"),
        await scim.put(f"/Groups/{group_id}", group("Crew"), if_none_match="*"),
    ]

    assert [answer.status for answer in refused] == [412] * len(refused)
    assert (await scim.get(f"/Users/{user_id}")).json["userName"] == "anna"
    assert (await scim.get(f"/Groups/{group_id}")).json["displayName"] == "Team"
    assert (await scim.patch(f"/Users/{user_id}", TITLE, if_match="*")).status == 200
    assert (await scim.patch(f"/Groups/{group_id}", add_members(user_id), if_match="*")).status == 204


async def test_a_condition_on_what_does_not_exist_is_a_404(scim: ScimClient) -> None:
    for path in ("/Users/usr_" + "0" * 32, "/Groups/grp_" + "0" * 32):
        for condition in ("*", OUTDATED):
            assert (await scim.patch(path, RENAME, if_match=condition)).status == 404
            assert (await scim.delete(path, if_match=condition)).status == 404
    assert (await scim.patch("/Groups/grp_" + "0" * 32, add_members("usr_" + "0" * 32))).status == 404


async def test_of_two_writers_that_name_the_same_version_one_gets_412(scim: ScimClient) -> None:
    created, team = await scim.post("/Users", user("anna")), await scim.post("/Groups", group("Team"))
    member = (await scim.new_user("member"))["id"]
    path, of_team = f"/Users/{created.json['id']}", f"/Groups/{team.json['id']}"

    users = await asyncio.gather(
        *(scim.patch(path, {**TITLE, "value": title}, if_match=created.etag) for title in ("first", "second"))
    )
    groups = await asyncio.gather(
        scim.patch(of_team, RENAME, if_match=team.etag),
        scim.patch(of_team, add_members(member), if_match=team.etag),
    )

    assert sorted(answer.status for answer in users) == [200, 412]
    assert sorted(answer.status for answer in groups) == [204, 412]


async def test_writers_that_name_no_version_lose_nothing(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna"))["id"]
    emails = [{"type": f"type{number}", "value": f"{number}@x.example"} for number in range(4)]

    answers = await asyncio.gather(
        *(scim.patch(f"/Users/{user_id}", {"op": "add", "path": "emails", "value": [email]}) for email in emails)
    )

    assert [answer.status for answer in answers] == [200] * 4
    stored: list[Any] = (await scim.get(f"/Users/{user_id}")).json["emails"]
    assert sorted(stored, key=str) == emails


async def test_parallel_changes_of_one_group_lose_nothing(scim: ScimClient) -> None:
    members = await scim.new_users(24)
    path = f"/Groups/{(await scim.new_group('Team', members[:4]))['id']}"

    answers = await asyncio.gather(
        *(scim.patch(path, add_members(member)) for member in members[4:]),
        *(scim.patch(path, {"op": "remove", "path": f'members[value eq "{member}"]'}) for member in members[:4]),
        scim.patch(path, RENAME),
        *(scim.patch(f"/Users/{member}", TITLE) for member in members[:8]),
    )

    assert {answer.status for answer in answers} == {200, 204}
    stored = (await scim.get(path)).json
    assert (stored["displayName"], [member["value"] for member in stored["members"]]) == ("Crew", members[4:])


async def test_of_many_creations_of_one_name_at_once_one_succeeds(scim: ScimClient) -> None:
    users = await asyncio.gather(*(scim.post("/Users", user(name)) for name in ("anna", "Anna", "ANNA", "annA")))
    groups = await asyncio.gather(*(scim.post("/Groups", group(name)) for name in ("ß", "SS", "ss", "ẞ")))

    for answers in (users, groups):
        assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]
        assert {answer.json["scimType"] for answer in answers if answer.status == 409} == {"uniqueness"}


async def test_a_user_deleted_while_it_is_added_is_no_member_afterwards(scim: ScimClient) -> None:
    groups = [f"/Groups/{(await scim.new_group(f'Team {number}'))['id']}" for number in range(5)]
    user_id = (await scim.new_user("anna"))["id"]

    *added, deleted = await asyncio.gather(
        *(scim.patch(path, add_members(user_id)) for path in groups), scim.delete(f"/Users/{user_id}")
    )

    assert deleted.status == 204
    assert {answer.status for answer in added} <= {204, 400}
    assert [(await scim.get(path)).json.get("members") for path in groups] == [None] * 5
    assert await scim.find(f'members eq "{user_id}"', "/Groups") == []


async def test_the_same_member_added_and_removed_by_many_at_once_is_no_error(scim: ScimClient) -> None:
    user_id, other = await scim.new_users(2)
    path = f"/Groups/{(await scim.new_group('Team'))['id']}"

    added = await asyncio.gather(*(scim.patch(path, add_members(user_id, other)) for _ in range(6)))
    assert [answer.status for answer in added] == [204] * 6
    assert (await scim.get(path)).json["members"][0]["value"] == user_id

    both = await asyncio.gather(
        *(scim.patch(path, {"op": "remove", "path": "members", "value": references(user_id)}) for _ in range(4)),
        *(scim.patch(path, add_members(user_id)) for _ in range(4)),
    )
    assert [answer.status for answer in both] == [204] * 8

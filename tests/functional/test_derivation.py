"""What is derived from the feed: member counts, histories and coverage, whatever comes in between."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest

from scim.adapters.tables import keys, large_groups
from scim.adapters.tables.consistency.check import check_directory
from scim.adapters.tables.consistency.repairs import repair_directory
from scim.adapters.tables.derivation import derive
from scim.adapters.tables.derived_rows import TableDerivedReader, forget_old_history, history_values
from scim.adapters.tables.feed import RETENTION_DAYS, UNDERIVED_DAYS, forget_old_events
from scim.adapters.tables.relay import relay
from scim.adapters.tables.table import Int64, delete, insert, merge
from tests.service import EXTENSION_URN, ScimClient, add_members, remove_members

pytestmark = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])


def derived(scim: ScimClient) -> TableDerivedReader:
    return TableDerivedReader(scim.partition)


async def counts(scim: ScimClient, *group_ids: str) -> list[int | None]:
    found = await derived(scim).member_counts(group_ids)
    return [found.get(group_id) for group_id in group_ids]


async def told(scim: ScimClient, resource_id: str) -> list[tuple[str, list[str]]]:
    """Return what the history of a resource says, oldest first."""
    entries, after = list[Any](), ""
    while True:
        page = await derived(scim).history(resource_id, after, 2)
        entries += page.entries
        after = page.last
        if not after:
            return [(entry.type, [*entry.changed, *entry.related]) for entry in reversed(entries)]


async def test_member_counts_follow_every_kind_of_change(scim: ScimClient) -> None:
    members = await scim.new_users(40)
    small = (await scim.new_group("Small", members[:3]))["id"]
    large = (await scim.new_group("Large", members))["id"]
    gone = (await scim.new_group("Gone", members[:5]))["id"]
    nested = (await scim.new_group("Nested", [small, gone, members[0]]))["id"]
    await scim.patch(f"/Groups/{small}", add_members(members[3]))
    await scim.patch(f"/Groups/{small}", remove_members(members[0], members[39]))
    await scim.delete(f"/Users/{members[1]}")
    await scim.delete(f"/Groups/{gone}")
    await scim.relay()

    assert await counts(scim, small, large, gone, nested) == [2, 39, None, 2]
    assert await check_directory(scim.partition) == []


async def test_a_history_tells_what_happened_to_a_resource(scim: ScimClient) -> None:
    user = (await scim.new_user("anna", active=True))["id"]
    others = await scim.new_users(3)
    group = (await scim.new_group("Team", [user, *others]))["id"]
    await scim.patch(
        f"/Users/{user}",
        {"op": "replace", "path": "title", "value": "Boss"},
        {"op": "replace", "path": "active", "value": False},
    )
    await scim.patch(f"/Groups/{group}", remove_members(user))
    await scim.delete(f"/Users/{user}")
    await scim.relay()

    assert await told(scim, user) == [
        ("user.created", []),
        ("group.user_added", [group]),
        ("user.updated", ["title"]),
        ("user.deactivated", []),
        ("group.user_removed", [group]),
        ("user.deleted", []),
    ]
    created, added, removed = await told(scim, group)
    assert (created, removed) == (("group.created", []), ("group.user_removed", [user]))
    assert (added[0], set(added[1])) == ("group.user_added", {user, *others})


async def test_coverage_counts_paths_with_a_masked_sample(scim: ScimClient) -> None:
    tag = f"{EXTENSION_URN}:tag"
    first = (await scim.new_user("anna", title="Engineer 7", **{EXTENSION_URN: {"tag": "A12345", "level": 3}}))["id"]
    emails = [{"type": "work", "value": "bob@example.com"}, {"type": "home", "value": "b@example.com"}]
    await scim.new_user("bob", emails=emails, **{EXTENSION_URN: {"tag": "b"}})
    await scim.relay()
    users = (await derived(scim).coverage())["User"]

    assert {path: known.count for path, known in users.items()} == {
        "userName": 2,
        "title": 1,
        tag: 2,
        f"{EXTENSION_URN}:level": 1,
        'emails[type eq "work"].value': 1,
        'emails[type eq "home"].value': 1,
    }
    assert (users["title"].type, users["title"].sample) == ("string", "En........")
    assert (users[f"{EXTENSION_URN}:level"].type, users[f"{EXTENSION_URN}:level"].sample) == ("integer", "0")
    assert users[tag].seen == f"{datetime.now(UTC):%Y-%m-%dT%H}:00:00Z"

    await scim.patch(f"/Users/{first}", {"op": "remove", "path": "title"}, {"op": "remove", "path": EXTENSION_URN})
    await scim.relay()
    users = (await derived(scim).coverage())["User"]

    assert "title" not in users
    assert users[tag].count == 1
    assert await check_directory(scim.partition) == []


async def test_a_large_group_is_derived_in_parts(scim: ScimClient) -> None:
    members = await scim.new_users(130)
    group = (await scim.new_group("Large", members))["id"]
    await relay(scim.partition)

    assert await derive(scim.partition) == 130 + 1 + 130
    assert await counts(scim, group) == [130]
    assert [len(related) for _, related in await told(scim, group)] != [0, 130]
    assert sum(len(related) for _, related in await told(scim, group)) == 130
    assert await check_directory(scim.partition) == []
    assert await derive(scim.partition) == 0


async def test_who_leaves_a_large_group_before_being_told_of_leaves_its_count_right(
    scim: ScimClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_groups, "_EVENTS_PER_ROW", 20)
    announce, members = large_groups.announce_members, await scim.new_users(60)
    monkeypatch.setattr(large_groups, "announce_members", AsyncMock())
    group = (await scim.new_group("Large", members))["id"]
    await scim.relay()
    assert await counts(scim, group) == [60]

    told_of, left, returned, deleted = members[0], members[-1], members[-2], members[-3]
    await scim.patch(f"/Groups/{group}", remove_members(told_of, left, returned))
    await scim.patch(f"/Groups/{group}", add_members(returned))
    await scim.delete(f"/Users/{deleted}")
    await announce(scim.partition, group)
    await scim.relay()

    assert await counts(scim, group) == [57]
    assert await check_directory(scim.partition) == []


async def test_many_machines_derive_everything_once(scim: ScimClient) -> None:
    members = await scim.new_users(60)
    group = (await scim.new_group("Team", members[:20]))["id"]
    for member in members[20:40]:
        await scim.patch(f"/Groups/{group}", add_members(member))
    await relay(scim.partition)
    await asyncio.gather(*(derive(scim.partition) for _ in range(4)))

    assert await counts(scim, group) == [40]
    assert sum(len(related) for _, related in await told(scim, group)) == 40
    assert await check_directory(scim.partition) == []


async def test_a_directory_whose_rows_are_wrong_or_missing_is_counted_anew(scim: ScimClient) -> None:
    group = (await scim.new_group("Team", await scim.new_users(3)))["id"]
    other = (await scim.new_group("Other"))["id"]
    await scim.relay()
    await scim.partition.commit([merge(keys.member_count(group), {"members": 7}), delete(keys.member_count(other))])
    await scim.partition.commit([delete(keys.coverage("User"))])

    repair = await repair_directory(scim.partition)

    assert {violation.kind for violation in repair.mended} == {"wrong_member_count", "wrong_coverage"}
    assert repair.left == []
    assert await counts(scim, group, other) == [3, 0]
    assert (await derived(scim).coverage())["User"]["userName"].count == 3


async def lost_before_it_was_derived(scim: ScimClient) -> str:
    """Let the feed's beginning be deleted before anything was derived, and return the id of a group of three."""
    group = (await scim.new_group("Team", await scim.new_users(3)))["id"]
    await relay(scim.partition)
    await forget_old_events(scim.partition, now=datetime.now(UTC) + timedelta(days=31))
    return str(group)


async def test_a_directory_whose_feed_went_on_without_its_beginning_is_counted_by_a_repair(scim: ScimClient) -> None:
    group = await lost_before_it_was_derived(scim)
    await scim.new_user("later")
    await relay(scim.partition)
    assert [violation.kind for violation in await check_directory(scim.partition)] == ["not_derived"]

    assert (await repair_directory(scim.partition)).left == []

    assert await counts(scim, group) == [3]
    assert await check_directory(scim.partition) == []


async def test_a_derivation_that_finds_its_place_deleted_counts_anew_goes_on_and_says_so(
    scim: ScimClient, caplog: pytest.LogCaptureFixture
) -> None:
    group = await lost_before_it_was_derived(scim)
    await scim.new_user("later")
    await scim.relay()

    assert await counts(scim, group) == [3]
    (line,) = [json.loads(record.message) for record in caplog.records if "derivation_recounted" in record.message]
    assert line == {"event": "derivation_recounted", "directory_id": scim.directory.id, "done": True}
    await scim.patch(f"/Groups/{group}", add_members(*await scim.new_users(2, "new")))
    await scim.relay()

    assert await counts(scim, group) == [5]
    assert await check_directory(scim.partition) == []


async def test_a_sweep_counts_the_directories_that_were_counted_anew(scim: ScimClient) -> None:
    await lost_before_it_was_derived(scim)
    await scim.new_user("later")

    assert (await scim.application.background.sweep()).recounts == 1
    assert (await scim.application.background.sweep()).recounts == 0


async def test_a_feed_of_which_nothing_is_left_is_counted_anew_within_a_day(scim: ScimClient) -> None:
    group = await lost_before_it_was_derived(scim)
    assert [violation.kind for violation in await check_directory(scim.partition)] == ["not_derived"]

    await scim.application.background.forget_what_is_old()

    assert await counts(scim, group) == [3]
    assert await check_directory(scim.partition) == []


async def test_a_mark_beyond_a_feed_that_began_anew_is_set_to_its_end(scim: ScimClient) -> None:
    group = (await scim.new_group("Team", await scim.new_users(3)))["id"]
    await scim.relay()
    mark = await scim.partition.read(keys.DERIVED)
    assert mark is not None
    await scim.partition.commit([merge(keys.DERIVED, {"number": Int64(77)})])
    assert [violation.kind for violation in await check_directory(scim.partition)] == ["not_derived"]

    await scim.application.background.forget_what_is_old()

    assert await counts(scim, group) == [3]
    assert await check_directory(scim.partition) == []


async def test_histories_that_stand_there_already_do_not_stop_the_derivation(scim: ScimClient) -> None:
    user = (await scim.new_user("anna"))["id"]
    await relay(scim.partition)
    place = keys.history(user, 1, 1)
    await scim.partition.commit([insert(place, history_values("2026-01-01T00:00:00.000Z", []))])

    await scim.relay()
    await scim.patch(f"/Users/{user}", {"op": "replace", "path": "title", "value": "Boss"})
    await scim.relay()

    assert [kind for kind, _ in await told(scim, user)] == ["user.updated"]
    assert await check_directory(scim.partition) == []


async def test_retention_keeps_what_is_not_derived_yet_for_twice_as_long(scim: ScimClient) -> None:
    await scim.new_users(2)
    await scim.relay()
    await scim.new_users(3, "later")
    await relay(scim.partition)
    now = datetime.now(UTC)

    assert await forget_old_events(scim.partition, now=now + timedelta(days=RETENTION_DAYS, minutes=1)) == 2
    assert await forget_old_events(scim.partition, now=now + timedelta(days=UNDERIVED_DAYS - 1)) == 0
    assert await forget_old_events(scim.partition, now=now + timedelta(days=UNDERIVED_DAYS, minutes=1)) == 3


async def test_old_history_is_forgotten(scim: ScimClient) -> None:
    user = (await scim.new_user("anna"))["id"]
    await scim.relay()
    now = datetime.now(UTC)

    assert await forget_old_history(scim.partition, now - timedelta(minutes=1)) == 0
    assert await forget_old_history(scim.partition, now + timedelta(minutes=1)) == 1
    assert await told(scim, user) == []

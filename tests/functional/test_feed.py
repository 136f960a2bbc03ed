"""The feed: one order, numbers without gap, cursors, retention, and relays that meet."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scim.adapters.tables.directory_index import read_index
from scim.adapters.tables.feed import RETENTION_DAYS, forget_old_events, read_feed
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.relay import relay
from scim.adapters.tables.table import Table
from scim.composed_stores import RESOURCES_TABLE
from scim.events.feed import CursorExpiredError, FeedCursor
from scim.resources.errors import StorageUnavailableError
from tests.fakes.memory_table import MemoryTable, fail_at, lose_answer_of
from tests.fakes.slow_table import SlowTable
from tests.service import ScimClient, add_members, group, remove_members

Events = list[tuple[FeedCursor, dict[str, Any]]]


async def feed(partition: Partition, after: FeedCursor = FeedCursor(), limit: int = 1000) -> Events:  # noqa: B008
    """Return the events behind a cursor, read page by page."""
    found: Events = []
    while True:
        page = await read_feed(partition, after, limit)
        found += page.events
        after = page.events[-1][0] if page.events else after
        if not page.has_more:
            return found


async def some_changes(scim: ScimClient) -> None:
    """Make changes, some of which make several events."""
    ids = await scim.new_users(4)
    path = f"/Groups/{(await scim.new_group('Team', ids))['id']}"
    await scim.patch(path, remove_members(ids[0], ids[1]))
    await scim.patch(f"/Users/{ids[0]}", {"op": "add", "value": {"title": "Boss", "active": False}})
    await scim.delete(f"/Users/{ids[2]}")
    await scim.delete(path)


@pytest.mark.parametrize("storage_kind", ["memory", "azurite"])
@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
async def test_pages_give_every_event_once_in_the_order_of_the_changes(scim: ScimClient, limit: int) -> None:
    await some_changes(scim)

    listed = await feed(scim.partition, limit=limit)

    assert [event["type"] for _, event in listed] == [
        *["user.created"] * 4,
        "group.created",
        *["group.user_added"] * 4,
        *["group.user_removed"] * 2,
        "user.updated",
        "user.deactivated",
        "group.user_removed",
        "user.deleted",
        "group.deleted",
    ]
    assert len({event["id"] for _, event in listed}) == len(listed)
    for number, (cursor, _) in enumerate(listed):
        assert await feed(scim.partition, cursor, limit) == listed[number + 1 :]


async def test_numbers_have_no_gap_and_the_outbox_is_empty_behind_the_relay(
    scim: ScimClient, rows: MemoryTable
) -> None:
    await some_changes(scim)

    await scim.relay()

    stored = rows.rows(scim.directory.id)
    assert [key for key in stored if key.startswith("f|")] == [f"f|{number:020d}" for number in range(1, 10)]
    assert not any(key.startswith("e|") for key in stored)


async def test_the_counts_behind_the_relay_are_those_before_it(scim: ScimClient) -> None:
    await some_changes(scim)
    before = (await read_index(scim.partition)).current_counts()

    await scim.relay()
    after = await read_index(scim.partition)

    assert before == after.current_counts() == {"users": 3, "active": 2, "groups": 0}
    assert [after.counted(name) for name in ("users", "active", "groups")] == [3, 2, 0]


@pytest.mark.parametrize("seed", range(5))
async def test_relays_and_writers_at_once_lose_and_repeat_nothing(
    scim: ScimClient, rows: MemoryTable, seed: int
) -> None:
    random.seed(seed)
    table: Table = SlowTable(rows)
    scim.application.account.tables[RESOURCES_TABLE] = table  # type: ignore[attr-defined]
    slow = scim.partition
    path = f"/Groups/{(await scim.new_group('Team'))['id']}"

    async def life(number: int) -> None:
        user_id = (await scim.new_user(f"user {number}"))["id"]
        await scim.patch(path, add_members(user_id))
        await scim.patch(f"/Users/{user_id}", {"op": "replace", "path": "active", "value": False})
        await scim.delete(f"/Users/{user_id}")

    async def relay_often() -> None:
        for _ in range(12):
            await relay(slow)

    await asyncio.gather(*(life(number) for number in range(20)), *(relay_often() for _ in range(3)))
    listed = await feed(slow)

    assert Counter(event["type"] for _, event in listed) == {
        "group.created": 1,
        **dict.fromkeys(
            ("user.created", "group.user_added", "user.deactivated", "group.user_removed", "user.deleted"), 20
        ),
    }
    assert len({event["id"] for _, event in listed}) == len(listed)
    numbers = {cursor.number for cursor, _ in listed}
    assert numbers == set(range(1, max(numbers) + 1))
    for number in range(20):
        assert _life_of(f"user {number}", listed) == [
            "user.created",
            "group.user_added",
            "user.deactivated",
            "group.user_removed",
            "user.deleted",
        ]
    assert (await read_index(slow)).current_counts() == {"users": 0, "active": 0, "groups": 1}


def _life_of(user_name: str, listed: Events) -> list[str]:
    """Return the types of a user's events in the order of the feed."""
    all_of_them = [event for _, event in listed]
    user_id = next(
        event["data"]["resource"]["id"]
        for event in all_of_them
        if event["data"].get("resource", {}).get("userName") == user_name
    )
    return [
        event["type"]
        for event in all_of_them
        if user_id in (event["data"].get("user_id"), event["data"].get("resource", {}).get("id"))
    ]


@pytest.mark.parametrize("number", range(4))
async def test_a_relay_that_breaks_off_is_taken_up_by_the_next(
    scim: ScimClient, rows: MemoryTable, number: int
) -> None:
    await scim.new_users(100)
    rows.before = fail_at(number)

    with pytest.raises(StorageUnavailableError):
        await relay(scim.partition)
    rows.before = None

    listed = await feed(scim.partition)
    assert len(listed) == len({event["id"] for _, event in listed}) == 100
    assert (await read_index(scim.partition)).counted("users") == 100


async def test_a_relay_whose_answer_is_lost_moves_nothing_twice(scim: ScimClient, rows: MemoryTable) -> None:
    await scim.new_users(10)
    rows.after = lose_answer_of("commit")

    with pytest.raises(StorageUnavailableError):
        await relay(scim.partition)

    listed = await feed(scim.partition)
    assert [cursor.number for cursor, _ in listed] == list(range(1, 11))


async def test_rows_of_any_size_are_relayed_within_the_limits_of_a_transaction(scim: ScimClient) -> None:
    for number in range(12):
        await scim.new_user(f"user {number}", title="é" * 120_000)

    listed = await feed(scim.partition, limit=5)

    assert [cursor.number for cursor, _ in listed] == list(range(1, 13))


async def test_events_are_deleted_behind_the_retention_and_old_cursors_say_so(scim: ScimClient) -> None:
    await some_changes(scim)
    old = await feed(scim.partition)
    later = datetime.now(UTC) + timedelta(days=RETENTION_DAYS, minutes=1)

    assert await forget_old_events(scim.partition, now=later - timedelta(hours=1)) == 0
    assert await forget_old_events(scim.partition, now=later) == 9
    await scim.new_user("new")

    (new,) = await feed(scim.partition, old[-1][0])
    assert (new[0], new[1]["type"]) == (FeedCursor(10, 0), "user.created")
    for cursor, _ in old[:-1]:
        with pytest.raises(CursorExpiredError):
            await feed(scim.partition, cursor)
    assert await feed(scim.partition) == [new]
    assert await feed(scim.partition, new[0]) == []


async def test_a_cursor_of_another_feed_is_refused(scim: ScimClient) -> None:
    await scim.new_user("anna")

    for cursor in (FeedCursor(2, 0), FeedCursor(7, 3)):
        with pytest.raises(CursorExpiredError):
            await feed(scim.partition, cursor)


async def test_an_empty_feed_has_no_events_and_no_end(scim: ScimClient) -> None:
    page = await read_feed(scim.partition, FeedCursor(), 10)

    assert (list(page.events), page.has_more) == ([], False)


async def test_the_sweep_relays_every_directory_and_goes_on_behind_one_that_fails(
    scim: ScimClient, rows: MemoryTable
) -> None:
    service = scim.application
    organization = await service.directories.create_organization("Others")
    others = [
        (await service.directories.create_directory(organization.id, name=name, provider="entra_id")).directory
        for name in ("second", "third")
    ]
    for directory in (scim.directory, *others):
        store = service.resources_of(directory)
        await store.create_user({"schemas": [], "id": f"usr_{directory.id[4:]}", "userName": "anna"}, _operation())
    rows.before = lambda request: RuntimeError("a defect") if request.partition == others[0].id else None

    await service.background.sweep()
    rows.before = None

    relayed = [
        [key for key in rows.rows(directory.id) if key.startswith("f|")] for directory in (scim.directory, *others)
    ]
    assert [len(keys) for keys in relayed] == [1, 0, 1]


def _operation() -> Any:
    from scim.resources.identifiers import begin_operation

    return begin_operation()


async def test_a_group_left_half_made_is_cleared_without_a_word(scim: ScimClient, rows: MemoryTable) -> None:
    ids = await scim.new_users(40)
    before = len(await feed(scim.partition))
    rows.before = _fail_third_commit()

    refused = await scim.post("/Groups", group("Team", ids))
    rows.before = None
    again = await scim.post("/Groups", group("Team", ids))

    assert (refused.status, again.status) == (503, 201)
    listed = (await feed(scim.partition))[before:]
    assert [event["type"] for _, event in listed] == ["group.created", *["group.user_added"] * 40]
    assert {event["data"].get("group_id", again.json["id"]) for _, event in listed} == {again.json["id"]}


def _fail_third_commit() -> Any:
    commits = iter(range(10))

    def fault(request: Any) -> Exception | None:
        if request.operation != "commit" or next(commits) < 2:
            return None
        return StorageUnavailableError("storage is down")

    return fault

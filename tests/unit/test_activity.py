"""What directories are asked: counted once a minute, each signal stored once, nothing on the way of a request."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scim.adapters.tables.activity_rows import TableActivityStore
from scim.adapters.tables.table import insert
from scim.directories.activity import DirectoryActivity
from scim.directories.bearer_token import TokenMistake
from scim.directories.directory import Directory
from scim.provisioning.activity_recorder import ActivityRecorder
from scim.provisioning.authentication import AuthenticationFailedException
from scim.provisioning.outcome import Outcome
from tests.fakes.memory_table import MemoryTable, fail_at

START = datetime(2026, 1, 31, 12, 31, tzinfo=UTC)
DIRECTORY = Directory("dir_" + "0" * 32, "org_" + "0" * 32, "entra_id", "Entra", "active", START, START)


@dataclass(slots=True)
class Process:
    """A process that records, over a table that others may share."""

    table: MemoryTable = field(default_factory=MemoryTable)
    time: datetime = START
    recorder: Any = None
    store: Any = None

    def __post_init__(self) -> None:
        self.store = TableActivityStore(self.table)
        self.recorder = ActivityRecorder(self.store, now=lambda: self.time)

    async def open(self) -> Process:
        """Make the directory's row."""
        await self.table.commit(DIRECTORY.id, [insert("directory", {"status": "active"})])
        self.table.requests.clear()
        return self

    async def see(self, status: int = 200, *, error: Exception | None = None, **outcome: Any) -> None:
        """Let a request end so, and store what is waiting."""
        self.recorder.observe(Outcome(DIRECTORY, "GET", "read", "User", status, error=error, **outcome))
        await self.recorder.close()

    async def activity(self) -> DirectoryActivity:
        found: DirectoryActivity = await TableActivityStore(self.table).activity(DIRECTORY.id, self.time)
        return found


def refused(mistake: TokenMistake) -> Exception:
    return AuthenticationFailedException(mistake, DIRECTORY)


async def test_requests_failures_and_times_are_counted() -> None:
    process = await Process().open()
    await process.see(changed=True)
    process.time += timedelta(minutes=2)
    await process.see(409, error=ValueError())
    process.time += timedelta(minutes=1)
    await process.see(404, error=ValueError())

    activity = await process.activity()

    (load,) = activity.loads
    assert (load.requests, load.failures, load.first, load.last) == (3, 1, START, process.time)
    assert (activity.last.request, activity.last.success) == (process.time, process.time)
    assert activity.last.change == START


async def test_processes_count_side_by_side() -> None:
    first = await Process().open()
    second = Process(first.table)
    for process in (first, second, first):
        await process.see()

    activity = await first.activity()

    assert sorted(load.requests for load in activity.loads) == [1, 2]


async def test_many_requests_cost_a_write_a_minute() -> None:
    process = await Process().open()
    for _ in range(1_000):
        process.recorder.observe(Outcome(DIRECTORY, "GET", "read", "User", 200))
    await process.recorder.close()
    first = len(process.table.requests)
    await process.recorder._store_loads()
    process.recorder.observe(Outcome(DIRECTORY, "GET", "read", "User", 200))
    await process.recorder._store_loads()

    assert len(process.table.requests) == first <= 10
    assert (await process.activity()).loads[0].requests == 1_000

    process.time += timedelta(seconds=61)
    await process.recorder._store_loads()

    assert (await process.activity()).loads[0].requests == 1_001


async def test_ten_minutes_that_end_lose_no_count() -> None:
    process = await Process().open()
    process.recorder.observe(Outcome(DIRECTORY, "GET", "read", "User", 200))
    process.time += timedelta(minutes=10)
    await process.see()

    assert [load.requests for load in (await process.activity()).loads] == [1, 1]


async def test_a_signal_keeps_its_first_time_and_costs_nothing_afterwards() -> None:
    process = await Process().open()
    await process.see(signals={"user_created": "usr_1"})
    process.time += timedelta(minutes=1)
    await Process(process.table, process.time).see(signals={"user_created": "usr_2"})
    process.table.requests.clear()
    process.recorder.observe(Outcome(DIRECTORY, "POST", "create", "User", 201, signals={"user_created": "usr_3"}))
    await process.recorder._storing_signals.close()

    assert process.table.requests == []
    seen = (await process.activity()).seen
    assert (seen["user_created"].time, seen["user_created"].resource_id) == (START, "usr_1")
    assert seen.keys() == {"user_created", "authenticated"}


async def test_wrong_tokens_count_nowhere_but_old_ones_are_remembered() -> None:
    process = await Process().open()
    for mistake in (TokenMistake.EMPTY, TokenMistake.UNRECOGNISED, TokenMistake.CUT_OFF):
        await process.see(401, error=refused(mistake))
    assert await process.activity() == DirectoryActivity([])

    await process.see(401, error=refused(TokenMistake.EXPIRED))

    activity = await process.activity()
    assert (activity.last.old_token, activity.last.request, activity.seen) == (START, None, {})


async def test_a_second_burst_after_40_minutes_is_a_cycle() -> None:
    process = await Process().open()
    await process.see()
    process.time += timedelta(minutes=40)
    assert "cycle_seen" not in (await process.activity()).seen

    await Process(process.table, process.time).see()

    assert (await process.activity()).seen["cycle_seen"].time == process.time


async def test_an_outage_is_logged_and_what_it_hid_is_stored_later(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    process = await Process().open()
    process.table.before = fail_at(0, 1)
    await process.see(signals={"user_created": ""})
    assert "was not stored" in caplog.text
    await process.see(signals={"user_created": ""})
    await process.see(signals={"user_created": ""})

    activity = await process.activity()

    assert activity.loads[0].requests == 3
    assert "user_created" in activity.seen


async def test_nothing_is_stored_for_a_directory_that_was_deleted() -> None:
    process = Process()
    await process.see(signals={"user_created": ""})

    assert process.table.partitions() == []


async def test_old_loads_are_deleted_and_the_last_times_stay() -> None:
    process = await Process().open()
    await process.see()
    process.time += timedelta(days=3)

    assert await process.store.forget(DIRECTORY.id, process.time) == 1

    assert (await process.activity()).last.request == START

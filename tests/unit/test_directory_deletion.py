"""Deleting a directory, with a crash between any two steps, and with others who write meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from scim.adapters.tables.directory_removal import TableDirectoryRows
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.resource_store import TableResourceStore
from scim.adapters.tables.service_time import ServiceTime
from scim.adapters.tables.table import insert
from scim.directories.deletion import QUIET, DirectoryDeletion
from scim.directories.directory import Directory
from scim.directories.errors import DirectoryDeletingError, DirectoryNotFoundError
from scim.events.feed import FeedCursor
from scim.resources.identifiers import begin_operation, new_resource_id
from tests.fakes.crashing import CrashError, Crashing
from tests.fakes.memory_table import MemoryTable
from tests.tokens import TokenWorld

MOST_STEPS = 12


@dataclass(slots=True)
class World(TokenWorld):
    """The world of tokens, with resources."""

    resources: MemoryTable = field(default_factory=MemoryTable)
    log: MemoryTable = field(default_factory=MemoryTable)
    asked: list[str] = field(default_factory=list)

    def deletion(self, steps: Iterator[int] | None = None, at: int = -1, *, after: bool = False) -> DirectoryDeletion:
        def part(inner: Any) -> Any:
            return inner if steps is None else Crashing(inner, steps, at, after)

        rows = TableDirectoryRows(lambda _: [part(self.resources), part(self.log)])
        stores = (part(self.store), part(self.secrets), part(self.feed))
        clock = ServiceTime(self.table)
        return DirectoryDeletion(*stores, rows, ask=self.asked.append, now=lambda: self.time, service_time=clock)

    async def begun(self, directory_id: str) -> Directory:
        """Return a directory whose deletion began so long ago that nobody writes into it any more."""
        await self.deletion().begin(directory_id)
        self.pass_(seconds=QUIET.total_seconds())
        return await self.directory(directory_id)

    async def filled(self, users: int = 3) -> tuple[Directory, str]:
        directory_id, token = await self.new_directory()
        for _ in range(users):
            await self.write(directory_id)
        await self.log.commit(directory_id, [insert("0", {})])
        return await self.directory(directory_id), token

    async def write(self, directory_id: str) -> None:
        store = TableResourceStore(Partition(self.resources, directory_id, "org_1"), lambda _: None)
        user_id = new_resource_id("User")
        await store.create_user({"schemas": [], "id": user_id, "userName": user_id}, begin_operation())

    async def proceed(self, directory_id: str) -> None:
        """Do what queue and sweep do."""
        directory = await self.store.directory(directory_id)
        if directory is not None:
            await self.deletion().proceed(directory)
        self.pass_(seconds=QUIET.total_seconds())
        for reference in (await self.store.list_directories()).references:
            if await self.store.directory(reference.directory_id) is None:
                await self.store.discard_reference(reference)

    async def told(self, directory: Directory) -> list[str]:
        page = await self.feed.read(directory.organization_id, FeedCursor(), 100)
        return [event["type"] for _, event in page.events if event["directory_id"] == directory.id]

    async def assert_gone(self, directory: Directory) -> None:
        assert await self.store.directory(directory.id) is None
        assert self.resources.partitions() == self.log.partitions() == []
        assert await self.secrets.list_versions(directory.secret_name) == []
        left = {part: [key for key in self.table.rows(part) if directory.id in key] for part in self.table.partitions()}
        assert {key: dict(row.values) for key, row in self.table.rows(directory.id).items()} == {
            "directory": {"status": "deleted"}
        }
        assert not any(left.values())
        assert (await self.told(directory))[-1] == "directory.deleted"
        assert (await self.told(directory)).count("directory.deleted") == 1


@pytest.fixture(name="world")
def _world() -> World:
    return World()


async def test_a_deleted_directory_is_refused_at_once_and_nothing_of_it_is_left(world: World) -> None:
    directory, token = await world.filled()
    begun = await world.deletion().begin(directory.id)

    assert (begun.status, world.asked) == ("deleting", [directory.id])
    assert not await world.accepts(directory.id, token)
    await world.proceed(directory.id)
    assert world.resources.partitions() == []
    assert await world.secrets.list_versions(directory.secret_name) == []
    read = await world.directory(directory.id)
    assert read.deletion is not None
    assert read.deletion.removed == 3 * 4 + 1
    await world.proceed(directory.id)

    await world.assert_gone(directory)


async def test_what_is_written_while_processes_still_know_the_directory_goes_too(world: World) -> None:
    directory, _ = await world.filled()
    await world.deletion().begin(directory.id)
    await world.proceed(directory.id)
    await world.write(directory.id)

    await world.proceed(directory.id)

    await world.assert_gone(directory)


async def test_a_machine_whose_clock_is_days_ahead_ends_no_deletion_early(world: World) -> None:
    directory, _ = await world.filled()
    await world.deletion().begin(directory.id)
    world.time += timedelta(days=3)

    await world.deletion().proceed(await world.directory(directory.id))

    assert (await world.directory(directory.id)).status == "deleting"


async def test_a_deletion_waits_from_its_last_sign_of_life_on(world: World) -> None:
    directory, _ = await world.filled()
    begun = await world.begun(directory.id)
    await world.deletion().proceed(begun)
    await world.assert_gone(directory)

    other, _ = await world.filled()
    await world.deletion().begin(other.id)
    world.pass_(seconds=QUIET.total_seconds() - 30)
    await world.deletion().proceed(await world.directory(other.id))

    assert (await world.directory(other.id)).status == "deleting"


async def test_a_deleted_directory_takes_no_change(world: World) -> None:
    directory, _ = await world.filled(0)
    await world.deletion().begin(directory.id)

    with pytest.raises(DirectoryDeletingError):
        await world.directories().update_directory(directory.id, name="Other")
    with pytest.raises(DirectoryDeletingError):
        await world.directories().set_status(directory.id, "active")
    with pytest.raises(DirectoryDeletingError):
        await world.tokens().rotate(directory.id)
    with pytest.raises(DirectoryDeletingError):
        await world.tokens().revoke_all(directory.id)
    await world.watcher().watch()


async def test_deleting_again_changes_nothing_and_deleting_what_is_gone_says_so(world: World) -> None:
    directory, _ = await world.filled(0)
    begun = await world.begun(directory.id)

    assert await world.deletion().begin(directory.id) == begun
    await world.proceed(directory.id)
    with pytest.raises(DirectoryNotFoundError):
        await world.deletion().begin(directory.id)


async def test_what_was_not_told_is_told_before_the_end(world: World) -> None:
    directory, _ = await world.filled(0)
    world.events.failure = RuntimeError("feed is down")
    await world.tokens().rotate(directory.id)
    await world.begun(directory.id)
    await world.proceed(directory.id)

    assert await world.told(directory) == ["directory.created", "token.rotated", "directory.deleted"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(MOST_STEPS))
async def test_a_crash_between_any_two_steps_is_made_up_for(world: World, at: int, after: bool) -> None:
    directory, token = await world.filled()
    steps = count()
    try:
        begun = await world.deletion(steps, at, after=after).begin(directory.id)
    except CrashError:
        begun = await world.deletion().begin(directory.id)
    assert not await world.accepts(directory.id, token)
    world.pass_(seconds=QUIET.total_seconds())
    begun = await world.directory(directory.id)
    try:
        await world.deletion(steps, at, after=after).proceed(begun)
    except CrashError:
        await world.proceed(directory.id)
    await world.proceed(directory.id)

    await world.assert_gone(directory)


def test_the_crashes_are_at_every_step() -> None:
    async def steps() -> int:
        world, counted = World(), count()
        directory, _ = await world.filled()
        begun = await world.deletion(counted).begin(directory.id)
        world.pass_(minutes=5)
        await world.deletion(counted).proceed(begun)
        return next(counted)

    assert asyncio.run(steps()) <= MOST_STEPS


@pytest.mark.parametrize("kind", ["before", "after"])
@pytest.mark.parametrize("number", range(8))
async def test_the_last_rows_go_although_the_process_ends_among_them(world: World, number: int, kind: str) -> None:
    directory, _ = await world.filled(0)
    begun = await world.begun(directory.id)
    await ServiceTime(world.table)()
    requests = count()
    start = 6  # the time, progress, and the event

    def crash(_: Any) -> Exception | None:
        return CrashError() if next(requests) >= start + number else None

    setattr(world.table, kind, crash)
    with suppress(CrashError):
        await world.deletion().proceed(begun)
    setattr(world.table, kind, None)
    await world.proceed(directory.id)
    await world.proceed(directory.id)

    await world.assert_gone(directory)


async def test_several_machines_delete_at_once(world: World) -> None:
    directory, _ = await world.filled(300)
    begun = await world.begun(directory.id)

    await asyncio.gather(*(world.deletion().proceed(begun) for _ in range(4)), return_exceptions=True)
    await world.proceed(directory.id)

    await world.assert_gone(directory)


async def test_a_deletion_that_runs_out_of_time_asks_to_be_taken_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, _ = await world.filled(300)
    begun = await world.begun(directory.id)
    monkeypatch.setattr("scim.adapters.tables.removal.SECONDS_KEPT", 60.0)

    await world.deletion().proceed(begun)

    read = await world.directory(directory.id)
    assert read.deletion is not None
    assert read.deletion.removed == 1000
    assert world.asked == [directory.id] * 2

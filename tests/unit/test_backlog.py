"""A backlog of any length goes into the feed in the order of its commits, at a cost in proportion to its length."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import pytest

from scim.adapters.tables import keys
from scim.adapters.tables.backlog import in_order
from scim.adapters.tables.outbox import Tally, outbox_insert
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.relay import relay
from scim.adapters.tables.table import Row, RowPage
from scim.resources.identifiers import Operation
from tests.fakes.memory_table import MemoryTable
from tests.fakes.slow_table import SlowTable


@dataclass(slots=True)
class Writer:
    """Commits changes under ids of machines whose clocks differ, and knows in which order it did."""

    table: MemoryTable
    random: Random
    committed: list[str] = field(default_factory=list)

    @property
    def partition(self) -> Partition:
        return Partition(self.table, "dir_1", "org_1")

    async def write(self, count: int) -> None:
        """Commit changes, ids of neighbours being as far apart as 300 changes of a well-behaved clock."""
        for _ in range(count):
            moment = len(self.committed) + self.random.randrange(300)
            operation = Operation(f"{moment:016x}{self.random.getrandbits(64):016x}", "2026-11-24T10:00:00.000Z")
            await self.partition.commit([outbox_insert(self.partition, operation, [], Tally())])
            self.committed.append(operation.id)

    def relayed(self) -> list[str]:
        """Return the operations of the feed in the order of their numbers, which must have no gap."""
        feed = [row for key, row in self.table.rows("dir_1").items() if key.startswith("f|")]
        assert [row.key for row in feed] == [keys.feed(number) for number in range(1, len(feed) + 1)]
        return [str(row.values["operation"]) for row in feed]


@dataclass(frozen=True, slots=True)
class BusyTable(SlowTable):
    """A table on which somebody commits between any two pages that are read."""

    writer: Writer

    async def query(
        self,
        partition: str,
        first: str,
        end: str,
        *,
        select: Sequence[str] = (),
        limit: int = 1000,
        continuation: Mapping[str, str] | None = None,
    ) -> RowPage:
        page = await self.table.query(partition, first, end, select=select, limit=limit, continuation=continuation)
        await self.writer.write(2)
        return page


@pytest.mark.parametrize("empty_pages", [0, 1])
@pytest.mark.parametrize("page_size", [1, 3, 100, 1000])
async def test_changes_are_numbered_in_the_order_of_their_commits_whatever_clocks_say(
    page_size: int, empty_pages: int
) -> None:
    writer = Writer(MemoryTable(page_size=page_size, empty_pages=empty_pages), Random(page_size))
    await writer.write(450)

    assert await relay(writer.partition) == 450

    assert writer.relayed() == writer.committed


@pytest.mark.parametrize("seed", range(5))
async def test_what_is_committed_between_two_pages_overtakes_nothing(seed: int) -> None:
    table = MemoryTable(page_size=20)
    writer = Writer(table, Random(seed))
    busy = Partition(BusyTable(table, writer), "dir_1", "org_1")
    await writer.write(200)

    for _ in range(3):
        await relay(busy)
        assert writer.relayed() == writer.committed[: len(writer.relayed())]
    await relay(writer.partition)

    assert writer.relayed() == writer.committed


async def test_a_relay_ends_while_others_go_on_writing() -> None:
    for page_size in (10, 1000):
        table = MemoryTable(page_size=page_size)
        writer = Writer(table, Random(1))
        await writer.write(50)

        moved = await asyncio.wait_for(relay(Partition(BusyTable(table, writer), "dir_1", "org_1")), 10)

        assert 50 <= moved < len(writer.committed)


@pytest.mark.parametrize("page_size", [30, 1000])
async def test_relays_that_meet_on_a_long_backlog_number_each_change_once(page_size: int) -> None:
    table = MemoryTable(page_size=page_size)
    writer = Writer(table, Random(2))
    await writer.write(400)
    partitions = [Partition(SlowTable(table), "dir_1", "org_1") for _ in range(3)]

    await asyncio.gather(*(relay(partition) for partition in partitions))

    assert writer.relayed() == writer.committed


async def test_the_cost_of_a_backlog_grows_with_its_length_and_no_faster() -> None:
    requests = []
    for length in (1000, 2000, 4000):
        table = MemoryTable()
        writer = Writer(table, Random(3))
        await writer.write(length)
        table.requests.clear()
        await relay(writer.partition)
        requests.append(len(table.requests) / length)

    assert max(requests) <= 0.035
    assert requests[2] <= requests[1]


def test_a_timestamp_that_ends_in_zeros_sorts_in_its_place() -> None:
    moments = ["10:00:00Z", "10:00:00.2Z", "10:00:00.2000001Z", "10:00:00.21Z", "10:00:01Z"]
    rows = [Row(f"e|{9 - at}", "", {}, f"2026-11-24T{moment}") for at, moment in enumerate(moments)]

    assert in_order(rows[::-1]) == rows

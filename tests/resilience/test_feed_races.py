"""Readers of the feed and relays that overtake each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from scim.adapters.tables.feed import read_feed
from scim.adapters.tables.outbox import Tally, outbox_insert
from scim.adapters.tables.relay import relay
from scim.adapters.tables.table import Row
from scim.events.feed import FeedCursor
from scim.resources.identifiers import begin_operation
from tests.directories import FilledDirectory
from tests.fakes.slow_table import SlowTable


@dataclass(frozen=True, slots=True)
class OvertakenTable(SlowTable):
    """Lets others do something right before the first read of one row."""

    overtake: Callable[[], Awaitable[object]]

    async def read(self, partition: str, key: str, *, select: Sequence[str] = ()) -> Row | None:
        await self.overtake()
        return await self.table.read(partition, key, select=select)


async def test_a_reader_gets_past_changes_without_events() -> None:
    directory = FilledDirectory()
    for _ in range(3):
        await directory.partition.commit([outbox_insert(directory.partition, begin_operation(), [], Tally())])
    await directory.user("anna")

    page = await read_feed(directory.partition, FeedCursor(), 1)

    assert [(cursor, event["type"]) for cursor, event in page.events] == [(FeedCursor(4), "user.created")]
    assert not page.has_more


async def test_a_cursor_at_the_end_stays_good_while_another_relay_goes_on_behind_it() -> None:
    directory = FilledDirectory()
    await directory.user("anna")
    end = (await read_feed(directory.partition, FeedCursor(), 10)).events[-1][0]

    async def overtake() -> None:
        if end.number == len(directory.keys("f|")):
            await directory.user("ben")
            await relay(directory.partition)

    overtaken = replace(directory.partition, table=OvertakenTable(directory.table, overtake))

    assert list((await read_feed(overtaken, end, 10)).events) == []
    (new,) = (await read_feed(directory.partition, end, 10)).events
    assert (new[0], new[1]["type"]) == (FeedCursor(2), "user.created")

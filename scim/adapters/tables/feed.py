"""The feed: a directory's events in their one order, each with a number and an index in its row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from scim.adapters.tables import keys
from scim.adapters.tables.directory_index import DirectoryIndex
from scim.adapters.tables.generation import require_generation
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.readable_events import GAP, events_in
from scim.adapters.tables.relay import relay_to_end
from scim.adapters.tables.service_time import touched
from scim.adapters.tables.table import Row, TransactionRefusedError, delete
from scim.events.feed import NO_FEED_YET, CursorExpiredError, FeedCursor, FeedPage, FeedWindow

RETENTION_DAYS = 30
UNDERIVED_DAYS = 2 * RETENTION_DAYS
"""So long rows wait for what follows from them; then it is counted anew, rather than that a feed is kept for ever."""
_DELETED_AT_ONCE = 100


async def read_feed(partition: Partition, after: FeedCursor, limit: int) -> FeedPage:
    """Return up to ``limit`` events behind a cursor, oldest first; what the outbox holds is relayed first.

    :raises CursorExpiredError: When events behind the cursor were deleted after 30 days, or while they were read, or
        when the cursor is of another generation.
    """
    index = (await relay_to_end(partition)).index
    require_generation(after, index.generation, is_renewed=index.is_renewed)
    wanted = after.number if after.index else after.number + 1
    expected = None if after.is_start else wanted
    events: list[tuple[FeedCursor, dict[str, Any]]] = []
    # Rows without events exist: what has no event to tell is numbered all the same.
    async for row in partition.rows((keys.feed(wanted), keys.FEED_END), page_size=min(1000, limit + 1)):
        number = int(keys.last_id(row.key))
        if expected is not None and number != expected:
            if not after.is_start:
                raise CursorExpiredError
            events = []  # What came before was deleted while it was read: what is kept begins here.
        expected = number + 1
        told = events_in(row, partition.organization_id, partition.directory_id)
        events += _events_behind(after, index.generation, number, told)
        if len(events) > limit:
            break
    if expected == wanted:
        await _require_end(partition, after, wanted)
    return FeedPage(events[:limit], len(events) > limit, _end(index, after, expected, events[:limit]))


def _end(
    index: DirectoryIndex, after: FeedCursor, expected: int | None, events: Sequence[tuple[FeedCursor, dict[str, Any]]]
) -> FeedCursor:
    """Return where to go on: behind the last event, or without any where it was or behind what had none to tell."""
    if events:
        return events[-1][0]
    number = index.number if expected is None else expected - 1
    if number <= after.number and not after.is_start:
        return replace(after, generation=index.generation or after.generation)
    return FeedCursor(number, 0, index.generation or ("" if number else NO_FEED_YET))


def _events_behind(
    after: FeedCursor, generation: str, number: int, listed: Sequence[dict[str, Any]]
) -> list[tuple[FeedCursor, dict[str, Any]]]:
    """Return the events of a row that lie behind a cursor, each with the cursor behind it.

    The last event of a row leads behind the row, so that the next read begins with the next one.
    """
    skipped = after.index if number == after.number else 0
    return [
        (FeedCursor(number, index if index < len(listed) else 0, generation), event)
        for index, event in enumerate(listed, 1)
        if index > skipped
    ]


async def _require_end(partition: Partition, after: FeedCursor, wanted: int) -> None:
    """Accept that nothing was found behind a cursor when it is the feed's end, or was until a moment ago.

    :raises CursorExpiredError: When it was deleted, or the cursor is none of this feed.
    """
    head = await partition.read(keys.HEAD, select=("number",))
    last = int(str(head.values["number"])) if head else 0
    if after.number > last or (wanted <= last and await partition.read(keys.feed(wanted), select=("RowKey",)) is None):
        raise CursorExpiredError


async def read_window(partition: Partition, before: FeedCursor, rows: int) -> FeedWindow:
    """Return the events before a place, newest first, out of so many feed rows. One storage request.

    :raises CursorExpiredError: When the row before the place is not there, though older ones are.
    """
    last = before.number if before.index > 1 else before.number - 1
    first = max(1, last - rows + 1)
    if last < 1:
        return FeedWindow([], None)
    found = await partition.first_rows((keys.feed(first), keys.feed(last + 1)), rows)
    kept = _without_gap(found.rows, last)
    events = [
        (FeedCursor(number, index), event)
        for row in kept
        for number in (int(keys.last_id(row.key)),)
        for index, event in enumerate(events_in(row, partition.organization_id, partition.directory_id), 1)
        if event["type"] != GAP and (number, index) < (before.number, before.index)
    ]
    # Where no row is left, all older ones were deleted after the retention.
    is_whole = bool(kept) and kept[0].key == keys.feed(first)
    return FeedWindow(events[::-1], FeedCursor(first, 1) if first > 1 and is_whole else None)


def _without_gap(rows: Sequence[Row], last: int) -> Sequence[Row]:
    """Return the rows that lead without a gap to the last one; those before a gap are being deleted."""
    if rows and rows[-1].key != keys.feed(last):
        raise CursorExpiredError
    gaps = [at for at, row in enumerate(rows) if row.key != keys.feed(last - len(rows) + 1 + at)]
    return rows[gaps[-1] + 1 :] if gaps else rows


async def number_at(partition: Partition, last: int, moment: datetime) -> int:
    """Return the number of the last feed row up to a time, 0 for none. One storage request for each halving."""
    low, high = 0, last
    while low < high:
        middle = (low + high + 1) // 2
        row = await partition.read(keys.feed(middle), select=("time",))
        # A row that is gone was deleted for its age.
        if row is None or datetime.fromisoformat(str(row.values["time"])) <= moment:
            low = middle
        else:
            high = middle - 1
    return low


async def forget_old_events(partition: Partition, *, now: datetime | None = None) -> int:
    """Delete feed rows older than 30 days and return how many; those that are not derived yet at 60 days only.

    Where nothing was ever derived none is kept for that: all is counted first.

    :param now: The time by storage's clock, where it is known; else it costs two storage requests more.
    """
    now = now or await touched(partition.table, partition.directory_id, keys.HEAD)
    if now is None:
        return 0  # without a head nothing was ever told
    limit = (now - timedelta(days=RETENTION_DAYS)).isoformat()[:23]
    last_limit = (now - timedelta(days=UNDERIVED_DAYS)).isoformat()[:23]
    derived = await _first_not_derived(partition)
    deleted, old = 0, list[Row]()
    async for row in partition.rows((keys.FEED_FIRST, keys.FEED_END), select=("RowKey", "time")):
        if str(row.values["time"])[:23] >= (limit if row.key < derived else last_limit):
            break
        old.append(row)
        if len(old) == _DELETED_AT_ONCE:
            deleted, old = deleted + await _delete(partition, old), []
    return deleted + await _delete(partition, old)


async def _first_not_derived(partition: Partition) -> str:
    """Return the key of the first feed row that was not derived, or one behind all when none ever was."""
    mark = await partition.read(keys.DERIVED, select=("number",))
    return keys.feed(int(str(mark.values["number"])) + 1) if mark else keys.FEED_END


async def _delete(partition: Partition, rows: Sequence[Row]) -> int:
    if not rows:
        return 0
    try:
        await partition.commit([delete(row.key) for row in rows])
    except TransactionRefusedError:
        return 0  # Another machine is deleting the same rows.
    return len(rows)

"""The feed: a directory's events in their one order, each with a number and an index in its row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from scim.adapters.tables import keys
from scim.adapters.tables.outbox import read_events
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.relay import relay
from scim.adapters.tables.table import Row, RowMissingError, delete
from scim.events.feed import CursorExpiredError, FeedCursor, FeedPage

RETENTION_DAYS = 30
_DELETED_AT_ONCE = 100


async def read_feed(partition: Partition, after: FeedCursor, limit: int) -> FeedPage:
    """Return up to ``limit`` events behind a cursor, oldest first; what the outbox holds is relayed first.

    :raises CursorExpiredError: When events behind the cursor were deleted after 30 days.
    """
    await relay(partition)
    first = keys.feed(after.number if after.index else after.number + 1)
    page = await partition.first_rows((first, keys.FEED_END), min(1000, limit + 1))
    await _require_unbroken(partition, after, page.rows)
    events: list[tuple[FeedCursor, dict[str, Any]]] = []
    for row in page.rows:
        number = int(keys.last_id(row.key))
        listed = read_events(row)
        for index, event in enumerate(listed, 1):
            if number > after.number or index > after.index:
                # The last event of a row leads behind the row, so that the next read begins with the next one.
                events.append((FeedCursor(number, index if index < len(listed) else 0), event))
    return FeedPage(events[:limit], has_more=len(events) > limit or page.continuation is not None)


async def _require_unbroken(partition: Partition, after: FeedCursor, rows: Sequence[Row]) -> None:
    wanted = after.number if after.index else after.number + 1
    found = int(keys.last_id(rows[0].key)) if rows else None
    if found == wanted or after == FeedCursor():
        return
    head = await partition.read(keys.HEAD, select=("number",))
    last = int(str(head.values["number"])) if head else 0
    if after.number > last or found is not None or wanted <= last:
        raise CursorExpiredError


async def forget_old_events(partition: Partition, *, now: datetime | None = None) -> int:
    """Delete feed rows older than 30 days and return how many."""
    limit = ((now or datetime.now(UTC)) - timedelta(days=RETENTION_DAYS)).isoformat()[:23]
    deleted, old = 0, list[Row]()
    async for row in partition.rows((keys.FEED_FIRST, keys.FEED_END), select=("RowKey", "time")):
        if str(row.values["time"])[:23] >= limit:
            break
        old.append(row)
        if len(old) == _DELETED_AT_ONCE:
            deleted, old = deleted + await _delete(partition, old), []
    return deleted + await _delete(partition, old)


async def _delete(partition: Partition, rows: Sequence[Row]) -> int:
    if not rows:
        return 0
    try:
        await partition.commit([delete(row.key) for row in rows])
    except RowMissingError:
        return 0  # Another machine is deleting the same rows.
    return len(rows)

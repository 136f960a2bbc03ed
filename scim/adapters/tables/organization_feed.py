"""The feed of an organization: what happens to its directories and their tokens, numbered in one order.

| PartitionKey | RowKey | holds |
|---|---|---|
| organization id | ``o`` | in the organization's row: the number of the last event |
| | ``f|{number}`` | an event |
| | ``told|{event id}`` | that this event has its number, so that telling it again changes nothing |
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from scim.adapters.tables import keys
from scim.adapters.tables.directory_races import outages, read_rows
from scim.adapters.tables.document_rows import joined_text, split_text
from scim.adapters.tables.feed import RETENTION_DAYS
from scim.adapters.tables.organizations import ORGANIZATION
from scim.adapters.tables.removal import delete_rows
from scim.adapters.tables.table import (
    Int64,
    Row,
    RowChangedError,
    RowExistsError,
    RowMissingError,
    Table,
    insert,
    merge,
)
from scim.directories.errors import DirectoryStoreUnavailableError
from scim.directories.organization_events import OrganizationEvent
from scim.events.feed import CursorExpiredError, FeedCursor, FeedPage
from scim.resources.attempts import Attempts


class TableOrganizationFeed:
    """Implements ``OrganizationEvents`` on one table, and reads what it was told."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def tell(self, event: OrganizationEvent) -> None:
        """Give an event the next number, unless it has one. Two storage requests.

        An organization that is gone is told nothing any more.
        """
        async for _ in Attempts():
            with outages():
                row = await self._table.read(event.organization_id, ORGANIZATION)
                if row is None or await self._is_numbered(event, row):
                    return
        raise DirectoryStoreUnavailableError("the organization's feed is being written by others")

    async def read(self, organization_id: str, after: FeedCursor, limit: int) -> FeedPage:
        """Return events behind a number, oldest first. One storage request; one or two more when there are none.

        :raises CursorExpiredError: When events behind it were deleted after 30 days.
        """
        wanted = after.number + 1
        with outages():
            rows = await read_rows(self._table, organization_id, (keys.feed(wanted), keys.FEED_END), limit + 1)
            if after.number and (not rows or _number(rows[0]) != wanted):
                await self._require_end(organization_id, wanted)
        events = [(FeedCursor(_number(row)), json.loads(joined_text(row.values))) for row in rows[:limit]]
        return FeedPage(events, has_more=len(rows) > limit)

    async def forget_old(self, organization_id: str, *, now: datetime | None = None) -> int:
        """Delete events told more than 30 days ago and return how many."""
        limit = ((now or datetime.now(UTC)) - timedelta(days=RETENTION_DAYS)).isoformat()
        with outages():
            rows = await read_rows(self._table, organization_id, (keys.FEED_FIRST, keys.FEED_END))
            old = [row for row in rows if str(row.values["time"]) < limit]
            # The marks first: an event that a crash leaves leads to its mark next time.
            await delete_rows(self._table, organization_id, [_mark(str(row.values["event"])) for row in old])
            await delete_rows(self._table, organization_id, [row.key for row in old])
        return len(old)

    async def _is_numbered(self, event: OrganizationEvent, organization: Row) -> bool:
        number = _last(organization) + 1
        text = json.dumps(event.as_json(), ensure_ascii=False, separators=(",", ":"))
        mark = _mark(event.id)
        writes = [
            insert(mark, {}),
            merge(ORGANIZATION, {"number": Int64(number)}, organization.etag),
            insert(keys.feed(number), {**split_text(text), "event": event.id, "time": datetime.now(UTC).isoformat()}),
        ]
        try:
            await self._table.commit(event.organization_id, writes)
        except RowExistsError as refused:
            return writes[refused.index].key == mark
        except (RowChangedError, RowMissingError):
            return False
        return True

    async def _require_end(self, organization_id: str, wanted: int) -> None:
        organization = await self._table.read(organization_id, ORGANIZATION)
        last = _last(organization) if organization else 0
        if wanted <= last:
            # Told a moment ago, or gone: the row says which.
            row = await self._table.read(organization_id, keys.feed(wanted), select=("time",))
            if row is not None:
                return
        if wanted != last + 1:
            raise CursorExpiredError


def _last(organization: Row) -> int:
    return int(str(organization.values.get("number", 0)))


def _number(row: Row) -> int:
    return int(keys.last_id(row.key))


def _mark(event_id: str) -> str:
    return f"told|{event_id}"

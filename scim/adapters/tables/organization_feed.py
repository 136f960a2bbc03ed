"""The feed of an organization: what happens to its directories and their tokens, numbered in one order.

| PartitionKey | RowKey | holds |
|---|---|---|
| organization id | ``o`` | in the organization's row: the number of the last event, and the feed's generation |
| | ``f|{number}`` | an event, and the generation of the feed |
| | ``told|{event id}`` | that this event has its number, so that telling it again changes nothing |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from scim.adapters.tables import keys
from scim.adapters.tables.directory_races import commit_any_state, outages, read_rows
from scim.adapters.tables.feed import RETENTION_DAYS
from scim.adapters.tables.generation import GENERATION, renewed_generation, require_generation
from scim.adapters.tables.readable_events import event_in
from scim.adapters.tables.removal import delete_rows
from scim.adapters.tables.service_time import touched
from scim.adapters.tables.table import (
    MAX_TRANSACTION_WRITES,
    Int64,
    Row,
    RowChangedError,
    RowExistsError,
    RowMissingError,
    Table,
    TransactionRefusedError,
    Write,
    delete,
    insert,
    merge,
)
from scim.adapters.tables.told_events import AUDIT_FIRST, ORGANIZATION, event_writes, last_number
from scim.directories.errors import DirectoryStoreUnavailableError
from scim.directories.organization_events import OrganizationEvent
from scim.events.feed import NO_FEED_YET, CursorExpiredError, FeedCursor, FeedPage
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

        :raises CursorExpiredError: When events behind it were deleted after 30 days, or while they were read, or when
            the cursor is of another generation.
        """
        wanted = after.number + 1
        with outages():
            rows = await read_rows(self._table, organization_id, (keys.feed(wanted), keys.FEED_END), limit + 1)
            if not rows and after.number:
                await self._require_end(organization_id, after)
        kept = _one_feed(rows, after)
        events = [(_place(row), event_in(row, organization_id)) for row in kept[:limit]]
        unchanged = replace(after, generation=after.generation or ("" if after.number else NO_FEED_YET))
        return FeedPage(events, len(kept) > limit, events[-1][0] if events else unchanged)

    async def renew(self, organization_id: str) -> None:
        """Give the feed a new generation, so that all its readers take everything anew, and end it with its last event.

        For a feed that was put back: a mark of an event that did not come back goes, so that it is told again.
        Two storage requests for each 1,000 events, and one for each 100.
        """
        async for _ in Attempts():
            with outages():
                organization = await self._table.read(organization_id, ORGANIZATION)
                if organization is None:
                    return
                writes = await self._renewal(organization_id, organization)
                try:
                    await self._table.commit(organization_id, writes[:MAX_TRANSACTION_WRITES])
                except TransactionRefusedError:
                    continue  # An event was told, or forgotten, at this moment.
                for start in range(MAX_TRANSACTION_WRITES, len(writes), MAX_TRANSACTION_WRITES):
                    part = writes[start : start + MAX_TRANSACTION_WRITES]
                    await commit_any_state(self._table, organization_id, part)
                return
        raise DirectoryStoreUnavailableError("the organization's feed is being written by others")

    async def _renewal(self, organization_id: str, organization: Row) -> list[Write]:
        """Return what renews a feed; the first write holds while nothing is told."""
        rows = await read_rows(self._table, organization_id, (keys.FEED_FIRST, keys.FEED_END))
        marks = await read_rows(self._table, organization_id, (_mark(""), f"{_mark('')[:-1]}}}"))
        told = {_mark(str(row.values["event"])) for row in rows}
        number = _number(rows[-1]) if rows else last_number(organization)
        columns = renewed_generation()
        generation = {GENERATION: columns[GENERATION]}
        return [
            merge(ORGANIZATION, {"number": Int64(number), **columns}, organization.etag),
            *(merge(row.key, generation) for row in rows),
            *(delete(mark.key) for mark in marks if mark.key not in told),
        ]

    async def forget_old(self, organization_id: str, *, now: datetime | None = None) -> int:
        """Delete events told more than 30 days ago and return how many.

        :param now: The time by storage's clock, where it is known; else it costs two storage requests more.
        """
        with outages():
            now = now or await touched(self._table, organization_id, ORGANIZATION)
            if now is None:
                return 0  # the organization is gone
            limit = (now - timedelta(days=RETENTION_DAYS)).isoformat()
            rows = await read_rows(self._table, organization_id, (keys.FEED_FIRST, keys.FEED_END))
            old = [row for row in rows if str(row.values["time"]) < limit]
            # The marks first: an event that a crash leaves leads to its mark next time.
            await delete_rows(self._table, organization_id, [_mark(str(row.values["event"])) for row in old])
            await delete_rows(self._table, organization_id, [row.key for row in old])
        return len(old)

    async def _is_numbered(self, event: OrganizationEvent, organization: Row) -> bool:
        mark = _mark(event.id)
        writes = [insert(mark, {}), *event_writes([event], organization)]
        try:
            await self._committed(event.organization_id, writes)
        except RowExistsError as refused:
            return writes[refused.index].key == mark
        except (RowChangedError, RowMissingError):
            return False
        return True

    async def _committed(self, organization_id: str, writes: Sequence[Write]) -> None:
        """Commit; the entry of the audit log may have come back from a copy before its event did."""
        try:
            await self._table.commit(organization_id, writes)
        except RowExistsError as refused:
            if not writes[refused.index].key.startswith(AUDIT_FIRST):
                raise
            await self._table.commit(organization_id, [each for each in writes if each is not writes[refused.index]])

    async def _require_end(self, organization_id: str, after: FeedCursor) -> None:
        organization, wanted = await self._table.read(organization_id, ORGANIZATION), after.number + 1
        last = last_number(organization) if organization else 0
        generation = _generation(organization) if organization else ""
        require_generation(after, generation, is_renewed=generation != "")
        if wanted <= last:
            # Told a moment ago, or gone: the row says which.
            row = await self._table.read(organization_id, keys.feed(wanted), select=("time",))
            if row is not None:
                return
        if wanted != last + 1:
            raise CursorExpiredError


def _one_feed(rows: Sequence[Row], after: FeedCursor) -> list[Row]:
    """Return the rows behind a cursor whose numbers follow each other in one generation.

    :raises CursorExpiredError: When the first does not follow the cursor, or a number is missing.
    """
    kept: list[Row] = []
    for row in rows:
        place, before = _place(row), _place(kept[-1]) if kept else after
        if not before.is_start:
            require_generation(before, place.generation, is_renewed=place.generation != "")
            if place.number != before.number + 1:
                if not after.is_start:
                    raise CursorExpiredError
                kept = []  # What came before was deleted while it was read: what is kept begins here.
        kept.append(row)
    return kept


def _place(row: Row) -> FeedCursor:
    return FeedCursor(_number(row), 0, _generation(row))


def _generation(row: Row) -> str:
    return str(row.values.get(GENERATION, ""))


def _number(row: Row) -> int:
    return int(keys.last_id(row.key))


def _mark(event_id: str) -> str:
    return f"told|{event_id}"

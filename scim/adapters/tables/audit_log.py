"""The audit log in table ``directories``: beside what is changed, so that one transaction writes both.

| PartitionKey | RowKey | holds |
|---|---|---|
| organization id | ``a|{inverted microseconds}|{event id}`` | a change of the organization, or of what belongs to it |
| ``organizations`` | the same | that an organization was created or deleted |
| ``keys`` | the same | that an API key for all organizations was made or revoked, or the service's own key rotated |
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from scim.adapters.tables.directory_races import insert_once, outages, read_rows
from scim.adapters.tables.directory_rows import LIST_PARTITION
from scim.adapters.tables.document_rows import joined_text
from scim.adapters.tables.removal import delete_rows
from scim.adapters.tables.table import Row, Table
from scim.adapters.tables.told_events import AUDIT_END, AUDIT_FIRST, KEYS_PARTITION, audit_insert, inverted, moment_of
from scim.directories.actor import UNKNOWN, Actor
from scim.directories.audit_log import EVERY_CHANGE, AuditEntry, AuditFilter, AuditPage
from scim.directories.change_event import ChangeEvent
from scim.directories.organization_events import event_time

OF_SERVICE = (LIST_PARTITION, KEYS_PARTITION)
"""The partitions whose entries concern the whole service."""
_READ_AT_ONCE = 1000

_log = logging.getLogger("scim.storage")


class TableAuditLog:
    """Implements ``AuditLog`` on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def of_organization(
        self, organization_id: str, after: str, limit: int, wanted: AuditFilter = EVERY_CHANGE
    ) -> AuditPage:
        """Return entries of an organization behind a place, newest first. One storage request."""
        return await self._page([organization_id], after, limit, wanted)

    async def of_service(self, after: str, limit: int, wanted: AuditFilter = EVERY_CHANGE) -> AuditPage:
        """Return entries of what concerns the whole service behind a place, newest first. Two storage requests."""
        return await self._page(OF_SERVICE, after, limit, wanted)

    async def add(self, event: ChangeEvent) -> None:
        """Enter what concerns the whole service and no row tells; doing it again changes nothing. One request."""
        with outages():
            await insert_once(self._table, KEYS_PARTITION, audit_insert(event))

    async def forget(self, partition: str, before: datetime) -> int:
        """Delete the entries of a partition that are older, and return how many. One storage request, and 1 for 100."""
        with outages():
            rows = await read_rows(self._table, partition, (f"a|{inverted(before)}", AUDIT_END))
            return await delete_rows(self._table, partition, [row.key for row in rows])

    async def _page(self, partitions: Sequence[str], after: str, limit: int, wanted: AuditFilter) -> AuditPage:
        key_range = (f"{after}!" if after else AUDIT_FIRST, AUDIT_END)
        read = limit + 1 if wanted.is_open else _READ_AT_ONCE
        with outages():
            found = await asyncio.gather(*(read_rows(self._table, each, key_range, read) for each in partitions))
        # Behind the last row of a partition that has more, those of another are for the next page.
        end = min((rows[-1].key for rows in found if len(rows) == read), default="")
        known = sorted((row for rows in found for row in rows if not end or row.key <= end), key=lambda row: row.key)
        accepted = [entry for entry in map(_entry, known) if wanted.accepts(entry)]
        shown = accepted[:limit]
        return AuditPage(shown, shown[-1].place if len(accepted) > limit else end)


def _entry(row: Row) -> AuditEntry:
    """Return the entry of a row; one that cannot be read says so, and hides none of the others."""
    about = str(row.values.get("object_type", "")), str(row.values.get("object_id", ""))
    try:
        event = dict(json.loads(joined_text(row.values)))
        event["actor"] = Actor.from_json(event.get("actor")).to_json()
    except (ValueError, TypeError, AttributeError):
        _log.exception("entry %s of the audit log cannot be read", row.key)
        event = _unreadable(row)
    return AuditEntry(row.key, event, *about)


def _unreadable(row: Row) -> dict[str, Any]:
    _, time, event_id = row.key.split("|")
    return {
        "id": f"evt_{event_id}",
        "type": "audit_log.unreadable",
        "timestamp": event_time(moment_of(time)),
        "organization_id": None,
        "directory_id": None,
        "actor": UNKNOWN.to_json(),
        "data": {},
    }

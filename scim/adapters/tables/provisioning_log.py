"""The provisioning log in table ``provisioninglog``: one partition for each directory.

| RowKey | holds |
|---|---|
| ``l|{inverted microseconds}|{random}`` | an entry; the newest sorts first |
| ``s|{inverted hour}|{hash}`` | which entry counts the repeats of what this hash stands for within the hour |
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import (
    Row,
    RowChangedError,
    RowExistsError,
    RowMissingError,
    Table,
    Value,
    insert,
    replace,
)
from scim.provisioning.bounded_cache import BoundedCache
from scim.resources.attempts import Attempts
from scim.resources.provisioning_log import (
    EVERY_ENTRY,
    Finding,
    LogFilter,
    LogPage,
    LogPosition,
    ProvisioningLogEntry,
)

_LAST_MICROSECOND = 10**16 - 1
_AT_ONCE = 50
_READ_AT_ONCE = 1000
_REMEMBERED = 10_000
_ENTRY_END, _MARK_END = "l}", "s}"


class TableProvisioningLog:
    """Implements ``ProvisioningLogStore`` on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._known: BoundedCache[tuple[str, str], str] = BoundedCache(_REMEMBERED)
        """The entry behind each mark that this process has met, so that a repeat does not look for it."""

    async def add(self, directory_id: str, entries: Sequence[ProvisioningLogEntry]) -> None:
        """Keep entries: one storage request for 50 that are new, and 2 for each that is a repeat."""
        partition = Partition(self._table, directory_id, "")
        new: list[ProvisioningLogEntry] = []
        for entry in entries:
            known = self._known.get((directory_id, _mark_key(entry)))
            if known is None:
                new.append(entry)
            else:
                await _count_in(partition, known, entry)
        for start in range(0, len(new), _AT_ONCE):
            await self._add_new(partition, new[start : start + _AT_ONCE])

    async def _add_new(self, partition: Partition, entries: Sequence[ProvisioningLogEntry]) -> None:
        made = {_entry_key(entry): entry for entry in entries}
        try:
            await partition.commit([write for key, entry in made.items() for write in _inserts(key, entry)])
        except RowExistsError:  # One was met by another process, or all by an attempt whose answer was lost.
            for key, entry in made.items():
                await self._add_one(partition, key, entry)
            return
        for key, entry in made.items():
            self._known.put((partition.directory_id, _mark_key(entry)), key)

    async def _add_one(self, partition: Partition, key: str, entry: ProvisioningLogEntry) -> None:
        mark_key = _mark_key(entry)
        try:
            await partition.commit(_inserts(key, entry))
            kept = key
        except RowExistsError:
            mark = await partition.read(mark_key)
            kept = str(mark.values["entry"]) if mark else key
        if kept != key:
            await _count_in(partition, kept, entry)
        self._known.put((partition.directory_id, mark_key), kept)

    async def page(
        self, directory_id: str, after: LogPosition | None, limit: int, wanted: LogFilter = EVERY_ENTRY
    ) -> LogPage:
        """Return entries behind a place, newest first. One storage request."""
        first = f"{after.key}!" if after else "l|"
        read = limit + 1 if wanted.is_open else _READ_AT_ONCE
        found = await Partition(self._table, directory_id, "").first_rows((first, _ENTRY_END), read)
        accepted = [(row, entry) for row in found.rows if wanted.accepts(entry := _entry(row))]
        shown = accepted[:limit]
        entries = [(LogPosition(row.key), entry) for row, entry in shown]
        if len(accepted) > limit:
            return LogPage(entries, entries[-1][0])
        return LogPage(entries, LogPosition(found.rows[-1].key) if len(found.rows) == read else None)

    def place_at(self, moment: datetime) -> LogPosition:
        """Return the place behind all entries that are newer than a time."""
        return LogPosition(f"l|{_inverted(moment)}")

    async def forget(self, directory_id: str, before: datetime) -> int:
        """Delete what is older; a mark ends with its hour. One storage request for each 100 rows, and 2."""
        partition = Partition(self._table, directory_id, "")
        entries = await partition.delete_range((f"l|{_inverted(before)}", _ENTRY_END))
        marks = await partition.delete_range((f"s|{_inverted(before - timedelta(hours=1))}", _MARK_END))
        return entries + marks


def _inserts(key: str, entry: ProvisioningLogEntry) -> list[Any]:
    return [insert(_mark_key(entry), {"entry": key}), insert(key, _values(entry))]


async def _count_in(partition: Partition, key: str, entry: ProvisioningLogEntry) -> None:
    """Count a repeat in an entry that is kept; one that is gone by now is not missed."""
    written = secrets.token_hex(8)
    async for _ in Attempts():
        row = await partition.read(key)
        if row is None or row.values["written"] == written:  # Gone, or our own write whose answer was lost.
            return
        values = {**_values(_entry(row).repeated(entry)), "written": written}
        try:
            await partition.commit([replace(key, values, row.etag)])
        except RowChangedError:
            continue
        except RowMissingError:
            return
        return


def _entry_key(entry: ProvisioningLogEntry) -> str:
    return f"l|{_inverted(entry.first)}|{secrets.token_hex(8)}"


def _mark_key(entry: ProvisioningLogEntry) -> str:
    text = json.dumps(entry.identity, default=str, ensure_ascii=True)
    return f"s|{_inverted(entry.hour)}|{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}"


def _inverted(moment: datetime) -> str:
    """Return a time as text that sorts the newest first."""
    return f"{_LAST_MICROSECOND - int(moment.timestamp() * 1_000_000):016d}"


def _values(entry: ProvisioningLogEntry) -> dict[str, Value]:
    found = entry.finding
    texts = {
        "cause": found.cause,
        "attribute": found.attribute,
        "resource": found.resource_id,
        "related": found.related_id,
        "detail": found.detail,
        "method": entry.method,
        "operation": entry.operation,
        "type": entry.resource_type,
        "scim_type": entry.scim_type,
    }
    return {
        **{name: text for name, text in texts.items() if text},
        "status": entry.status,
        "first": entry.first.isoformat(),
        "last": entry.last.isoformat(),
        "count": entry.count,
        "written": secrets.token_hex(8),
    }


def _entry(row: Row) -> ProvisioningLogEntry:
    values: dict[str, Any] = dict(row.values)
    finding = Finding(
        cause=values["cause"],
        attribute=values.get("attribute", ""),
        resource_id=values.get("resource", ""),
        related_id=values.get("related", ""),
        detail=values.get("detail", ""),
    )
    return ProvisioningLogEntry(
        finding=finding,
        method=values.get("method", ""),
        operation=values.get("operation", ""),
        resource_type=values.get("type", ""),
        status=values["status"],
        scim_type=values.get("scim_type", ""),
        first=datetime.fromisoformat(values["first"]),
        last=datetime.fromisoformat(values["last"]),
        count=values["count"],
    )

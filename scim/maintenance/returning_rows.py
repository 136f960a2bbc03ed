"""In which order and state the rows of a copy come back, since a copy is not of one moment. Pure.

A copy reads head and outbox before the feed, and the feed before what is derived from it. Put back as they are, the
head would be behind the feed, changes would stand in both outbox and feed, and histories would hold what is derived
again (docs/operations.md). Sessions of the portal do not come back: they may have been ended since.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from scim.adapters.tables import keys
from scim.adapters.tables.generation import renewed_generation
from scim.adapters.tables.portal_access import is_session_key
from scim.adapters.tables.table import Int64, Row, Value
from scim.composed_stores import DIRECTORIES_TABLE, RESOURCES_TABLE
from scim.directories.organization import is_organization_id
from scim.maintenance.copy_file import CopiedRow, Place

CLAIMS = "idem|"
"""What the partitions of claims of requests with an Idempotency-Key begin with."""
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC).isoformat()
_EMPTY_HEAD: dict[str, Value] = {"number": Int64(0), "users": 0, "active": 0, "groups": 0}


def returning_rows(place: Place, rows: Iterator[CopiedRow], relayed: Collection[str]) -> Iterator[CopiedRow]:
    """Yield the rows of a partition as they come back.

    :param relayed: Operations that the partition's feed has already, where it has rows.
    """
    if place.table == RESOURCES_TABLE:
        return _ReturningDirectory(place, relayed).rows(rows)
    if place.table == DIRECTORIES_TABLE and place.partition.startswith(CLAIMS):
        return map(_unanswered, rows)
    if place.table == DIRECTORIES_TABLE and is_organization_id(place.partition):
        return (copied for copied in rows if not is_session_key(copied.row.key))  # it may have been ended since
    return rows


def _unanswered(claim: CopiedRow) -> CopiedRow:
    """Return a claim whose request is taken up again: what it answered may not have come back."""
    kept = {name: value for name, value in claim.row.values.items() if not name.removeprefix("d").isdigit()}
    return _with_values(claim, {**kept, "status": 0, "claimed": _LONG_AGO})


class _ReturningDirectory:
    """Lets the rows of a directory pass; its head comes behind the feed that it is to know, the outbox behind both."""

    def __init__(self, place: Place, relayed: Collection[str]) -> None:
        self._place = place
        self._relayed = set(relayed)
        self._head: CopiedRow | None = None
        self._held: list[CopiedRow] = []
        self._last = 0
        self._derived = ""

    def rows(self, rows: Iterator[CopiedRow]) -> Iterator[CopiedRow]:
        """Yield the rows in the order in which they may be seen."""
        for row in rows:
            key = row.row.key
            if key == keys.HEAD:
                self._head = row
            elif keys.HEAD < key < keys.OUTBOX_END:
                self._held.append(row)
            elif self._comes_back(row.row):
                yield row
        yield self._renewed_head()
        yield from (row for row in self._held if not self._is_in_feed(row.row.key))

    def _comes_back(self, row: Row) -> bool:
        """Tell whether a row comes back; a history of what is derived again does not."""
        if row.key == keys.DERIVED:
            number, index = int(str(row.values["number"])), int(str(row.values["index"]))
            # The first place behind what was derived; places are inverted, so what is derived again sorts before it.
            self._derived = keys.last_id(keys.history("", number + 1, index))
        elif keys.FEED_FIRST <= row.key < keys.FEED_END:
            self._last = int(keys.last_id(row.key))
            self._relayed.add(str(row.values.get("operation", "")))
        elif keys.HISTORY_FIRST <= row.key < keys.HISTORY_END:
            return bool(self._derived) and keys.last_id(row.key) >= self._derived
        return True

    def _renewed_head(self) -> CopiedRow:
        """Return the head behind the last feed row, with a generation that no cursor has."""
        head = self._head or CopiedRow(self._place, Row(keys.HEAD, "", _EMPTY_HEAD), 0)
        number = self._last or int(str(head.row.values.get("number", 0)))
        return _with_values(head, {**head.row.values, "number": Int64(number), **renewed_generation()})

    def _is_in_feed(self, key: str) -> bool:
        return key.startswith(keys.OUTBOX_FIRST) and keys.last_id(key) in self._relayed


def _with_values(copied: CopiedRow, values: dict[str, Value]) -> CopiedRow:
    return replace(copied, row=replace(copied.row, values=values))

"""One walk over all rows of a directory in key order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import Any, Final

from scim.adapters.tables import keys
from scim.adapters.tables.consistency.counts import Counting, Progress
from scim.adapters.tables.consistency.ledger import Ledger
from scim.adapters.tables.consistency.readable import (
    has_matching_of,
    has_readable_events,
    is_late,
    is_readable_index_row,
    lookups_of,
    readable_document,
)
from scim.adapters.tables.consistency.repeated_operations import RepeatedOperations
from scim.adapters.tables.consistency.row_kind import RowKind, kind_of
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.summary_columns import has_summary_of
from scim.adapters.tables.table import Row
from scim.directories.row_format import LIST_COLUMNS_SINCE
from scim.resources.identifiers import ResourceName, resource_name_of
from scim.resources.profile import is_active

_ENDS: Final = ("", "e", "f", "g", "m", "n", "r", "t", "u", "w", "x", "y", "z", "~")
"""Where the kinds of rows begin: shorter ranges are cheaper to read page by page, and nothing lies outside of them."""
_LARGE_ROWS: Final = ("e", "f")
_LARGE_ROWS_PAGE: Final = 200
_MAX_SUSPECTS: Final = 50_000
_MAX_GAPS: Final = 1000


class DirectoryWalk:
    """States what every row says to a ledger, and keeps the keys of rows that look wrong by themselves.

    Memory does not grow with the directory: a page of rows, and at most 50,000 suspects.
    """

    def __init__(self, partition: Partition, ledger: Ledger, counting: Counting | None, progress: Progress) -> None:
        self.suspects: set[str] = set()
        self.is_complete = True
        self.rows = 0
        self.gaps: list[tuple[int, int]] = []
        """First and last number of each gap in the feed."""
        self.last_number = 0
        self.repeated = RepeatedOperations()
        self._partition = partition
        self._ledger = ledger
        self._counting = counting
        self._progress = progress
        self._unfinished: frozenset[str] = frozenset()
        self._anchor = ""
        self._group = ""
        self._group_exists = False
        self._handlers: dict[RowKind, Callable[[Row], None]] = {
            "head": self._index_row,
            "block": self._index_row,
            "outbox": self._outbox,
            "feed": self._feed,
            "user": lambda row: self._document("User", row),
            "group": lambda row: self._document("Group", row),
            "version": lambda row: self._ledger.state(row.key),
            "anchor": self._anchor_row,
            "reverse": self._reverse,
            "unfinished": self._suspect,
            **dict.fromkeys(("derived", "coverage", "member_count", "history"), self._derived),
            "name": self._lookup,
            "lookup": self._lookup,
        }

    async def run(self) -> None:
        """See every row once."""
        self._unfinished = await _unfinished(self._partition)
        groups = _Existing(self._partition.rows(keys.document_range("Group"), select=("RowKey",)))
        for key_range in pairwise(_ENDS):
            size = _LARGE_ROWS_PAGE if key_range[0] in _LARGE_ROWS else 1000
            async for row in self._partition.rows(key_range, page_size=size):
                await self._see(row, groups)

    async def _see(self, row: Row, groups: _Existing) -> None:
        kind = kind_of(row.key)
        if kind == "membership":
            await self._membership(row, groups)
        elif kind is None:
            self._suspect(row)
        else:
            self._handlers[kind](row)
        self.rows += 1
        if self.rows % 1000 == 0:
            self._progress("reading rows", self.rows)

    def _suspect(self, row: Row) -> None:
        self._suspect_key(row.key)

    def _suspect_key(self, key: str) -> None:
        if len(self.suspects) < _MAX_SUSPECTS:
            self.suspects.add(key)
        else:
            self.is_complete = False

    def _index_row(self, row: Row) -> None:
        if not is_readable_index_row(row):
            self._suspect(row)

    def _outbox(self, row: Row) -> None:
        if is_late(row) or not (is_readable_index_row(row) and has_readable_events(row)):
            self._suspect(row)

    def _feed(self, row: Row) -> None:
        number = int(keys.last_id(row.key))
        if self.last_number and number != self.last_number + 1 and len(self.gaps) < _MAX_GAPS:
            self.gaps.append((self.last_number + 1, number - 1))
        self.last_number = number
        if "operation" in row.values:
            self.repeated.see(row.key, str(row.values["operation"]))
        if not has_readable_events(row):
            self._suspect(row)

    def _document(self, name: ResourceName, row: Row) -> None:
        resource_id, body = keys.last_id(row.key), readable_document(name, row)
        self._ledger.state(keys.anchor(resource_id))
        if name == "Group":
            self._ledger.state(keys.group_version(resource_id))
        column = row.values.get("active") is True
        active = is_active(body) if name == "User" and body else column
        if (
            body is None
            or active is not column
            or not self._has_summary(name, row, body)
            or not has_matching_of(self._partition.attributes, row, body)
        ):
            self._suspect(row)
        for key in lookups_of(name, row, body) if body else ():
            self._ledger.state(f"{key}={resource_id}")
        if self._counting is not None:
            self._counting.add(name, resource_id, active=active)

    def _has_summary(self, name: ResourceName, row: Row, body: dict[str, Any]) -> bool:
        return self._partition.row_format < LIST_COLUMNS_SINCE or has_summary_of(name, row, body)

    async def _membership(self, row: Row, groups: _Existing) -> None:
        _, group_id, member_id = row.key.split("|")
        if group_id != self._group:
            self._group, self._group_exists = group_id, await groups.has(keys.document(group_id))
        if not self._group_exists and group_id not in self._unfinished:
            self._suspect(row)
        self._ledger.state(keys.membership_of(member_id, group_id))

    def _anchor_row(self, row: Row) -> None:
        self._anchor = keys.last_id(row.key)
        self._ledger.state(row.key)

    def _reverse(self, row: Row) -> None:
        _, member_id, group_id = row.key.split("|")
        if member_id != self._anchor and member_id not in self._unfinished:
            self._suspect_key(keys.membership(group_id, member_id))
        self._ledger.state(row.key)

    def _derived(self, row: Row) -> None:
        """Take it as it is: it is counted when nothing else changes."""

    def _lookup(self, row: Row) -> None:
        self._ledger.state(f"{row.key}={row.values.get('id')!s}")


async def _unfinished(partition: Partition) -> frozenset[str]:
    rows = partition.rows((keys.UNFINISHED_FIRST, keys.UNFINISHED_END), select=("RowKey",))
    return frozenset([keys.last_id(row.key) async for row in rows])


class _Existing:
    """Tells of keys, asked in order, whether they exist, by reading all existing ones beside."""

    def __init__(self, existing: AsyncIterator[Row]) -> None:
        self._existing = existing
        self._current = ""

    async def has(self, key: str) -> bool:
        """Tell whether a row of this key exists; never asked for one before the last."""
        while self._current < key:
            row = await anext(self._existing, None)
            self._current = row.key if row else "~"
        return self._current == key


def cases_of(fact: str) -> list[str]:
    """Return the keys to look at because one side alone states a fact: of documents, lookup rows, memberships."""
    key, _, resource_id = fact.partition("=")
    match kind_of(key):
        case "version" | "anchor":
            return [keys.document(keys.last_id(key.removesuffix("|v")))]
        case "reverse":
            _, member_id, group_id = key.split("|")
            return [keys.membership(group_id, member_id)]
        case _:
            return [keys.document(resource_id), key] if resource_name_of(resource_id) else [key]

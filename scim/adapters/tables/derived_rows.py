"""The rows that are derived from the feed: their keys, what they hold, and reading them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Final, TypeVar

from scim.adapters.tables import keys
from scim.adapters.tables.document_rows import joined_text, split_text
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import MAX_TRANSACTION_WRITES, Int64, Row, Value, Write, insert, replace
from scim.resources.attribute_coverage import Coverage, PathCoverage
from scim.resources.derived import HistoryEntry, HistoryPage
from scim.resources.identifiers import ResourceName

UNREADABLE: Final = -1
"""In place of the number of a mark that cannot be read: before every feed row, so that everything is counted anew."""
Form = TypeVar("Form", PathCoverage, HistoryEntry)
RESOURCE_NAMES: tuple[ResourceName, ...] = ("User", "Group")


@dataclass(frozen=True, slots=True)
class DerivedState:
    """How far the feed has been derived, and the coverage as of then."""

    number: int = 0
    """The feed row that was derived last."""
    index: int = 0
    """How many events of the next one were derived, too."""
    coverage: Mapping[ResourceName, Coverage] = field(default_factory=dict)
    rows: Mapping[str, Row] = field(default_factory=dict)
    """The rows as read, by key."""

    @property
    def mark_etag(self) -> str:
        """The state of the mark, empty when there is none."""
        return self.rows[keys.DERIVED].etag if keys.DERIVED in self.rows else ""


async def read_state(partition: Partition) -> DerivedState:
    """Return how far a directory's feed has been derived. One storage request."""
    found = await partition.first_rows((keys.DERIVED, keys.MEMBER_COUNTS_FIRST), 1 + len(RESOURCE_NAMES))
    rows = {row.key: row for row in found.rows}
    mark: Mapping[str, Any] = rows[keys.DERIVED].values if keys.DERIVED in rows else {}
    coverage: dict[ResourceName, Coverage] = {
        name: _coverage(rows[keys.coverage(name)]) for name in RESOURCE_NAMES if keys.coverage(name) in rows
    }
    number, index = _number(mark.get("number", 0)), _number(mark.get("index", 0))
    if number is None or index is None:
        return DerivedState(UNREADABLE, 0, coverage, rows)
    return DerivedState(number, index, coverage, rows)


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None


def mark_write(state: DerivedState, *, number: int, index: int = 0) -> Write:
    """Return the write that moves the mark, and holds only in the state in which it was read."""
    values: dict[str, Value] = {"number": Int64(number), "index": index}
    return replace(keys.DERIVED, values, state.mark_etag) if state.mark_etag else insert(keys.DERIVED, values)


def coverage_writes(state: DerivedState, after: Mapping[ResourceName, Coverage]) -> Iterable[Write]:
    """Yield the writes that store coverage that differs."""
    for name, coverage in after.items():
        key = keys.coverage(name)
        if coverage == state.coverage.get(name, {}):
            continue
        values = split_text(json.dumps({path: asdict(known) for path, known in coverage.items()}, ensure_ascii=False))
        yield replace(key, values, "*") if key in state.rows else insert(key, values)


def _coverage(row: Row) -> Coverage:
    """Return the coverage of a row; what cannot be read of it is not there, and a check says so."""
    forms = _json(row)
    read = {path: _read(PathCoverage, form) for path, form in forms.items()} if isinstance(forms, dict) else {}
    return {path: known for path, known in read.items() if known is not None}


def _json(row: Row) -> Any:
    try:
        return json.loads(joined_text(row.values))
    except ValueError:
        return None


def _read(kind: type[Form], form: Any, **given: Any) -> Form | None:
    """Return what a JSON form says, whichever version wrote it; None where it cannot be read."""
    if not isinstance(form, dict):
        return None
    known = {each.name: form[each.name] for each in fields(kind) if each.name in form}
    try:
        return kind(**given, **known)
    except TypeError:
        return None


def members_in(row: Row) -> int | None:
    """Return the count of a row of a group's member count, None where it cannot be read."""
    return _number(row.values.get("members"))


def history_values(time: str, entries: Sequence[HistoryEntry]) -> dict[str, Value]:
    """Return the properties of a history row: what one feed row says of a resource."""
    forms = [
        {name: value for name, value in asdict(entry).items() if value and name != "time"}
        for entry in _together(entries)
    ]
    return {**split_text(json.dumps(forms, separators=(",", ":"))), "time": time}


def _together(entries: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    """Return entries with memberships of one kind as one."""
    together: list[HistoryEntry] = []
    for entry in entries:
        last = together[-1] if together else None
        if last and entry.related and (last.type, bool(last.related)) == (entry.type, True):
            together[-1] = HistoryEntry(last.time, last.type, (), (*last.related, *entry.related))
        else:
            together.append(entry)
    return together


@dataclass(frozen=True, slots=True)
class TableDerivedReader:
    """Implements ``DerivedReader`` on a partition."""

    partition: Partition

    async def member_counts(self, group_ids: Sequence[str]) -> Mapping[str, int]:
        """Return how many members groups have. One storage request for each 1,000 groups between first and last."""
        if not group_ids:
            return {}
        key_range = keys.member_count(min(group_ids)), f"{keys.member_count(max(group_ids))}!"
        wanted = set(group_ids)
        return {
            group_id: count
            async for row in self.partition.rows(key_range)
            if (group_id := keys.last_id(row.key)) in wanted and (count := members_in(row)) is not None
        }

    async def history(self, resource_id: str, after: str, limit: int) -> HistoryPage:
        """Return what happened to a resource in the last 30 days. One storage request."""
        first, end = keys.history_range(resource_id)
        place, _, shown = after.partition(".")
        # One row more than needed tells whether there is more, another may have been shown already.
        found = await self.partition.first_rows((first + place, end), limit + 2)
        entries = [
            (f"{keys.last_id(row.key)}.{index}", entry)
            for row in found.rows
            for index, entry in enumerate(_history(row), 1)
            if keys.last_id(row.key) != place or index > int(shown)
        ]
        page = entries[:limit]
        places = [place for place, _ in page]
        return HistoryPage([entry for _, entry in page], places[-1] if len(entries) > limit else "", places)

    async def coverage(self) -> Mapping[ResourceName, Coverage]:
        """Return which attributes users and groups have. One storage request."""
        return (await read_state(self.partition)).coverage


async def forget_old_history(partition: Partition, before: datetime) -> int:
    """Delete history rows that are older, and return how many. A storage request for each 1,000 rows, and 100 deleted.

    It reads the keys of all: a row's key has its place in the feed, not its time.
    """
    limit, deleted, old = before.isoformat()[:23], 0, list[str]()
    async for row in partition.rows((keys.HISTORY_FIRST, keys.HISTORY_END), select=("RowKey", "time")):
        if str(row.values.get("time", ""))[:23] < limit:
            old.append(row.key)
        if len(old) == MAX_TRANSACTION_WRITES:
            deleted, old = deleted + await partition.delete_rows(old), []
    return deleted + await partition.delete_rows(old)


def _history(row: Row) -> list[HistoryEntry]:
    forms, time = _json(row), str(row.values.get("time", ""))
    entries = [_read(HistoryEntry, form, time=time) for form in reversed(forms)] if isinstance(forms, list) else []
    return [entry for entry in entries if entry is not None]

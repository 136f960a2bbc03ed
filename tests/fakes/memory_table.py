"""A table in memory that keeps every promise of the table interface, and breaks when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import Literal

from scim.adapters.tables.batch import BatchCodec
from scim.adapters.tables.limits import MAX_PROPERTIES, check_payload, check_transaction, row_size
from scim.adapters.tables.table import (
    MAX_ROW_BYTES,
    Row,
    RowChangedError,
    RowExistsError,
    RowMissingError,
    RowPage,
    StorageUnavailableError,
    TransactionTooLargeError,
    Value,
    Write,
)
from scim.resources.storage_scope import current_storage_scope

Operation = Literal["read", "query", "commit"]


@dataclass(frozen=True, slots=True)
class Request:
    """One storage request as it was made: the operation, the partition and the keys it named."""

    operation: Operation
    partition: str
    keys: tuple[str, ...]


Fault = Callable[[Request], Exception | None]
"""Looks at a request about to be served and returns the error to raise in its place, or None."""


@dataclass(slots=True)
class MemoryTable:
    """Implements ``Table``: atomic commits, ETags, 409/412/404 with the index, ordered ranges, paging."""

    page_size: int = 1000
    """The most rows a page holds; smaller than the caller's limit makes it continue, as the service may."""
    empty_pages: int = 0
    """How many empty pages with a continuation to answer before the rows of each range."""
    before: Fault | None = None
    """Asked before a request is served: the request is not applied when it returns an error."""
    after: Fault | None = None
    """Asked after a request was applied: its answer is lost when it returns an error."""
    ahead: timedelta = timedelta()
    """How much later it is for this table than the machine's clock says."""
    requests: list[Request] = field(default_factory=list)
    _partitions: dict[str, dict[str, Row]] = field(default_factory=dict)
    _ticks: count[int] = field(default_factory=lambda: count(1))
    _opened: datetime = field(default_factory=lambda: datetime.now(UTC))
    _codec: BatchCodec = field(default_factory=lambda: BatchCodec("http://127.0.0.1/devstoreaccount1", "memory"))

    async def read(self, partition: str, key: str, *, select: Sequence[str] = ()) -> Row | None:
        request = self._serve("read", partition, (key,))
        row = self._partitions.get(partition, {}).get(key)
        self._answer(request)
        return None if row is None else _selected(row, select)

    async def query(
        self,
        partition: str,
        first: str,
        end: str,
        *,
        select: Sequence[str] = (),
        limit: int = 1000,
        continuation: Mapping[str, str] | None = None,
    ) -> RowPage:
        request = self._serve("query", partition, (first, end))
        start, emptied = (continuation["key"], int(continuation["emptied"])) if continuation else (first, 0)
        self._answer(request)
        if emptied < self.empty_pages:
            return RowPage((), {"key": start, "emptied": str(emptied + 1)})
        size = min(limit, self.page_size, 1000)
        found = list(islice(self._range(partition, start, end), size + 1))
        more = {"key": found[size].key, "emptied": str(emptied)} if len(found) > size else None
        return RowPage([_selected(row, select) for row in found[:size]], more)

    async def commit(self, partition: str, writes: Sequence[Write]) -> list[str]:
        check_transaction(partition, writes)
        check_payload(len(self._codec.encode(partition, writes)))
        request = self._serve("commit", partition, tuple(write.key for write in writes))
        rows = dict(self._partitions.get(partition, {}))
        etags = [self._apply(partition, rows, index, write) for index, write in enumerate(writes)]
        self._partitions[partition] = rows
        self._answer(request)
        return etags

    def rows(self, partition: str) -> dict[str, Row]:
        """Return a copy of a partition, for assertions; counted as no request."""
        return dict(sorted(self._partitions.get(partition, {}).items()))

    def partitions(self) -> list[str]:
        """Return the partitions that hold rows, in order, for assertions."""
        return sorted(partition for partition, rows in self._partitions.items() if rows)

    def count(self, operation: Operation) -> int:
        """Return how many requests of a kind were made."""
        return sum(request.operation == operation for request in self.requests)

    def _serve(self, operation: Operation, partition: str, keys: tuple[str, ...]) -> Request:
        current_storage_scope().requests += 1
        request = Request(operation, partition, keys)
        self.requests.append(request)
        if self.before is not None and (error := self.before(request)) is not None:
            raise error
        return request

    def _answer(self, request: Request) -> None:
        if self.after is not None and (error := self.after(request)) is not None:
            raise error

    def _range(self, partition: str, first: str, end: str) -> list[Row]:
        rows = self._partitions.get(partition, {})
        return [rows[key] for key in sorted(rows) if first <= key < end]

    def _apply(self, partition: str, rows: dict[str, Row], index: int, write: Write) -> str:
        stored = rows.get(write.key)
        _check_state(stored, index, write)
        if write.kind == "delete":
            del rows[write.key]
            return ""
        kept = stored.values if stored is not None and write.kind == "merge" else {}
        moment = (self._opened + self.ahead + timedelta(milliseconds=next(self._ticks))).isoformat(
            timespec="microseconds"
        )
        etag = f"W/\"datetime'{moment}'\""
        row = Row(write.key, etag, {**kept, **_stored(write.values)}, moment)
        if row_size(partition, row.key, row.values) > MAX_ROW_BYTES or len(row.values) > MAX_PROPERTIES:
            raise TransactionTooLargeError(f"row {row.key!r} is too large")
        rows[write.key] = row
        return etag


def lose_answer_of(operation: Operation, *, times: int = 1) -> Fault:
    """Return a fault for ``after``: the first answers of a kind of request are lost."""
    left = iter(range(times))

    def fault(request: Request) -> Exception | None:
        if request.operation != operation or next(left, None) is None:
            return None
        return StorageUnavailableError("the answer was lost")

    return fault


def fail_at(*numbers: int) -> Fault:
    """Return a fault for ``before`` or ``after``: the requests of these numbers, from 0, find storage unavailable."""
    requests = count()
    return lambda _: StorageUnavailableError("storage is down") if next(requests) in numbers else None


def _selected(row: Row, select: Sequence[str]) -> Row:
    if not select:
        return row
    timestamp = row.timestamp if "Timestamp" in select else ""
    return Row(row.key, row.etag, {name: row.values[name] for name in select if name in row.values}, timestamp)


def _check_state(stored: Row | None, index: int, write: Write) -> None:
    if write.kind == "insert":
        if stored is not None:
            raise RowExistsError(index, uncertain=False)
    elif stored is None:
        raise RowMissingError(index, uncertain=False)
    elif write.etag not in ("*", stored.etag):
        raise RowChangedError(index, uncertain=False)


def _stored(values: Mapping[str, Value]) -> dict[str, Value]:
    return {
        name: value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value
        for name, value in values.items()
    }

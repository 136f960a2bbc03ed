"""A table that answers at once: what is measured over it is the service's own work."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import count

from scim.adapters.tables.table import Row, RowExistsError, RowMissingError, RowPage, Table, Write

_TIME = datetime.now(UTC).isoformat()
"""When every row was written, by the clock of this storage."""


class InstantTable:
    """A table in memory, for one caller at a time; it keeps of a table's promises what a cycle needs."""

    def __init__(self) -> None:
        self._partitions: dict[str, _Rows] = defaultdict(_Rows)

    async def read(self, partition: str, key: str, *, select: Sequence[str] = ()) -> Row | None:  # noqa: ARG002
        """Return a row, or None."""
        return self._partitions[partition].rows.get(key)

    async def query(
        self,
        partition: str,
        first: str,
        end: str,
        *,
        select: Sequence[str] = (),  # noqa: ARG002 - more than was asked for does no harm
        limit: int = 1000,
        continuation: Mapping[str, str] | None = None,
    ) -> RowPage:
        """Return a page of the rows with ``first`` <= key < ``end``."""
        return self._partitions[partition].page(continuation["key"] if continuation else first, end, limit)

    async def commit(self, partition: str, writes: Sequence[Write]) -> list[str]:
        """Apply all writes, and return the new ETags in order."""
        return self._partitions[partition].commit(writes)


class _Rows:
    """The rows of one partition."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._keys: list[str] = []
        self._ticks = count(1)

    def page(self, first: str, end: str, limit: int) -> RowPage:
        start, stop = bisect_left(self._keys, first), bisect_left(self._keys, end)
        rows = [self.rows[key] for key in self._keys[start : min(stop, start + limit)]]
        return RowPage(rows, {"key": self._keys[start + limit]} if stop > start + limit else None)

    def commit(self, writes: Sequence[Write]) -> list[str]:
        for index, write in enumerate(writes):
            self._require_possible(index, write)
        return [self._apply(write) for write in writes]

    def _require_possible(self, index: int, write: Write) -> None:
        exists = write.key in self.rows
        if write.kind == "insert" and exists:
            raise RowExistsError(index, uncertain=False)
        if write.kind != "insert" and not exists:
            raise RowMissingError(index, uncertain=False)

    def _apply(self, write: Write) -> str:
        before = self.rows.pop(write.key, None)
        if write.kind == "delete":
            self._keys.remove(write.key)
            return ""
        if before is None:
            insort(self._keys, write.key)
        kept = before.values if before is not None and write.kind == "merge" else {}
        etag = f'W/"{next(self._ticks)}"'
        self.rows[write.key] = Row(write.key, etag, {**kept, **write.values}, _TIME)
        return etag


class InstantAccount:
    """A storage account of such tables."""

    def __init__(self) -> None:
        self._tables: dict[str, InstantTable] = {}

    def table(self, name: str) -> Table:
        """Return a table."""
        return self._tables.setdefault(name, InstantTable())

    async def create_table(self, name: str) -> None:
        """Create a table unless it exists."""
        self.table(name)

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""

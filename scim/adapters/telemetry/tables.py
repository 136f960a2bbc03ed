"""Tables whose calls are spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from opentelemetry.trace import Tracer

from scim.adapters.tables.table import Row, RowPage, Table, TransactionRefusedError, Write
from scim.adapters.telemetry.spans import call_span
from scim.directories.directory import is_directory_id


class ObservedTable:
    """A :class:`~scim.adapters.tables.table.Table` over another, with a span for every call.

    Below the one that repeats calls, every attempt has its span.
    """

    def __init__(self, name: str, table: Table, tracer: Tracer) -> None:
        self._name = name
        self._table = table
        self._tracer = tracer

    async def read(self, partition: str, key: str, *, select: Sequence[str] = ()) -> Row | None:
        """Return a row, or None."""
        with self._span("read", partition):
            return await self._table.read(partition, key, select=select)

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
        """Return a page of the rows with ``first`` <= key < ``end``."""
        with self._span("query", partition):
            return await self._table.query(partition, first, end, select=select, limit=limit, continuation=continuation)

    async def commit(self, partition: str, writes: Sequence[Write]) -> list[str]:
        """Apply all writes or none, and return the new ETags in order."""
        with self._span("commit", partition, writes=len(writes)):
            return await self._table.commit(partition, writes)

    def _span(self, call: str, partition: str, writes: int = 0) -> AbstractContextManager[None]:
        attributes: dict[str, str | int] = {"scim.storage.call": call, "scim.storage.table": self._name}
        if is_directory_id(partition):
            attributes["scim.directory_id"] = partition
        if writes:
            attributes["scim.storage.writes"] = writes
        return call_span(self._tracer, f"{self._name} {call}", attributes, answers=(TransactionRefusedError,))

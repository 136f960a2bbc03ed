"""One directory's partition of a table."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from scim.adapters.tables.mapped_attributes import NO_MAPPINGS, MappedAttributes
from scim.adapters.tables.table import (
    MAX_TRANSACTION_WRITES,
    Row,
    RowPage,
    Table,
    TransactionRefusedError,
    Write,
    delete,
)
from scim.directories.row_format import WRITTEN_FORMAT

_AT_ONCE = 16

Item = TypeVar("Item")
Result = TypeVar("Result")


async def in_parallel(items: Sequence[Item], action: Callable[[Item], Awaitable[Result]]) -> list[Result]:
    """Return the results of an action on each item, in their order; 16 are under way at once.

    When one fails, no other is begun.
    """
    if len(items) == 1:
        return [await action(items[0])]
    results: dict[int, Result] = {}
    left = iter(enumerate(items))

    async def work() -> None:
        for number, item in left:
            results[number] = await action(item)

    try:
        await asyncio.gather(*(work() for _ in range(min(_AT_ONCE, len(items)))))
    finally:
        deque(left, maxlen=0)
    return [results[number] for number in range(len(items))]


@dataclass(frozen=True, slots=True)
class Partition:
    """The rows of one directory: every read and write of it goes through here, so none can reach another's."""

    table: Table
    directory_id: str
    organization_id: str
    attributes: MappedAttributes = NO_MAPPINGS
    """The mappings that changes are made under."""
    row_format: int = WRITTEN_FORMAT
    """The format that all of its rows have at least."""

    async def read(self, key: str, *, select: Sequence[str] = ()) -> Row | None:
        """Return a row or None. One storage request."""
        return await self.table.read(self.directory_id, key, select=select)

    async def read_many(self, keys: Sequence[str], *, select: Sequence[str] = ()) -> dict[str, Row]:
        """Return the existing ones of any number of rows; one storage request each, 16 under way at once.

        One query for many keys would save requests, but the service answers an ``or`` of keys by scanning the
        partition: its cost would grow with the directory (docs/decisions/0004).
        """
        rows = await in_parallel(keys, lambda key: self.read(key, select=select))
        return {row.key: row for row in rows if row is not None}

    async def page(
        self,
        key_range: tuple[str, str],
        *,
        select: Sequence[str] = (),
        limit: int = 1000,
        continuation: Mapping[str, str] | None = None,
    ) -> RowPage:
        """Return the first rows of a range. One storage request."""
        first, end = key_range
        return await self.table.query(
            self.directory_id, first, end, select=select, limit=limit, continuation=continuation
        )

    async def first_rows(self, key_range: tuple[str, str], count: int) -> RowPage:
        """Return the first rows of a range, at most so many; never fewer than there are, as a page may hold.

        One storage request, and one more each time the service answers in parts.
        """
        rows: list[Row] = []
        continuation: Mapping[str, str] | None = None
        while True:
            page = await self.page(key_range, limit=count - len(rows), continuation=continuation)
            rows += page.rows
            continuation = page.continuation
            if continuation is None or len(rows) >= count:
                return RowPage(rows, continuation)

    async def rows(
        self, key_range: tuple[str, str], *, select: Sequence[str] = (), page_size: int = 1000
    ) -> AsyncIterator[Row]:
        """Yield all rows of a range in key order; one storage request for each page, which a slow query ends early."""
        continuation: Mapping[str, str] | None = None
        while True:
            page = await self.page(key_range, select=select, limit=page_size, continuation=continuation)
            for row in page.rows:
                yield row
            continuation = page.continuation
            if continuation is None:
                return

    async def commit(self, writes: Sequence[Write]) -> list[str]:
        """Apply all writes or none and return the new ETags. One storage request."""
        return await self.table.commit(self.directory_id, writes)

    async def delete_range(self, key_range: tuple[str, str]) -> int:
        """Delete all rows of a range and return how many; nobody must be adding to it.

        One storage request for each 1,000 rows read and each 100 deleted.
        """
        deleted, waiting = 0, list[str]()
        async for row in self.rows(key_range, select=("RowKey",)):
            waiting.append(row.key)
            if len(waiting) == MAX_TRANSACTION_WRITES:
                deleted, waiting = deleted + await self.delete_rows(waiting), []
        return deleted + await self.delete_rows(waiting)

    async def delete_rows(self, keys: Sequence[str]) -> int:
        """Delete up to 100 rows, unless another machine is deleting them, and return how many. One storage request."""
        if not keys:
            return 0
        try:
            await self.commit([delete(key) for key in keys])
        except TransactionRefusedError:
            return 0
        return len(keys)

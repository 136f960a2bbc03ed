"""One directory's partition of a table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from scim.adapters.tables.table import Row, RowPage, Table, Write


@dataclass(frozen=True, slots=True)
class Partition:
    """The rows of one directory: every read and write of it goes through here, so none can reach another's."""

    table: Table
    directory_id: str
    organization_id: str

    async def read(self, key: str, *, select: Sequence[str] = ()) -> Row | None:
        """Return a row or None. One storage request."""
        return await self.table.read(self.directory_id, key, select=select)

    async def read_many(self, keys: Sequence[str], *, select: Sequence[str] = ()) -> dict[str, Row]:
        """Return the existing ones of any number of rows; one storage request for each 14."""
        found: dict[str, Row] = {}
        for start in range(0, len(keys), 14):
            found |= await self.table.read_many(self.directory_id, keys[start : start + 14], select=select)
        return found

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

    async def rows(self, key_range: tuple[str, str], *, select: Sequence[str] = ()) -> AsyncIterator[Row]:
        """Yield all rows of a range in key order; one storage request for each 1000, or fewer rows when it is slow."""
        continuation: Mapping[str, str] | None = None
        while True:
            page = await self.page(key_range, select=select, continuation=continuation)
            for row in page.rows:
                yield row
            continuation = page.continuation
            if continuation is None:
                return

    async def commit(self, writes: Sequence[Write]) -> list[str]:
        """Apply all writes or none and return the new ETags. One storage request."""
        return await self.table.commit(self.directory_id, writes)

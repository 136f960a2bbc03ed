"""A table in memory that takes its time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scim.adapters.tables.table import Row, RowPage, Write
from tests.fakes.memory_table import MemoryTable, Request


@dataclass(frozen=True, slots=True)
class SlowTable:
    """Lets others run before each request, so that tasks meet as machines do."""

    table: MemoryTable

    @property
    def requests(self) -> list[Request]:
        return self.table.requests

    async def read(self, partition: str, key: str, *, select: Sequence[str] = ()) -> Row | None:
        await self._wait()
        return await self.table.read(partition, key, select=select)

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
        await self._wait()
        return await self.table.query(partition, first, end, select=select, limit=limit, continuation=continuation)

    async def commit(self, partition: str, writes: Sequence[Write]) -> list[str]:
        await self._wait()
        return await self.table.commit(partition, writes)

    @staticmethod
    async def _wait() -> None:
        for _ in range(random.randrange(1, 5)):
            await asyncio.sleep(0)

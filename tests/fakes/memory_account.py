"""What a service stores in and asks for help, in this process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from scim.adapters.tables.entity import encode_entity
from tests.fakes.memory_table import MemoryTable


@dataclass(slots=True)
class MemoryAccount:
    """A storage account whose tables are in memory; it counts what they are asked."""

    tables: dict[str, MemoryTable] = field(default_factory=dict)
    meanwhile: Callable[[str, str], Awaitable[object]] | None = None
    """Done before each row of :meth:`all_rows`, with the table and the row's key: what others do while it goes on."""

    def table(self, name: str) -> MemoryTable:
        return self.tables.setdefault(name, MemoryTable())

    async def all_rows(self, name: str) -> AsyncIterator[dict[str, Any]]:
        """Yield every row of a table as the service writes it down, each as it is when its turn comes."""
        table = self.table(name)
        for partition in table.partitions():
            key = ""
            while (row := next((each for each in table.rows(partition).values() if each.key > key), None)) is not None:
                key = row.key
                if self.meanwhile is not None:
                    await self.meanwhile(name, key)
                    row = table.rows(partition).get(key)
                if row is not None:
                    yield json.loads(encode_entity(partition, key, row.values))

    async def create_table(self, name: str) -> None:
        self.table(name)

    async def close(self) -> None:
        return

    def requests(self) -> int:
        return sum(len(table.requests) for table in self.tables.values())


@dataclass(slots=True)
class RecordedRelayRequests:
    """Keeps which directories the relay was asked for, and does nothing else: tests relay when they want to."""

    asked: list[str] = field(default_factory=list)

    def ask(self, directory_id: str) -> None:
        self.asked.append(directory_id)

    async def close(self) -> None:
        return

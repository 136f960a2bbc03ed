"""What a service stores in and asks for help, in this process."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.fakes.memory_table import MemoryTable


@dataclass(slots=True)
class MemoryAccount:
    """A storage account whose tables are in memory; it counts what they are asked."""

    tables: dict[str, MemoryTable] = field(default_factory=dict)

    def table(self, name: str) -> MemoryTable:
        return self.tables.setdefault(name, MemoryTable())

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

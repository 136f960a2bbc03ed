"""The rows of a directory that is being deleted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from scim.adapters.tables.removal import remove_partition
from scim.adapters.tables.table import Table
from scim.directories.directory import Directory


@dataclass(frozen=True, slots=True)
class TableDirectoryRows:
    """Implements ``DirectoryRows``: in each of these tables the partition of a directory is named by its id."""

    tables_of: Callable[[Directory], Sequence[Table]]

    async def remove(self, directory: Directory, removed: Callable[[int], Awaitable[None]]) -> bool:
        """Remove them, and return whether none is left."""
        for table in self.tables_of(directory):
            if not await remove_partition(table, directory.id, removed):
                return False
        return True

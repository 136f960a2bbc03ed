"""What is done to a directory beside its requests, in this process: filled, and relayed at moments of our choice."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.groups import Group
from scim.adapters.tables import keys
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.relay import relay
from scim.composition import Application
from scim.maintenance.commands import seed
from scim.maintenance.progress import Progress
from scim.resources.storage_scope import storage_scope
from scim.settings import Settings, StorageSettings

_SECONDS = 3600


@dataclass(slots=True)
class RelayCost:
    """What relaying took so far."""

    changes: int = 0
    cpu_seconds: float = 0.0
    storage_requests: int = 0

    def cpu_ms(self) -> float:
        """Return the CPU time for each change."""
        return 1000 * self.cpu_seconds / max(1, self.changes)

    def requests(self) -> float:
        """Return the storage requests for each change."""
        return self.storage_requests / max(1, self.changes)


class Background:
    """Works on the directories of a running service."""

    def __init__(self, connection_string: str) -> None:
        storage = StorageSettings(connection_string=connection_string)
        self._application = Application(Settings(storage, secret_store_file=Path(os.devnull)))
        self.relay_cost = RelayCost()

    async def seed(self, directory_id: str, users: int) -> list[str]:
        """Add users to a directory, and return the ids of all that it has."""
        with storage_scope(_SECONDS):
            await seed(self._application, directory_id, users, (), Progress(sys.stderr))
        return await self._ids(directory_id)

    async def fill(self, directory_id: str, users: int, groups: Sequence[int]) -> tuple[list[str], list[Group]]:
        """Add users, and groups of the first of them; return the ids of all users, and the groups, small ones first."""
        with storage_scope(_SECONDS):
            result = await seed(self._application, directory_id, users, groups, Progress(sys.stderr))
        found = [Group(size, f"/Groups/{group_id}", None) for group_id, size in result.groups.items()]
        return await self._ids(directory_id), sorted(found, key=lambda group: group.size)

    async def _ids(self, directory_id: str) -> list[str]:
        rows = (await self._partition(directory_id)).rows(keys.document_range("User"), select=("RowKey",))
        with storage_scope(_SECONDS):
            return [keys.last_id(row.key) async for row in rows]

    async def catch_up(self, directory_id: str) -> None:
        """Move all that a directory's outbox holds into its feed, as the service does after a message."""
        partition = await self._partition(directory_id)
        with storage_scope(_SECONDS) as scope:
            begun = time.process_time()
            self.relay_cost.changes += await relay(partition)
            self.relay_cost.cpu_seconds += time.process_time() - begun
        self.relay_cost.storage_requests += scope.requests

    async def close(self) -> None:
        """Close connections."""
        await self._application.close()

    async def _partition(self, directory_id: str) -> Partition:
        return self._application.partition_of(await self._application.directories.get_directory(directory_id))

"""The service's work off the request path, done here at moments of our choice and measured by itself."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from scim.adapters.tables.relay import relay
from scim.composition import Application
from scim.resources.storage_scope import storage_scope
from scim.settings import Settings, StorageSettings

_SECONDS = 600


@dataclass(slots=True)
class RelayCost:
    """What relaying took so far."""

    changes: int = 0
    cpu_seconds: float = 0.0
    storage_requests: int = 0

    def cpu_ms(self) -> float:
        """Return the CPU time for each change."""
        return 1000 * self.cpu_seconds / max(1, self.changes)


class Relay:
    """Relays directories of a running service."""

    def __init__(self, connection_string: str) -> None:
        storage = StorageSettings(connection_string=connection_string)
        self._application = Application(Settings(storage, secret_store_file=Path(os.devnull)))
        self.cost = RelayCost()

    async def catch_up(self, directory_id: str) -> None:
        """Move all that a directory's outbox holds into its feed."""
        directory = await self._application.directory_store.directory(directory_id)
        if directory is None:
            raise LookupError(directory_id)
        with storage_scope(_SECONDS) as scope:
            begun = time.process_time()
            self.cost.changes += await relay(self._application.partition_of(directory))
            self.cost.cpu_seconds += time.process_time() - begun
        self.cost.storage_requests += scope.requests

    async def close(self) -> None:
        """Close connections."""
        await self._application.close()

"""Work off the request path: relaying what is in outboxes, finishing what a crash left, forgetting what is old."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from scim.adapters.tables.feed import forget_old_events
from scim.adapters.tables.outbox import oldest_age_seconds
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.relay import relay
from scim.adapters.tables.unfinished import finish_operations
from scim.directories.directory import Directory, DirectoryReference
from scim.directories.interfaces import DirectoryStore
from scim.resources.provisioning_log import ProvisioningLogStore, retention_limit
from scim.resources.storage_scope import storage_scope
from scim.service_signals import ServiceSignals

_SECONDS_PER_DIRECTORY = 120.0

_log = logging.getLogger("scim.background")


@dataclass(frozen=True, slots=True)
class BackgroundWork:
    """What queue and timer triggers run. Every part may run on several machines at once, and stop at any point."""

    directories: DirectoryStore
    partition_of: Callable[[Directory], Partition]
    complete_creation: Callable[[DirectoryReference], Awaitable[None]]
    """Settles a directory whose creation a crash left half done."""
    settle_tokens: Callable[[Directory], Awaitable[Directory]]
    """Ends tokens whose time has come, and tells of those that expire soon."""
    provisioning_log: ProvisioningLogStore

    async def relay_directory(self, directory_id: str) -> None:
        """Relay one directory after a change, and finish what its deletions left to do."""
        directory = await self.directories.directory(directory_id)
        if directory is not None:
            await self._catch_up(directory)

    async def sweep(self) -> ServiceSignals:
        """Do for every directory what a lost message or a crash left undone, and return what it met.

        A directory that fails does not keep the others waiting: it is logged, and swept again next time.
        """
        signals = ServiceSignals()
        async for reference in self._references():
            signals.directories += 1
            if not await self._attempt("sweep", reference, lambda each: self._sweep_directory(each, signals)):
                signals.failures += 1
        return signals

    async def forget_what_is_old(self) -> None:
        """Delete the feed rows and the log entries of every directory that are older than the retention."""
        async for reference in self._references():
            await self._attempt("retention of events", reference, self._forget_events)
            await self._attempt("retention of the log", reference, self._forget_log)

    async def _references(self) -> AsyncIterator[DirectoryReference]:
        continuation: Mapping[str, str] | None = None
        while True:
            page = await self.directories.list_directories(continuation)
            for reference in page.references:
                yield reference
            continuation = page.continuation
            if continuation is None:
                return

    async def _attempt(
        self, work: str, reference: DirectoryReference, action: Callable[[DirectoryReference], Awaitable[None]]
    ) -> bool:
        """Tell whether it succeeded."""
        try:
            with storage_scope(_SECONDS_PER_DIRECTORY):
                await action(reference)
        except Exception:  # noqa: BLE001 - one directory must not keep the others waiting
            _log.exception("%s of directory %s failed; it is repeated next time", work, reference.directory_id)
            return False
        return True

    async def _sweep_directory(self, reference: DirectoryReference, signals: ServiceSignals) -> None:
        if reference.creating:
            await self.complete_creation(reference)
        directory = await self.directories.directory(reference.directory_id)
        if directory is not None:
            age = await oldest_age_seconds(self.partition_of(directory))
            signals.oldest_age_seconds = max(signals.oldest_age_seconds, age)
            await self.settle_tokens(directory)
            await self._catch_up(directory)

    async def _forget_events(self, reference: DirectoryReference) -> None:
        directory = await self.directories.directory(reference.directory_id)
        if directory is not None:
            await forget_old_events(self.partition_of(directory))

    async def _forget_log(self, reference: DirectoryReference) -> None:
        await self.provisioning_log.forget(reference.directory_id, retention_limit(datetime.now(UTC)))

    async def _catch_up(self, directory: Directory) -> None:
        partition = self.partition_of(directory)
        await relay(partition)
        if await finish_operations(partition):
            await relay(partition)

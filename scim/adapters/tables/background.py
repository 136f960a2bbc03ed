"""Work off the request path: relaying what is in outboxes, finishing what a crash left, forgetting what is old."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from scim.adapters.tables.derivation import derive
from scim.adapters.tables.derived_rows import forget_old_history
from scim.adapters.tables.feed import forget_old_events
from scim.adapters.tables.organization_feed import TableOrganizationFeed
from scim.adapters.tables.outbox import oldest_age_seconds
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.relay import relay
from scim.adapters.tables.unfinished import finish_operations
from scim.directories.activity import LOADS_KEPT, ActivityStore
from scim.directories.actor import RELAY, RETENTION, SWEEP, acting
from scim.directories.directory import Directory, DirectoryReference
from scim.directories.interfaces import DirectoryStore
from scim.directories.organization import Organization
from scim.resources.provisioning_log import ProvisioningLogStore, retention_limit
from scim.resources.storage_scope import storage_scope
from scim.service_signals import ServiceSignals

_SECONDS_PER_DIRECTORY = 120.0
_SECONDS_IN_SWEEP = 25.0
"""How long a sweep goes on with the long work of one directory, which asks for a message of its own when it is over."""

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
    announce: Callable[[Directory], Awaitable[Directory]]
    """Tells the organization's feed what it has not been told of a directory."""
    proceed_with_deletion: Callable[[Directory], Awaitable[None]]
    """Goes on with the deletion of a directory."""
    proceed_with_mappings: Callable[[Directory], Awaitable[None]]
    """Goes on with bringing changed mappings to users."""
    proceed_with_upgrade: Callable[[Directory], Awaitable[None]]
    """Goes on with bringing rows to the newest format, where that is little work."""
    organization_feed: TableOrganizationFeed
    provisioning_log: ProvisioningLogStore
    forget_links: Callable[[str], Awaitable[None]]
    """Removes the links to the portal of an organization that ended long ago."""
    activity: ActivityStore

    async def relay_directory(self, directory_id: str) -> None:
        """Relay one directory after a change, and finish what its deletions left to do; or go on with its own."""
        with acting(RELAY):
            await self._relay_directory(directory_id)

    async def _relay_directory(self, directory_id: str) -> None:
        directory = await self.directories.directory(directory_id)
        if directory is None:
            return
        if directory.deletion is None:
            await self._catch_up(directory)
            with storage_scope(_SECONDS_PER_DIRECTORY):
                await self.proceed_with_mappings(directory)
                await self.proceed_with_upgrade(directory)
            return
        with storage_scope(_SECONDS_PER_DIRECTORY):
            await self.proceed_with_deletion(directory)

    async def sweep(self) -> ServiceSignals:
        """Do for every directory what a lost message or a crash left undone, and return what it met.

        A directory that fails does not keep the others waiting: it is logged, and swept again next time.
        """
        signals = ServiceSignals()

        async def sweep(reference: DirectoryReference) -> None:
            signals.directories += 1
            if not await self._attempt("sweep", reference.directory_id, self._sweep_directory(reference, signals)):
                signals.failures += 1

        with acting(SWEEP):
            await self._for_each_directory(sweep)
        return signals

    async def forget_what_is_old(self) -> None:
        """Delete feed rows, log entries, loads and ended links that are older than their retention, of all there is."""
        with acting(RETENTION):
            await self._forget_what_is_old()

    async def _forget_what_is_old(self) -> None:
        await self._for_each_directory(self._forget_in_directory)
        async for organization in self._organizations():
            forgetting = self.organization_feed.forget_old(organization.id)
            await self._attempt("retention of events", organization.id, forgetting)
            await self._attempt("retention of links", organization.id, self.forget_links(organization.id))

    async def _for_each_directory(self, action: Callable[[DirectoryReference], Awaitable[None]]) -> None:
        """Act on one directory after the other, on the data accounts side by side.

        So one account that does not answer keeps the directories of the others waiting no more than one directory does.
        """
        by_account = defaultdict[str, list[DirectoryReference]](list)
        async for reference in self._references():
            by_account[reference.data_account].append(reference)

        async def in_turn(references: Iterable[DirectoryReference]) -> None:
            for reference in references:
                await action(reference)

        await asyncio.gather(*map(in_turn, by_account.values()))

    async def _references(self) -> AsyncIterator[DirectoryReference]:
        continuation: Mapping[str, str] | None = None
        while True:
            page = await self.directories.list_directories(continuation)
            for reference in page.references:
                yield reference
            continuation = page.continuation
            if continuation is None:
                return

    async def _organizations(self) -> AsyncIterator[Organization]:
        after = ""
        while True:
            page = await self.directories.list_organizations(after, 1000)
            for organization in page.organizations:
                yield organization
                after = organization.id
            if not page.has_more:
                return

    async def _attempt(self, work: str, subject: str, action: Awaitable[object]) -> bool:
        """Tell whether it succeeded."""
        try:
            with storage_scope(_SECONDS_PER_DIRECTORY):
                await action
        except Exception:  # noqa: BLE001 - one directory must not keep the others waiting
            _log.exception("%s of %s failed; it is repeated next time", work, subject)
            return False
        return True

    async def _sweep_directory(self, reference: DirectoryReference, signals: ServiceSignals) -> None:
        if reference.creating:
            await self.complete_creation(reference)
        directory = await self.directories.directory(reference.directory_id)
        if directory is None:
            if not reference.creating:  # its deletion came to its end, but for the entry
                await self.directories.discard_reference(reference)
        elif directory.deletion is not None:
            with storage_scope(_SECONDS_IN_SWEEP):
                await self.proceed_with_deletion(directory)
        else:
            age = await oldest_age_seconds(self.partition_of(directory))
            signals.oldest_age_seconds = max(signals.oldest_age_seconds, age)
            await self.announce(directory)
            await self.settle_tokens(directory)
            await self._catch_up(directory)
            with storage_scope(_SECONDS_IN_SWEEP):
                await self.proceed_with_mappings(directory)
                await self.proceed_with_upgrade(directory)

    async def _forget_in_directory(self, reference: DirectoryReference) -> None:
        name = reference.directory_id
        await self._attempt("retention of events", name, self._forget_events(reference))
        await self._attempt("retention of log and loads", name, self._forget_log(reference))

    async def _forget_events(self, reference: DirectoryReference) -> None:
        directory = await self.directories.directory(reference.directory_id)
        if directory is not None and directory.deletion is None:
            partition = self.partition_of(directory)
            await forget_old_events(partition)
            await forget_old_history(partition, retention_limit(datetime.now(UTC)))

    async def _forget_log(self, reference: DirectoryReference) -> None:
        now = datetime.now(UTC)
        await self.provisioning_log.forget(reference.directory_id, retention_limit(now))
        await self.activity.forget(reference.directory_id, now - LOADS_KEPT)

    async def _catch_up(self, directory: Directory) -> None:
        partition = self.partition_of(directory)
        await relay(partition)
        if await finish_operations(partition):
            await relay(partition)
        await derive(partition)

"""Work off the request path: relaying what is in outboxes, finishing what a crash left, forgetting what is old."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scim.adapters.tables.audit_log import OF_SERVICE, TableAuditLog
from scim.adapters.tables.derivation import derive
from scim.adapters.tables.derived_rows import forget_old_history
from scim.adapters.tables.feed import forget_old_events
from scim.adapters.tables.organization_feed import TableOrganizationFeed
from scim.adapters.tables.outbox import oldest_age_seconds
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.relay import relay, relay_to_end
from scim.adapters.tables.remains import Remains
from scim.adapters.tables.rounds import Limits, Places, Round, Steps
from scim.adapters.tables.unfinished import finish_operations
from scim.directories.activity import LOADS_KEPT, ActivityStore
from scim.directories.actor import RELAY, RETENTION, SWEEP, acting
from scim.directories.audit_log import retention_limit as audit_limit
from scim.directories.directory import Directory, DirectoryReference
from scim.directories.errors import DirectoryStoreUnavailableError, SecretStoreUnavailableError
from scim.directories.interfaces import DirectoryStore
from scim.directories.organization import Organization
from scim.resources.errors import StorageUnavailableError
from scim.resources.provisioning_log import ProvisioningLogStore, retention_limit
from scim.resources.storage_scope import current_storage_scope, storage_scope
from scim.service_signals import ServiceSignals

SWEEP_LIMITS = Limits(seconds=240.0, seconds_each=30.0)
"""A sweep has five minutes; the rest is for what it tells. Long work asks for a message before the time is over."""
RETENTION_LIMITS = Limits(seconds=150.0, seconds_each=30.0)
ORGANIZATION_LIMITS = Limits(seconds=60.0, seconds_each=15.0)
"""Retention of organizations follows that of directories within the same five minutes."""
_SECONDS_PER_MESSAGE = 240.0
_SECONDS_PER_DIRECTORY = 120.0
_SECONDS_PER_LOOK = 10.0
"""A partition that hangs does not take the time of the steps that need no more of it."""
_UNDER_WAY = timedelta(minutes=1)
"""A change of an organization is over by then, or a crash ended it."""
_OUTAGES = (StorageUnavailableError, DirectoryStoreUnavailableError, SecretStoreUnavailableError, TimeoutError)

_log = logging.getLogger("scim.background")


@dataclass(frozen=True, slots=True)
class BackgroundWork:
    """What queue and timer triggers run. Every part may run on several machines at once, and stop at any point."""

    directories: DirectoryStore
    partition_of: Callable[[Directory], Partition]
    complete_creation: Callable[[DirectoryReference, datetime], Awaitable[None]]
    """Settles a directory whose creation a crash left half done, by the time that it is."""
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
    tell_of_keys: Callable[[], Awaitable[None]]
    """Tells the organizations' feeds what they have not been told of API keys."""
    organization_feed: TableOrganizationFeed
    audit_log: TableAuditLog
    provisioning_log: ProvisioningLogStore
    forget_links: Callable[[str, datetime], Awaitable[None]]
    """Removes the links to the portal of an organization that ended long before a time."""
    activity: ActivityStore
    places: Places
    remains: Remains
    service_time: Callable[[], Awaitable[datetime]]
    """The time by storage's clock: what is deleted for its age does not come back."""
    sweep_limits: Limits = SWEEP_LIMITS

    async def take_message(self, body: bytes) -> None:
        """Do what a message to the relay asks for; a text that is no directory's id asks for nothing.

        An outage is no failure of the message, which five failures would end in the poison queue: the sweep follows.
        """
        directory_id = body.decode(errors="replace")
        try:
            async with asyncio.timeout(_SECONDS_PER_MESSAGE):
                await self.relay_directory(directory_id)
        except _OUTAGES as outage:
            _log.warning("directory %s is left to the next sweep: %s", directory_id, outage or type(outage).__name__)

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

        A directory that fails or hangs does not keep the others waiting: it is logged, and swept again next time.
        """
        signals = ServiceSignals()
        references = {reference.directory_id: reference async for reference in self._references()}

        async def sweep(directory_id: str) -> bool:
            return await self._sweep_directory(references[directory_id], signals)

        with acting(SWEEP):
            await self._tell_of_keys()
            result, _ = await asyncio.gather(
                Round("sweep", self.sweep_limits, self.places).go(_by_account(references), sweep), self._tidy()
            )
        signals.directories, signals.failures = result.tried, result.failed
        signals.timeouts, signals.not_reached = result.timed_out, result.not_reached
        return signals

    async def _tidy(self) -> None:
        """Do what is left of organizations, and of what is gone."""
        try:
            async with asyncio.timeout(self.sweep_limits.seconds):
                steps = Steps("sweep", "the lists")
                await steps.take("organizations", self._follow())
                await steps.take("what is gone", self._remove_remains())
        except TimeoutError:
            _log.exception("sweep of the lists took too long; it is repeated next time")

    async def _remove_remains(self) -> None:
        gone = {each.id: each for each in await self.remains.listed()}
        if not gone:
            return
        now = await self.service_time()

        async def remove(name: str) -> bool:
            await self.remains.remove(gone[name], now)
            return True

        lanes = defaultdict[str, list[str]](list)
        for name in sorted(gone):
            lanes[gone[name].data_account].append(name)
        await Round("what is gone", self.sweep_limits, self.places).go(lanes, remove)

    async def _follow(self) -> None:
        left = await self.directories.left_behind()
        now = await self.service_time() if left else None
        for organization_id, since in left.items():
            await self.directories.follow(organization_id, is_over=now is not None and now - since >= _UNDER_WAY)

    async def forget_what_is_old(self) -> None:
        """Delete feed rows, log entries, loads and ended links that are older than their retention, of all there is."""
        with acting(RETENTION):
            await self._forget_what_is_old(await self.service_time())

    async def _forget_what_is_old(self, now: datetime) -> None:
        references = {reference.directory_id: reference async for reference in self._references()}
        directories = Round("retention", RETENTION_LIMITS, self.places)
        organizations = Round("retention of organizations", ORGANIZATION_LIMITS, self.places)
        names = [organization.id async for organization in self._organizations()]
        results = (
            await directories.go(_by_account(references), lambda name: self._forget_in_directory(name, now)),
            await organizations.go({"": names}, lambda name: self._forget_in_organization(name, now)),
        )
        await self._forget_service_log(now)
        left = sum(result.not_reached for result in results)
        if left:
            _log.warning("retention did not come to %d directories and organizations; it begins with them", left)

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

    async def _sweep_directory(self, reference: DirectoryReference, signals: ServiceSignals) -> bool:
        """Return whether every step succeeded. First come those that need no answer of the directory's partition."""
        steps = Steps("sweep", reference.directory_id)
        if reference.creating:
            await steps.take("its creation", self._complete_creation(reference))
        directory = await self.directories.directory(reference.directory_id)
        if directory is None:
            if not reference.creating:  # its deletion came to its end, but for the entry
                await self.directories.discard_reference(reference)
        elif directory.deletion is not None:
            await self.proceed_with_deletion(directory)
        else:
            await steps.take("its events", self.announce(directory))
            await steps.take("its tokens", self.settle_tokens(directory))
            await steps.take("the age of its backlog", self._look_at_backlog(directory, signals))
            await steps.take("its backlog", self._relay(directory))
            await steps.take("what follows from its feed", self._derive(directory, signals))
            await steps.take("its mappings", self.proceed_with_mappings(directory))
            await steps.take("its format", self.proceed_with_upgrade(directory))
        return steps.have_succeeded

    async def _complete_creation(self, reference: DirectoryReference) -> None:
        await self.complete_creation(reference, await self.service_time())

    async def _look_at_backlog(self, directory: Directory, signals: ServiceSignals) -> None:
        with storage_scope(min(_SECONDS_PER_LOOK, current_storage_scope().remaining())):
            age = await oldest_age_seconds(self.partition_of(directory))
        signals.oldest_age_seconds = max(signals.oldest_age_seconds, age)

    async def _forget_in_directory(self, name: str, now: datetime) -> bool:
        steps = Steps("retention", name)
        await steps.take("its events", self._forget_events(name, now))
        await steps.take("its log", self.provisioning_log.forget(name, retention_limit(now)))
        await steps.take("its loads", self.activity.forget(name, now - LOADS_KEPT))
        return steps.have_succeeded

    async def _forget_events(self, directory_id: str, now: datetime) -> None:
        directory = await self.directories.directory(directory_id)
        if directory is not None and directory.deletion is None:
            partition = self.partition_of(directory)
            await forget_old_events(partition, now=now)
            # A feed without a row behind the mark is told from one whose rows were deleted by the head's number alone.
            await derive(partition, last=(await relay_to_end(partition)).index.number)
            await forget_old_history(partition, retention_limit(now))

    async def _forget_in_organization(self, name: str, now: datetime) -> bool:
        steps = Steps("retention", name)
        await steps.take("its events", self.organization_feed.forget_old(name, now=now))
        await steps.take("its links", self.forget_links(name, now))
        await steps.take("its audit log", self.audit_log.forget(name, audit_limit(now)))
        await steps.take("its entry", self.directories.follow(name))
        return steps.have_succeeded

    async def _forget_service_log(self, now: datetime) -> None:
        for partition in OF_SERVICE:
            with storage_scope(_SECONDS_PER_LOOK):
                steps = Steps("retention", partition)
                await steps.take("the service's audit log", self.audit_log.forget(partition, audit_limit(now)))

    async def _tell_of_keys(self) -> None:
        with storage_scope(_SECONDS_PER_LOOK):
            await Steps("sweep", "API keys").take("their events", self.tell_of_keys())

    async def _catch_up(self, directory: Directory) -> None:
        await self._relay(directory)
        await self._derive(directory)

    async def _relay(self, directory: Directory) -> None:
        partition = self.partition_of(directory)
        await relay(partition)
        if await finish_operations(partition):
            await relay(partition)

    async def _derive(self, directory: Directory, signals: ServiceSignals | None = None) -> None:
        def recounted() -> None:
            if signals is not None:
                signals.recounts += 1

        await derive(self.partition_of(directory), recounted=recounted)


def _by_account(references: Mapping[str, DirectoryReference]) -> Mapping[str, Sequence[str]]:
    """Return the names of directories by the data account that they lie in, in order."""
    lanes = defaultdict[str, list[str]](list)
    for name in sorted(references):
        lanes[references[name].data_account].append(name)
    return lanes

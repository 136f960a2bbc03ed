"""The one place that chooses services and surfaces, over the stores that ``scim/composed_stores.py`` chooses.

Everything is made on first use, so that importing costs nothing.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache, cached_property
from typing import TYPE_CHECKING

from scim.composed_stores import DIRECTORIES_TABLE, Stores
from scim.service_signals import log_signals
from scim.settings import Settings

if TYPE_CHECKING:
    from scim.adapters.tables.background import BackgroundWork
    from scim.adapters.tables.format_upgrades import FormatUpgrades
    from scim.directories.api_key_service import ApiKeyService
    from scim.directories.creation import CreationService
    from scim.directories.deletion import DirectoryDeletion
    from scim.directories.guesses import Guesses
    from scim.directories.key_revocation import KeyRevocation
    from scim.directories.portal_access_service import PortalAccessService
    from scim.directories.service import DirectoryService
    from scim.directories.service_key_store import ServiceKeys
    from scim.directories.token_service import TokenService
    from scim.directories.token_watcher import TokenWatcher
    from scim.events.directory_reading import DirectoryReadings
    from scim.management.endpoint import ManagementEndpoint
    from scim.management.idempotency import Idempotency
    from scim.portal.endpoint import PortalEndpoint
    from scim.provisioning.activity_recorder import ActivityRecorder
    from scim.provisioning.authentication import Authenticator
    from scim.provisioning.endpoint import ProvisioningEndpoint
    from scim.provisioning.provisioning_log import ProvisioningLog
    from scim.readiness import Readiness
    from scim.request_log import BeginEntry


class Application(Stores):
    """The service of one process: its surfaces and the services they stand on.

    A test passes a part of its own by name, such as ``secret_store=…``; everything else is made as in production.
    """

    @cached_property
    def directories(self) -> DirectoryService:
        """What opens directories and hands out tokens."""
        from scim.directories.service import DirectoryService
        from scim.resources.identifiers import uuid7_hex

        return DirectoryService(
            self.directory_store,
            self.secret_store,
            self.organization_feed,
            now=self.now,
            new_id=uuid7_hex,
            ask=self.relay_requests.ask,
            data_accounts=self.settings.storage.new_directories_in or tuple(self.accounts),
        )

    @cached_property
    def deletion(self) -> DirectoryDeletion:
        """What deletes directories."""
        from scim.adapters.tables.directory_removal import TableDirectoryRows
        from scim.directories.deletion import DirectoryDeletion

        return DirectoryDeletion(
            self.directory_store,
            self.secret_store,
            self.organization_feed,
            TableDirectoryRows(self.tables_of),
            ask=self.relay_requests.ask,
            now=self.now,
            service_time=self.service_time,
        )

    @cached_property
    def tokens(self) -> TokenService:
        """What rotates, revokes and adopts tokens."""
        from scim.adapters.tables.token_rows import TableTokenUses
        from scim.directories.token_service import TokenService
        from scim.resources.identifiers import uuid7_hex

        return TokenService(
            self.directory_store,
            self.secret_store,
            self.watch_list,
            TableTokenUses(self.account.table(DIRECTORIES_TABLE)),
            self.organization_feed,
            now=self.now,
            new_id=uuid7_hex,
        )

    @cached_property
    def creations(self) -> CreationService:
        """What creates organizations and directories under an id that is known beforehand."""
        from scim.directories.creation import CreationService

        return CreationService(self.directories, self.tokens, self.directory_store, self.secret_store, now=self.now)

    @cached_property
    def token_watcher(self) -> TokenWatcher:
        """What finds changes that operators made in the secret store."""
        from scim.directories.token_watcher import TokenWatcher

        return TokenWatcher(self.directory_store, self.secret_store, self.watch_list, self.tokens, now=self.now)

    @cached_property
    def authenticator(self) -> Authenticator:
        """What lets requests in, and remembers the directories that it let them in for."""
        from scim.provisioning.authentication import Authenticator

        return Authenticator(self.directory_store, self.secret_store, used=self.token_uses.note, guesses=self.guesses)

    @cached_property
    def guesses(self) -> Guesses:
        """What bounds the cost of ids that nobody has, on all surfaces together."""
        from scim.directories.guesses import Guesses

        return Guesses()

    def directory_changed(self, directory_id: str) -> None:
        """Take note that this process changed a directory, so that it acts here at once."""
        if "authenticator" in self.__dict__:
            self.authenticator.forget(directory_id)

    @cached_property
    def provisioning(self) -> ProvisioningEndpoint:
        """The SCIM surface."""
        from scim.provisioning.endpoint import ProvisioningEndpoint

        observed = self.authenticator if self.telemetry is None else self.telemetry.authenticator(self.authenticator)
        return ProvisioningEndpoint(
            observed,
            self.resources_of,
            self.settings.public_base_url,
            observers=(self.provisioning_log.observe, self.activity.observe),
            begin_entry=self._begin_entry,
        )

    @cached_property
    def _begin_entry(self) -> BeginEntry:
        from scim.request_log import begin_entry

        return begin_entry if self.telemetry is None else self.telemetry.begin_entry

    @cached_property
    def activity(self) -> ActivityRecorder:
        """What keeps what directories are asked."""
        from scim.provisioning.activity_recorder import ActivityRecorder

        return ActivityRecorder(self.activity_store)

    @cached_property
    def provisioning_log(self) -> ProvisioningLog:
        """What keeps the provisioning log."""
        from scim.provisioning.provisioning_log import ProvisioningLog

        return ProvisioningLog(self.provisioning_log_store, self.directory_store)

    @cached_property
    def api_keys(self) -> ApiKeyService:
        """What hands out and recognises the keys of the application's backend."""
        from scim.adapters.tables.api_keys import TableApiKeyStore
        from scim.directories.api_key_service import ApiKeyService

        store = TableApiKeyStore(self.account.table(DIRECTORIES_TABLE))
        return ApiKeyService(
            store, self.directory_store, events=self.organization_feed, now=self.now, guesses=self.guesses
        )

    @cached_property
    def key_revocation(self) -> KeyRevocation:
        """What ends API keys with what they made."""
        from scim.directories.key_revocation import KeyRevocation

        return KeyRevocation(self.api_keys, self.portal_access, self.directory_store, self.now)

    @cached_property
    def portal_access(self) -> PortalAccessService:
        """What hands out links to the portal, and knows the sessions made with them."""
        from scim.adapters.tables.portal_access import TablePortalAccessStore
        from scim.directories.portal_access_service import PortalAccessService

        return PortalAccessService(
            TablePortalAccessStore(self.account.table(DIRECTORIES_TABLE)),
            self.directory_store,
            now=self.now,
            return_hosts=self.settings.portal.return_hosts,
            guesses=self.guesses,
        )

    @cached_property
    def service_keys(self) -> ServiceKeys:
        """What signs in the name of the service."""
        from scim.directories.service_key_store import ServiceKeys

        return ServiceKeys(self.secret_store, now=self.now, tell=self.audit_log.add)

    @cached_property
    def readings(self) -> DirectoryReadings:
        """What reads directories for pages, and tells how they stand."""
        from scim.adapters.tables.directory_reading import TableDirectoryReadings

        return TableDirectoryReadings(self.activity_store, self.partition_of, self.tokens.described, self.now)

    @cached_property
    def idempotency(self) -> Idempotency:
        """What keeps POST requests with an Idempotency-Key from making anything twice."""
        from scim.adapters.tables.claims import TableClaimStore
        from scim.management.idempotency import Idempotency
        from scim.resources.identifiers import uuid7_hex

        store = TableClaimStore(self.account.table(DIRECTORIES_TABLE))
        return Idempotency(store, now=self.now, new_id=uuid7_hex)

    async def forget_old_claims(self) -> int:
        """Forget what is kept of requests with an Idempotency-Key longer than a day; return how many those were."""
        keys = await self.api_keys.list()
        return await self.idempotency.forget_old([key.id for key in keys], await self.service_time())

    @cached_property
    def management(self) -> ManagementEndpoint:
        """The API for the application's backend."""
        from scim.events.organization_feed import OrganizationEventReader
        from scim.management.endpoint import ManagementEndpoint
        from scim.management.key_uses import KeyUses
        from scim.management.operation import Services

        services = Services(
            directories=self.directories,
            creations=self.creations,
            tokens=self.tokens,
            keys=self.api_keys,
            key_revocation=self.key_revocation,
            store_of=self.resources_of,
            deletion=self.deletion,
            standing_of=self.readings.standing_of,
            derived_of=self.derived_of,
            feed_of=self.feed_of,
            provisioning_log=self.provisioning_log_store,
            organization_events=OrganizationEventReader(self.organization_feed.read, self.feed_of),
            portal_access=self.portal_access,
            audit_log=self.audit_log,
            public_base_url=self.settings.public_base_url,
        )
        return ManagementEndpoint(services, KeyUses(self.api_keys), self.idempotency, begin_entry=self._begin_entry)

    @cached_property
    def portal(self) -> PortalEndpoint:
        """The pages for administrators."""
        from scim.portal.branding import read_branding
        from scim.portal.endpoint import PortalEndpoint
        from scim.portal.proofs import Proofs
        from scim.portal.visit import Services
        from scim.resources.identifiers import uuid7_hex

        services = Services(
            directories=self.directories,
            tokens=self.tokens,
            access=self.portal_access,
            branding=read_branding(self.settings.portal),
            store_of=self.resources_of,
            derived_of=self.derived_of,
            read_directory=self.readings.open,
            provisioning_log=self.provisioning_log_store,
            proofs=Proofs(self.service_keys, self.now),
            now=self.now,
            new_id=uuid7_hex,
        )
        return PortalEndpoint(services, self.settings.public_base_url, begin_entry=self._begin_entry)

    @cached_property
    def format_upgrades(self) -> FormatUpgrades:
        """What brings the rows of directories to the format that this version writes."""
        from scim.adapters.tables.format_upgrades import FormatUpgrades

        return FormatUpgrades(self.directory_store, self.partition_of, self.relay_requests.ask, self.service_time)

    @cached_property
    def background(self) -> BackgroundWork:
        """What queue and timer triggers run."""
        from scim.adapters.tables.background import BackgroundWork
        from scim.adapters.tables.mapping_changes import MappingChanges
        from scim.adapters.tables.rounds import Places

        return BackgroundWork(
            self.directory_store,
            self.partition_of,
            self.directories.complete_creation,
            self.tokens.settle,
            self.directories.announce,
            self.deletion.proceed,
            MappingChanges(self.directory_store, self.partition_of, self.relay_requests.ask, self.service_time).proceed,
            self.format_upgrades.proceed_small,
            self.api_keys.tell,
            self.organization_feed,
            self.audit_log,
            self.provisioning_log_store,
            self.portal_access.forget_ended,
            self.activity_store,
            Places(self.account.table(DIRECTORIES_TABLE)),
            self.remains,
            self.service_time,
        )

    async def sweep(self) -> None:
        """Finish what was left in every directory, and tell how the service stands."""
        from scim.adapters.storage_queue import poison_depth

        signals = await self.background.sweep()
        signals.poison_depth = await poison_depth(self.settings.storage, lambda: self.credential)
        log_signals(signals)
        if self.telemetry is not None:
            await self.telemetry.show(signals)

    @cached_property
    def readiness(self) -> Readiness:
        """Whether Table Storage and the secret store answer."""
        from scim.readiness import Readiness

        return Readiness({**self.storage_checks(), "secrets": self._require_secrets}, begin_entry=self._begin_entry)

    async def _require_secrets(self) -> None:
        """Raise unless the secret store answers, be it that it has no such secret: a read of a value, in its turn."""
        from scim.directories.errors import SecretNotFoundError

        with suppress(SecretNotFoundError):
            await self.secret_store.get("readiness", "0" * 32)

    async def close(self) -> None:
        """Finish what is under way and close connections."""
        await self.relay_requests.close()
        await self.token_uses.close()
        await self.provisioning_log.close()
        await self.activity.close()
        if "management" in self.__dict__:
            await self.management.key_uses.close()
        if "portal_access" in self.__dict__:
            await self.portal_access.close()
        await self.secret_store.close()
        for account in self.accounts.values():
            await account.close()
        if "credential" in self.__dict__:
            await self.credential.close()


@cache
def application() -> Application:
    """Return the application of this process, with settings from the environment.

    :raises SettingsError: Naming a setting that is missing or malformed.
    """
    return Application(Settings.from_environment(os.environ))

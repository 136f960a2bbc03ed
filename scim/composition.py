"""The one place that chooses implementations. Everything is made on first use, so that importing costs nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from scim.service_signals import log_signals
from scim.settings import Settings

if TYPE_CHECKING:
    from scim.adapters.storage_queue import RelayRequests
    from scim.adapters.tables.background import BackgroundWork
    from scim.adapters.tables.client import StorageAccount
    from scim.adapters.tables.directories import TableDirectoryStore
    from scim.adapters.tables.partition import Partition
    from scim.adapters.telemetry.telemetry import Telemetry
    from scim.directories.api_key_service import ApiKeyService
    from scim.directories.directory import Directory
    from scim.directories.interfaces import SecretStore, WatchList
    from scim.directories.service import DirectoryService
    from scim.directories.token_events import TokenEvents
    from scim.directories.token_service import TokenService
    from scim.directories.token_uses import TokenUses
    from scim.directories.token_watcher import TokenWatcher
    from scim.events.feed import FeedCursor, FeedPage
    from scim.management.endpoint import ManagementEndpoint
    from scim.provisioning.endpoint import ProvisioningEndpoint
    from scim.provisioning.provisioning_log import ProvisioningLog
    from scim.readiness import Readiness
    from scim.request_log import BeginEntry
    from scim.resources.interfaces import ResourceStore
    from scim.resources.provisioning_log import ProvisioningLogStore

RESOURCES_TABLE, DIRECTORIES_TABLE, LOG_TABLE = "resources", "directories", "provisioninglog"


class Application:
    """The service of one process: its surfaces and what they stand on.

    A test passes a part of its own by name, such as ``secret_store=…``; everything else is made as in production.
    """

    def __init__(self, settings: Settings, **parts: Any) -> None:
        self.settings = settings
        for name, part in parts.items():
            if not hasattr(type(self), name):
                raise TypeError(f"the application has no part named {name}")
            self.__dict__[name] = part

    @cached_property
    def telemetry(self) -> Telemetry | None:
        """What makes spans and metrics; None where telemetry is off, so that nothing is put around anything."""
        if not self.settings.telemetry:
            return None
        from scim.adapters.telemetry.telemetry import Telemetry

        return Telemetry()

    @cached_property
    def account(self) -> StorageAccount:
        """The storage account that holds directories and resources."""
        from scim.adapters.tables.client import StorageAccount

        storage = self.settings.storage
        options: dict[str, Any] = {"sdk": self.settings.table_client == "sdk"}
        if self.telemetry is not None:
            options["observe"] = self.telemetry.table
        if storage.connection_string:
            return StorageAccount.from_connection_string(storage.connection_string, **options)
        return StorageAccount(storage.table_service_uri, self.credential, **options)

    @cached_property
    def credential(self) -> Any:
        """The identity the app has in Azure; locally, the developer's az login."""
        from scim.adapters.azure_identity import azure_credential

        return azure_credential(self.settings.storage.client_id)

    @cached_property
    def directory_store(self) -> TableDirectoryStore:
        """Where organizations and directories are kept."""
        from scim.adapters.tables.directories import TableDirectoryStore

        return TableDirectoryStore(self.account.table(DIRECTORIES_TABLE))

    @cached_property
    def secret_store(self) -> SecretStore:
        """Where token values are kept."""
        store = self._bare_secret_store()
        return store if self.telemetry is None else self.telemetry.secret_store(store)

    def _bare_secret_store(self) -> SecretStore:
        if self.settings.secret_store_file is None:
            from scim.adapters.key_vault import KeyVaultSecretStore

            return KeyVaultSecretStore(self.settings.vault_url, lambda: self.credential)
        from scim.adapters.local_secrets import LocalSecretStore

        return LocalSecretStore(self.settings.secret_store_file)

    @cached_property
    def directories(self) -> DirectoryService:
        """What opens directories and hands out tokens."""
        from scim.directories.service import DirectoryService
        from scim.resources.identifiers import uuid7_hex

        return DirectoryService(
            self.directory_store, self.secret_store, now=lambda: datetime.now(UTC), new_id=uuid7_hex
        )

    @cached_property
    def token_events(self) -> TokenEvents:
        """What is told of tokens."""
        from scim.directories.token_events import NoTokenEvents

        return NoTokenEvents()

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
            self.token_events,
            now=lambda: datetime.now(UTC),
            new_id=uuid7_hex,
        )

    @cached_property
    def watch_list(self) -> WatchList:
        """Which secrets are looked at in every round of the watcher."""
        from scim.adapters.tables.token_rows import TableWatchList

        return TableWatchList(self.account.table(DIRECTORIES_TABLE))

    @cached_property
    def token_watcher(self) -> TokenWatcher:
        """What finds changes that operators made in the secret store."""
        from scim.directories.token_watcher import TokenWatcher

        return TokenWatcher(
            self.directory_store, self.secret_store, self.watch_list, self.tokens, now=lambda: datetime.now(UTC)
        )

    @cached_property
    def token_uses(self) -> TokenUses:
        """What keeps when tokens were last used."""
        from scim.adapters.tables.token_rows import TableTokenUses
        from scim.directories.token_uses import TokenUses

        return TokenUses(TableTokenUses(self.account.table(DIRECTORIES_TABLE)))

    @cached_property
    def relay_requests(self) -> RelayRequests:
        """What asks the relay for a directory after a change."""
        from scim.adapters.storage_queue import RelayRequests, queue_sender

        return RelayRequests(queue_sender(self.settings.storage, lambda: self.credential))

    def partition_of(self, directory: Directory) -> Partition:
        """Return the partition that holds a directory's resources."""
        from scim.adapters.tables.partition import Partition

        return Partition(self.account.table(RESOURCES_TABLE), directory.id, directory.organization_id)

    def resources_of(self, directory: Directory) -> ResourceStore:
        """Return the users and groups of a directory."""
        from scim.adapters.tables.resource_store import TableResourceStore

        return TableResourceStore(self.partition_of(directory), self.relay_requests.ask)

    @cached_property
    def provisioning(self) -> ProvisioningEndpoint:
        """The SCIM surface."""
        from scim.provisioning.authentication import Authenticates, Authenticator
        from scim.provisioning.endpoint import ProvisioningEndpoint

        authenticator: Authenticates = Authenticator(self.directory_store, self.secret_store, used=self.token_uses.note)
        if self.telemetry is not None:
            authenticator = self.telemetry.authenticator(authenticator)
        return ProvisioningEndpoint(
            authenticator,
            self.resources_of,
            self.settings.public_base_url,
            observers=(self.provisioning_log.observe,),
            **self._observed_entries(),
        )

    def _observed_entries(self) -> dict[str, BeginEntry]:
        return {} if self.telemetry is None else {"begin_entry": self.telemetry.begin_entry}

    @cached_property
    def provisioning_log(self) -> ProvisioningLog:
        """What keeps the provisioning log."""
        from scim.provisioning.provisioning_log import ProvisioningLog

        return ProvisioningLog(self.provisioning_log_store, self.directory_store)

    @cached_property
    def provisioning_log_store(self) -> ProvisioningLogStore:
        """Where the provisioning log is kept."""
        from scim.adapters.tables.provisioning_log import TableProvisioningLog

        return TableProvisioningLog(self.account.table(LOG_TABLE))

    @cached_property
    def api_keys(self) -> ApiKeyService:
        """What hands out and recognises the keys of the application's backend."""
        from scim.adapters.tables.api_keys import TableApiKeyStore
        from scim.directories.api_key_service import ApiKeyService

        store = TableApiKeyStore(self.account.table(DIRECTORIES_TABLE))
        return ApiKeyService(store, self.directory_store, now=lambda: datetime.now(UTC))

    async def counts_of(self, directory: Directory) -> Mapping[str, int]:
        """Return how many users, active users and groups a directory has. One storage request."""
        from scim.adapters.tables.directory_index import read_index

        return (await read_index(self.partition_of(directory))).current_counts()

    async def feed_of(self, directory: Directory, after: FeedCursor, limit: int) -> FeedPage:
        """Return events of a directory."""
        from scim.adapters.tables.feed import read_feed

        return await read_feed(self.partition_of(directory), after, limit)

    @cached_property
    def management(self) -> ManagementEndpoint:
        """The API for the application's backend."""
        from scim.management.endpoint import ManagementEndpoint
        from scim.management.key_uses import KeyUses
        from scim.management.operation import Services

        services = Services(
            directories=self.directories,
            tokens=self.tokens,
            keys=self.api_keys,
            store_of=self.resources_of,
            counts_of=self.counts_of,
            feed_of=self.feed_of,
            provisioning_log=self.provisioning_log_store,
            public_base_url=self.settings.public_base_url,
        )
        return ManagementEndpoint(services, KeyUses(self.api_keys), **self._observed_entries())

    @cached_property
    def background(self) -> BackgroundWork:
        """What queue and timer triggers run."""
        from scim.adapters.tables.background import BackgroundWork

        return BackgroundWork(
            self.directory_store,
            self.partition_of,
            self.directories.complete_creation,
            self.tokens.settle,
            self.provisioning_log_store,
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

        return Readiness(
            {
                "tables": lambda: self.account.table(RESOURCES_TABLE).read("readiness", "readiness"),
                "secrets": lambda: self.secret_store.list_versions("readiness"),
            }
        )

    async def prepare_storage(self) -> None:
        """Create the tables where nobody provisioned them: locally and in tests."""
        for name in (RESOURCES_TABLE, DIRECTORIES_TABLE, LOG_TABLE):
            await self.account.create_table(name)

    async def close(self) -> None:
        """Finish what is under way and close connections."""
        await self.relay_requests.close()
        await self.token_uses.close()
        await self.provisioning_log.close()
        if "management" in self.__dict__:
            await self.management.key_uses.close()
        await self.secret_store.close()
        await self.account.close()
        if "credential" in self.__dict__:
            await self.credential.close()


@cache
def application() -> Application:
    """Return the application of this process, with settings from the environment.

    :raises SettingsError: Naming a setting that is missing or malformed.
    """
    return Application(Settings.from_environment(os.environ))

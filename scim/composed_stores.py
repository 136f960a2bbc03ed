"""The one place that chooses the outside world: storage, secret store, queue. Everything is made on first use."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from scim.directories.placement import DEFAULT_DATA_ACCOUNT
from scim.resources.errors import StorageUnavailableError
from scim.settings import FURTHER_ACCOUNTS, Settings

if TYPE_CHECKING:
    from scim.adapters.storage_queue import RelayRequests
    from scim.adapters.tables.audit_log import TableAuditLog
    from scim.adapters.tables.client import StorageAccount
    from scim.adapters.tables.directories import TableDirectoryStore
    from scim.adapters.tables.organization_feed import TableOrganizationFeed
    from scim.adapters.tables.partition import Partition
    from scim.adapters.tables.remains import Remains
    from scim.adapters.tables.table import Table
    from scim.adapters.telemetry.telemetry import Telemetry
    from scim.directories.activity import ActivityStore
    from scim.directories.directory import Directory
    from scim.directories.interfaces import SecretStore, WatchList
    from scim.directories.token_uses import TokenUses
    from scim.events.feed import FeedCursor, FeedPage
    from scim.resources.derived import DerivedReader
    from scim.resources.interfaces import ResourceStore
    from scim.resources.provisioning_log import ProvisioningLogStore

RESOURCES_TABLE, DIRECTORIES_TABLE, LOG_TABLE = "resources", "directories", "provisioninglog"

_log = logging.getLogger("scim.storage")


class Stores:
    """What the services of one process stand on."""

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
        """The first data account: it holds the rows of directories, their logs, and resources as others do."""
        storage = self.settings.storage
        return self._storage_account(storage.connection_string or storage.table_service_uri)

    @cached_property
    def further_accounts(self) -> Mapping[str, StorageAccount]:
        """The data accounts beside the first, by their names."""
        return {name: self._storage_account(place) for name, place in self.settings.storage.further_accounts.items()}

    @cached_property
    def accounts(self) -> Mapping[str, StorageAccount]:
        """All data accounts by their names, the first of them first."""
        return {DEFAULT_DATA_ACCOUNT: self.account, **self.further_accounts}

    def _storage_account(self, place: str) -> StorageAccount:
        from scim.adapters.tables.client import StorageAccount

        options: dict[str, Any] = {"sdk": self.settings.table_client == "sdk"}
        if self.telemetry is not None:
            options["observe"] = self.telemetry.table
        if self.settings.storage.connection_string:
            return StorageAccount.from_connection_string(place, **options)
        return StorageAccount(place, self.credential, **options)

    def account_of(self, directory: Directory) -> StorageAccount:
        """Return the data account that holds a directory's partition.

        :raises StorageUnavailableError: When the settings do not name it; no other one takes its place.
        """
        account = self.accounts.get(directory.data_account)
        if account is None:
            reason = f"{directory.id} lies in data account {directory.data_account!r}, not named in {FURTHER_ACCOUNTS}"
            _log.error(reason)
            raise StorageUnavailableError(reason)
        return account

    @cached_property
    def credential(self) -> Any:
        """The identity the app has in Azure; locally, the developer's az login."""
        from scim.adapters.azure_identity import azure_credential

        return azure_credential(self.settings.storage.client_id)

    @cached_property
    def directory_store(self) -> TableDirectoryStore:
        """Where organizations and directories are kept."""
        from scim.adapters.tables.directories import TableDirectoryStore

        return TableDirectoryStore(self.account.table(DIRECTORIES_TABLE), changed=self.directory_changed)

    def directory_changed(self, directory_id: str) -> None:
        """Take note that this process changed a directory; what remembers directories forgets it."""

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
    def watch_list(self) -> WatchList:
        """Which secrets are looked at in every round of the watcher."""
        from scim.adapters.tables.token_rows import TableWatchList

        return TableWatchList(self.account.table(DIRECTORIES_TABLE))

    @cached_property
    def token_uses(self) -> TokenUses:
        """What keeps when tokens were last used."""
        from scim.adapters.tables.token_rows import TableTokenUses
        from scim.directories.token_uses import TokenUses

        return TokenUses(TableTokenUses(self.account.table(DIRECTORIES_TABLE)))

    @cached_property
    def service_clock(self) -> Callable[[], Awaitable[datetime]]:
        """What tells the time by storage's clock."""
        from scim.adapters.tables.service_time import ServiceTime

        return ServiceTime(self.account.table(DIRECTORIES_TABLE))

    async def service_time(self) -> datetime:
        """Return the time by storage's clock, in UTC, where a machine's may not count. Two storage requests."""
        return await self.service_clock()

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.now(UTC)

    @cached_property
    def relay_requests(self) -> RelayRequests:
        """What asks the relay for a directory after a change."""
        from scim.adapters.storage_queue import RelayRequests, queue_sender

        return RelayRequests(queue_sender(self.settings.storage, lambda: self.credential))

    def partition_of(self, directory: Directory) -> Partition:
        """Return the partition that holds a directory's resources."""
        from scim.adapters.tables.mapped_attributes import MappedAttributes
        from scim.adapters.tables.partition import Partition

        table = self.account_of(directory).table(RESOURCES_TABLE)
        attributes = MappedAttributes.of(directory)
        return Partition(table, directory.id, directory.organization_id, attributes, directory.reached_format)

    def resources_of(self, directory: Directory) -> ResourceStore:
        """Return the users and groups of a directory."""
        from scim.adapters.tables.resource_store import TableResourceStore

        return TableResourceStore(self.partition_of(directory), self.relay_requests.ask)

    @cached_property
    def organization_feed(self) -> TableOrganizationFeed:
        """What is told of directories and tokens."""
        from scim.adapters.tables.organization_feed import TableOrganizationFeed

        return TableOrganizationFeed(self.account.table(DIRECTORIES_TABLE))

    @cached_property
    def audit_log(self) -> TableAuditLog:
        """What tells who changed what."""
        from scim.adapters.tables.audit_log import TableAuditLog

        return TableAuditLog(self.account.table(DIRECTORIES_TABLE))

    def tables_of(self, directory: Directory) -> Sequence[Table]:
        """Return the tables in which a directory has a partition of its own, but for that of the directories."""
        return [self.partition_of(directory).table, self.account.table(LOG_TABLE)]

    @cached_property
    def remains(self) -> Remains:
        """What removes what was written behind the end of a directory or an organization."""
        from scim.adapters.tables.remains import Remains

        table = self.account.table(DIRECTORIES_TABLE)
        return Remains(table, self._tables_in, self.directory_store.forget_rows)

    def _tables_in(self, data_account: str) -> Sequence[Table]:
        account = self.accounts.get(data_account)
        if account is None:
            raise StorageUnavailableError(f"data account {data_account!r} is not named in {FURTHER_ACCOUNTS}")
        return [account.table(RESOURCES_TABLE), self.account.table(LOG_TABLE)]

    def derived_of(self, directory: Directory) -> DerivedReader:
        """Return what is derived from the events of a directory."""
        from scim.adapters.tables.derived_rows import TableDerivedReader

        return TableDerivedReader(self.partition_of(directory))

    @cached_property
    def activity_store(self) -> ActivityStore:
        """Where it is kept what directories are asked."""
        from scim.adapters.tables.activity_rows import TableActivityStore

        return TableActivityStore(self.account.table(DIRECTORIES_TABLE))

    @cached_property
    def provisioning_log_store(self) -> ProvisioningLogStore:
        """Where the provisioning log is kept."""
        from scim.adapters.tables.provisioning_log import TableProvisioningLog

        return TableProvisioningLog(self.account.table(LOG_TABLE))

    async def feed_of(self, directory: Directory, after: FeedCursor, limit: int) -> FeedPage:
        """Return events of a directory."""
        from scim.adapters.tables.feed import read_feed

        return await read_feed(self.partition_of(directory), after, limit)

    async def prepare_storage(self) -> None:
        """Create the tables where nobody provisioned them: locally and in tests."""
        for name in (DIRECTORIES_TABLE, LOG_TABLE):
            await self.account.create_table(name)
        for account in self.accounts.values():
            await account.create_table(RESOURCES_TABLE)

    def storage_checks(self) -> dict[str, Callable[[], Awaitable[object]]]:
        """Return for each data account what raises unless it answers."""
        return {
            "tables" if name == DEFAULT_DATA_ACCOUNT else f"tables of {name}": partial(
                account.table(RESOURCES_TABLE).read, "readiness", "readiness"
            )
            for name, account in self.accounts.items()
        }

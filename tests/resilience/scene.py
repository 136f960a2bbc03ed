"""A directory to change under faults: the real service over Azurite, on tables of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scim.adapters.tables.client import StorageAccount
from scim.adapters.tables.retrying_table import RetryingTable
from scim.adapters.tables.table import Table
from scim.adapters.tables.transport import Transport
from scim.composition import Application
from scim.settings import Settings, StorageSettings
from tests.fakes.memory_account import RecordedRelayRequests
from tests.fakes.memory_secrets import MemorySecretStore
from tests.fakes.recorded_outcomes import RecordedOutcomes
from tests.fakes.recorded_uses import RecordedUses
from tests.faults import FaultyTransport
from tests.resilience.stock import Stock, unique
from tests.service import ScimClient, Service

POOL = 75


@dataclass(frozen=True, slots=True)
class OwnTables:
    """A storage account whose tables are this scene's alone: Azurite reads a whole table to answer a query."""

    account: StorageAccount
    suffix: str = field(default_factory=unique)

    def table(self, name: str) -> Table:
        return self.account.table(name + self.suffix)

    async def create_table(self, name: str) -> None:
        await self.account.create_table(name + self.suffix)

    async def close(self) -> None:
        return


@dataclass(frozen=True, slots=True)
class Scene(Stock):
    """A directory with a pool of users that are nobody's in particular."""

    client: ScimClient
    transport: FaultyTransport
    pool: Sequence[str]

    async def settle(self) -> None:
        """Wait until what was given up is void: that is done beside the requests, and its calls count, too."""
        table = self.partition.table
        assert isinstance(table, RetryingTable)
        await table.close()


async def no_pause(_seconds: float) -> None:
    """Try again at once."""


async def open_scene(connection_string: str, connections: Transport, *, pool: int = POOL) -> Scene:
    """Return a fresh directory, whose storage calls fail when its transport is told so."""
    transport = FaultyTransport(connections)
    account = StorageAccount.from_connection_string(connection_string, transport=transport, pause=no_pause)
    application = Application(
        Settings(StorageSettings("UseDevelopmentStorage=true"), Path("unused")),
        account=OwnTables(account),
        secret_store=MemorySecretStore(),
        relay_requests=RecordedRelayRequests(),
        token_uses=RecordedUses(),
        provisioning_log=RecordedOutcomes(),
        activity=RecordedOutcomes(),
    )
    await application.prepare_storage()
    client = await Service(application, transport.count).new_directory()
    stock = Stock(application.resources_of(client.directory), client.partition)
    return Scene(stock.store, stock.partition, client, transport, await stock.users(pool))

"""Tables to run the contract on: both clients against Azurite, with faults in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from scim.adapters.tables.client import StorageAccount
from scim.adapters.tables.table import Table
from scim.adapters.tables.transport import AiohttpTransport
from scim.local_host.azurite import Azurite
from tests.faults import FaultyTransport

TABLE = "contract"


@pytest.fixture(scope="session")
async def shared_transport() -> AsyncIterator[AiohttpTransport]:
    """One pool of connections for the session."""
    transport = AiohttpTransport()
    yield transport
    await transport.close()


@pytest.fixture
def faults(shared_transport: AiohttpTransport) -> FaultyTransport:
    """What stands between the table of this test and Azurite."""
    return FaultyTransport(shared_transport)


@pytest.fixture(params=["rest", "sdk"])
async def account(request: pytest.FixtureRequest, azurite: Azurite, faults: FaultyTransport) -> StorageAccount:
    """The storage account over one client, its table created."""
    account = StorageAccount.from_connection_string(
        azurite.connection_string, transport=faults, sdk=request.param == "sdk"
    )
    await account.create_table(TABLE)
    faults.reset()
    return account


@pytest.fixture
def table(account: StorageAccount) -> Table:
    """The table under test."""
    return account.table(TABLE)


@pytest.fixture
def partition() -> str:
    """A partition of this test alone."""
    return f"dir_{uuid4().hex}"

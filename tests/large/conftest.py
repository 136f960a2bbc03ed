"""A directory of many users with groups of very different sizes, seeded once for all tests of this folder."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scim.adapters.tables.client import StorageAccount
from scim.adapters.tables.transport import AiohttpTransport
from scim.composition import Application
from scim.local_host.azurite import Azurite, start_azurite
from scim.maintenance.commands import seed
from scim.maintenance.progress import Progress
from scim.maintenance.results import SeedResult
from scim.settings import Settings, StorageSettings
from tests.fakes.memory_account import RecordedRelayRequests
from tests.fakes.memory_secrets import MemorySecretStore
from tests.fakes.recorded_outcomes import RecordedOutcomes
from tests.fakes.recorded_uses import RecordedUses
from tests.faults import FaultyTransport
from tests.service import ScimClient

USERS = int(os.environ.get("SCIM_LARGE_USERS", "20000"))
"""100,000 for the record; fewer in CI, where it is about the cost not growing."""
GROUPS = (10, 1_000, USERS)


@dataclass(frozen=True, slots=True)
class LargeDirectory:
    """A client of the directory, and its groups by size."""

    scim: ScimClient
    users: int
    groups: dict[int, str]
    application: Application


@pytest.fixture(scope="session")
def own_azurite() -> Iterator[Azurite]:
    """An Azurite for this folder alone: it searches all its rows for every query, other tests' too."""
    azurite = start_azurite(location=None)
    yield azurite
    azurite.stop()


@pytest.fixture(scope="session")
async def large(own_azurite: Azurite) -> AsyncIterator[LargeDirectory]:
    """The seeded directory."""
    transport = FaultyTransport(AiohttpTransport())
    account = StorageAccount.from_connection_string(own_azurite.connection_string, transport=transport)
    application = Application(
        Settings(StorageSettings("UseDevelopmentStorage=true"), Path("unused")),
        account=account,
        secret_store=MemorySecretStore(),
        relay_requests=RecordedRelayRequests(),
        token_uses=RecordedUses(),
        provisioning_log=RecordedOutcomes(),
        activity=RecordedOutcomes(),
    )
    result = await seed(application, None, USERS, GROUPS, Progress(sys.stderr))
    yield LargeDirectory(await _client(application, result, transport), USERS, _by_size(result), application)
    await account.close()


async def _client(application: Application, result: SeedResult, transport: FaultyTransport) -> ScimClient:
    directory = await application.directories.get_directory(result.directory_id)
    scim = ScimClient(application, directory, str(result.token), lambda: _requests(transport))
    assert (await scim.get("/ResourceTypes")).status == 200
    return scim


def _requests(transport: FaultyTransport) -> int:
    """Count what operations ask for; the directory's row, read again every 30 s, is none of their cost."""
    return sum("/directories(" not in call.request.url for call in transport.calls)


def _by_size(result: SeedResult) -> dict[int, str]:
    return {size: group_id for group_id, size in result.groups.items()}

"""Fixtures of the tests of failing storage, dying processes and meeting requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from scim.local_host.azurite import Azurite, start_azurite
from tests.resilience.hosts import Behind, Host, HostClient, behind, started
from tests.service import connections

__all__ = ["connections"]


@pytest.fixture(scope="module")
def kept_azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """An Azurite of one module alone, which keeps its data: it outlives every host."""
    azurite = start_azurite(location=tmp_path_factory.mktemp("storage"))
    yield azurite
    azurite.stop()


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which each host of a module has its own."""
    return tmp_path_factory.mktemp("hosts")


@pytest.fixture(scope="module")
def hosts(kept_azurite: Azurite, places: Path) -> Iterator[tuple[Host, Host]]:
    """Two hosts on one storage, which serve the same directory."""
    storage, first, second = kept_azurite.connection_string, places / "first", places / "second"
    with started(storage, first) as one, started(storage, second, like=first) as other:
        yield one, other


@pytest.fixture
async def client(hosts: tuple[Host, Host]) -> AsyncIterator[HostClient]:
    """Sends requests to both hosts."""
    async with aiohttp.ClientSession() as session:
        yield HostClient(session, hosts)


@pytest.fixture
async def storage(kept_azurite: Azurite, hosts: tuple[Host, Host]) -> AsyncIterator[Behind]:
    """The rows behind both hosts."""
    rows = await behind(kept_azurite.connection_string, hosts[0])
    yield rows
    await rows.application.close()

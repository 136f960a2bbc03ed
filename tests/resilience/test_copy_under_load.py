"""A copy of Azurite's rows made under two writers, put back into another Azurite, repaired, and followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from scim.adapters.tables.client import StorageAccount
from scim.adapters.tables.consistency.check import check_directory
from scim.adapters.tables.consistency.repairs import repair_directory
from scim.adapters.tables.feed import read_feed
from scim.adapters.tables.rest_table import RestTable
from scim.adapters.tables.transport import AiohttpTransport
from scim.events.feed import CursorExpiredError, FeedCursor
from scim.local_host.azurite import Azurite, start_azurite
from scim.maintenance.copies import backup
from scim.maintenance.progress import Progress
from scim.maintenance.restoring import restore
from tests.api import ApiClient
from tests.faults import FaultyTransport
from tests.mirror import assert_events_tell_all
from tests.service import ScimClient, Service, service_on

_BEFORE = 320
"""Users that are there before: with their rows more than one page of 1,000, so that the copy is not of one moment."""


async def opened(azurite: Azurite, secret_store: Any = None) -> AsyncIterator[Service]:
    """Yield a service over an Azurite."""
    connections = AiohttpTransport()
    transport = FaultyTransport(connections)
    account = StorageAccount.from_connection_string(azurite.connection_string, transport=transport)
    yield await service_on(account, secret_store)
    await connections.close()


@pytest.fixture
async def source(own_azurite: Azurite) -> AsyncIterator[Service]:
    async for service in opened(own_azurite):
        yield service


@pytest.fixture
async def target(source: Service) -> AsyncIterator[Service]:
    azurite = start_azurite(location=None)
    async for service in opened(azurite, source.application.secret_store):
        yield service
    azurite.stop()


async def write(scim: ScimClient, name: str, done: asyncio.Event) -> None:
    """Make users, delete every third and relay every tenth time, until it is over."""
    number = 0
    while not done.is_set():
        number += 1
        user = await scim.new_user(f"{name}{number}")
        if number % 3 == 0:
            await scim.delete(f"/Users/{user['id']}")
        if number % 10 == 0:
            await scim.relay()


async def test_a_copy_made_under_two_writers_comes_back_clean_and_its_events_tell_all(
    source: Service, target: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_of_all = RestTable.page_of_all

    async def slow_page(table: RestTable, continuation: Any) -> Any:
        await asyncio.sleep(0.4)  # as a copy of many directories takes
        return await page_of_all(table, continuation)

    monkeypatch.setattr(RestTable, "page_of_all", slow_page)
    scim, progress, done = await source.new_directory(), Progress(StringIO()), asyncio.Event()
    key = (await source.application.api_keys.create("reader", ["read"])).value
    await scim.new_users(_BEFORE)
    writers = [asyncio.create_task(write(scim, name, done)) for name in ("left", "right")]
    await backup(source.application, tmp_path / "rows.gz", progress)
    done.set()
    await asyncio.gather(*writers)
    old = (await read_feed(scim.partition, FeedCursor(), 1000)).end

    await restore(target.application, tmp_path / "rows.gz", [], progress)
    back = ScimClient(target.application, scim.directory, scim.token, target.meter)
    found = await check_directory(back.partition)
    repaired = await repair_directory(back.partition)

    assert "untold_resources" in {violation.kind for violation in found}
    assert repaired.left == []
    assert await check_directory(back.partition) == []
    with pytest.raises(CursorExpiredError):
        await read_feed(back.partition, old, 100)
    await assert_events_tell_all(ApiClient(target.application, key, target.meter), back.directory.id)

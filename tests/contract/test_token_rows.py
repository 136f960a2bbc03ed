"""The watch list and the uses of tokens, on both clients of Table Storage."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from scim.adapters.tables.directories import TableDirectoryStore
from scim.adapters.tables.organization_feed import TableOrganizationFeed
from scim.adapters.tables.table import Table
from scim.adapters.tables.token_rows import TableTokenUses, TableWatchList
from scim.directories.directory import DirectoryReference
from scim.directories.errors import DirectoryNotFoundError, DirectoryStoreUnavailableError
from scim.directories.service import DirectoryService
from tests.fakes.memory_secrets import MemorySecretStore
from tests.faults import FaultyTransport, answer, anything, drop_after_commit

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@pytest.fixture(name="directory_id")
async def _directory_id(table: Table) -> str:
    service = DirectoryService(
        TableDirectoryStore(table),
        MemorySecretStore(),
        TableOrganizationFeed(table),
        now=lambda: NOW,
        new_id=lambda: uuid4().hex,
    )
    organization = await service.create_organization("Acme")
    return (await service.create_directory(organization.id, name="Entra", provider="entra_id")).directory.id


async def reference(table: Table, directory_id: str) -> DirectoryReference:
    continuation = None
    while True:
        page = await TableDirectoryStore(table).list_directories(continuation)
        for each in page.references:
            if each.directory_id == directory_id:
                return each
        continuation = page.continuation
        assert continuation is not None


async def test_a_directory_is_watched_until_it_is_not(table: Table, directory_id: str) -> None:
    watch_list = TableWatchList(table)
    assert not (await reference(table, directory_id)).watched
    await watch_list.watch(directory_id)
    await watch_list.watch(directory_id)
    assert (await reference(table, directory_id)).watched
    await watch_list.unwatch(await reference(table, directory_id))
    assert not (await reference(table, directory_id)).watched


async def test_an_entry_that_changed_since_it_was_listed_stays_watched(table: Table, directory_id: str) -> None:
    watch_list = TableWatchList(table)
    await watch_list.watch(directory_id)
    listed = await reference(table, directory_id)
    await watch_list.watch(directory_id)
    await watch_list.unwatch(listed)
    assert (await reference(table, directory_id)).watched


async def test_what_is_not_listed_cannot_be_watched(table: Table, directory_id: str) -> None:
    watch_list = TableWatchList(table)
    for unknown in (f"dir_{uuid4().hex}", "dir_", "../x"):
        with pytest.raises(DirectoryNotFoundError):
            await watch_list.watch(unknown)
    listed = await reference(table, directory_id)
    await TableDirectoryStore(table).discard_reference(listed)
    await watch_list.unwatch(listed)


async def test_many_at_once_are_all_watched(table: Table, directory_id: str) -> None:
    await asyncio.gather(*(TableWatchList(table).watch(directory_id) for _ in range(8)))
    assert (await reference(table, directory_id)).watched


async def test_the_last_change_is_remembered(table: Table) -> None:
    watch_list = TableWatchList(table)
    for moment in (NOW, NOW + timedelta(seconds=1)):
        await watch_list.remember_change(moment)
        assert await watch_list.last_change() == moment


async def test_uses_are_kept_by_version(table: Table, directory_id: str) -> None:
    uses, versions = TableTokenUses(table), (uuid4().hex, uuid4().hex)
    await uses.record_use(directory_id, versions[0], NOW)
    await uses.record_use(directory_id, versions[1], NOW)
    await uses.record_use(directory_id, versions[1], NOW + timedelta(minutes=1))
    assert await uses.uses(directory_id) == {versions[0]: NOW, versions[1]: NOW + timedelta(minutes=1)}
    assert await uses.uses("../x") == {}


async def test_a_use_costs_one_request_and_three_the_first_time(
    table: Table, directory_id: str, faults: FaultyTransport
) -> None:
    uses, version = TableTokenUses(table), uuid4().hex
    faults.reset()
    await uses.record_use(directory_id, version, NOW)
    assert faults.count() == 3
    await uses.record_use(directory_id, version, NOW)
    assert faults.count() == 4


async def test_the_use_of_a_directory_that_is_gone_leaves_no_row(table: Table) -> None:
    directory_id = f"dir_{uuid4().hex}"
    await TableTokenUses(table).record_use(directory_id, "1", NOW)
    assert await TableTokenUses(table).uses(directory_id) == {}


@pytest.mark.parametrize("number", [1, 2, 3])
async def test_a_use_is_kept_although_an_answer_is_lost(
    table: Table, directory_id: str, faults: FaultyTransport, number: int
) -> None:
    faults.reset()
    faults.at(number, drop_after_commit())
    await TableTokenUses(table).record_use(directory_id, "1", NOW)
    assert await TableTokenUses(table).uses(directory_id) == {"1": NOW}


async def test_an_outage_is_told_in_the_words_of_the_directories(
    table: Table, directory_id: str, faults: FaultyTransport
) -> None:
    watch_list, uses = TableWatchList(table), TableTokenUses(table)
    faults.when(anything, answer(503, retry_after="30"), times=100)
    for call in (
        watch_list.watch(directory_id),
        watch_list.last_change(),
        watch_list.remember_change(NOW),
        uses.record_use(directory_id, "1", NOW),
        uses.uses(directory_id),
    ):
        with pytest.raises(DirectoryStoreUnavailableError):
            await call

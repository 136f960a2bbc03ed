"""What the background does for every directory, whatever some of them do."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from scim.adapters.tables import background, keys
from scim.adapters.tables.background import BackgroundWork
from scim.adapters.tables.directory_rows import LIST_PARTITION
from scim.adapters.tables.remains import gone_insert
from scim.adapters.tables.rounds import Limits
from scim.adapters.tables.table import insert, merge
from scim.composed_stores import DIRECTORIES_TABLE, LOG_TABLE, RESOURCES_TABLE
from scim.directories.deletion import QUIET
from scim.resources.errors import StorageUnavailableError
from scim.resources.identifiers import begin_operation, new_resource_id
from tests.api import ApiClient
from tests.fakes.memory_account import MemoryAccount
from tests.fakes.memory_table import MemoryTable, Request
from tests.fakes.slow_table import SlowTable
from tests.functional.test_api_directories import scim_of
from tests.service import ScimClient, pass_in_storage


@dataclass(slots=True)
class HangingTable(MemoryTable):
    """A table that never answers about some partitions, as one does whose part of the service hangs."""

    hanging: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    async def read(self, partition: str, *arguments: Any, **options: Any) -> Any:
        await self._wait(partition)
        return await MemoryTable.read(self, partition, *arguments, **options)

    async def query(self, partition: str, *arguments: Any, **options: Any) -> Any:
        await self._wait(partition)
        return await MemoryTable.query(self, partition, *arguments, **options)

    async def commit(self, partition: str, *arguments: Any, **options: Any) -> Any:
        await self._wait(partition)
        return await MemoryTable.commit(self, partition, *arguments, **options)

    async def _wait(self, partition: str) -> None:
        if not self.asked or self.asked[-1] != partition:
            self.asked.append(partition)
        if partition in self.hanging:
            await asyncio.Event().wait()


async def several(api: ApiClient, table: HangingTable, count: int) -> list[ScimClient]:
    """Return so many directories in the order of their ids, each with a change that waits for the relay."""
    account = api.application.account
    assert isinstance(account, MemoryAccount)
    account.tables[RESOURCES_TABLE] = table
    organization = await api.new_organization()
    clients = [await scim_of(api, await api.new_directory(organization)) for _ in range(count)]
    for client in clients:
        await client.new_user("anna")
    return sorted(clients, key=lambda client: client.directory.id)


def waiting(table: MemoryTable, client: ScimClient) -> bool:
    return any(key.startswith("e|") for key in table.rows(client.directory.id))


def quick(api: ApiClient) -> BackgroundWork:
    return replace(api.application.background, sweep_limits=Limits(seconds=10.0, seconds_each=0.2))


async def test_seven_directories_that_hang_keep_no_other_from_being_swept(api: ApiClient) -> None:
    table = HangingTable()
    clients = await several(api, table, 16)
    table.hanging = {client.directory.id for client in clients[:7]}

    signals = await quick(api).sweep()

    assert (signals.directories, signals.failures, signals.timeouts, signals.not_reached) == (16, 7, 7, 0)
    assert [client for client in clients[7:] if waiting(table, client)] == []


async def test_the_next_sweep_begins_elsewhere(api: ApiClient) -> None:
    table = HangingTable()
    clients = await several(api, table, 12)
    ids = [client.directory.id for client in clients]

    async def first() -> str:
        table.asked.clear()
        await quick(api).sweep()
        return next(partition for partition in table.asked if partition in ids)

    assert [await first(), await first()] == [ids[0], ids[8]]


async def test_a_step_that_fails_stops_no_other_step_of_the_directory(
    api: ApiClient, scim: ScimClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scim.new_user("anna")

    async def fails(*_: Any) -> Any:
        raise StorageUnavailableError("busy")

    work = replace(api.application.background, announce=fails, settle_tokens=fails)
    monkeypatch.setattr(background, "oldest_age_seconds", fails)
    signals = await work.sweep()

    assert (signals.directories, signals.failures) == (1, 1)
    assert [row async for row in scim.partition.rows((keys.OUTBOX_FIRST, keys.OUTBOX_END))] == []


# -- What is written behind an end --------------------------------------


async def gone_directory(api: ApiClient) -> ScimClient:
    """Return a directory that a process of its own still knows, though it was deleted to its end."""
    organization = await api.new_organization()
    client = await scim_of(api, await api.new_directory(organization))
    await client.new_user("anna")
    assert (await api.delete(f"directories/{client.directory.id}")).status == 202
    await client.relay()
    pass_in_storage(api.application, QUIET)
    await client.relay()
    assert (await api.get(f"directories/{client.directory.id}")).status == 404
    return client


def rows_of(api: ApiClient, name: str) -> list[str]:
    account = api.application.account
    assert isinstance(account, MemoryAccount)
    return [key for table in account.tables.values() for key in table.rows(name)]


async def test_users_whom_a_stale_process_wrote_behind_the_end_of_a_directory_go(
    api: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    client = await gone_directory(api)
    store = api.application.resources_of(client.directory)
    user_id = new_resource_id("User")
    await store.create_user({"schemas": [], "id": user_id, "userName": "late"}, begin_operation())
    log = api.application.account.table(LOG_TABLE)
    await log.commit(client.directory.id, [insert("l|1|1", {})])
    assert len(rows_of(api, client.directory.id)) > 4

    await api.application.background.sweep()

    assert rows_of(api, client.directory.id) == ["directory"]  # that the id was used
    assert "rows that were written into" in caplog.text


async def test_what_is_gone_is_looked_at_for_a_week(api: ApiClient) -> None:
    client = await gone_directory(api)
    await api.application.background.sweep()
    assert [gone.id for gone in await api.application.remains.listed()] == [client.directory.id]

    pass_in_storage(api.application, timedelta(days=7))
    await api.application.background.sweep()

    assert await api.application.remains.listed() == []


async def test_a_directory_that_was_put_back_keeps_its_rows(api: ApiClient, scim: ScimClient) -> None:
    await scim.new_user("anna")
    lists = api.application.account.table(DIRECTORIES_TABLE)
    await lists.commit(LIST_PARTITION, [gone_insert(scim.directory.id)])

    await api.application.background.sweep()

    assert (await scim.get("/Users")).json["totalResults"] == 1
    assert await api.application.remains.listed() == []


async def test_what_a_crash_left_of_a_deleted_organization_goes(api: ApiClient) -> None:
    organization = await api.new_organization()
    await api.application.portal_access.create_link(organization)
    table = api.application.account.table(DIRECTORIES_TABLE)
    assert isinstance(table, MemoryTable)

    def crash(request: Request) -> Exception | None:
        is_last_step = request.operation == "query" and request.partition == organization
        return StorageUnavailableError("killed") if is_last_step else None

    table.before = crash
    assert (await api.delete(f"organizations/{organization}")).status == 503
    table.before = None
    assert rows_of(api, organization)

    await api.application.background.sweep()

    assert rows_of(api, organization) == []
    assert (await api.get(f"organizations/{organization}")).status == 404


# -- Organizations ------------------------------------------------------


async def listed_names(api: ApiClient) -> list[str]:
    return [each["name"] for each in (await api.get("organizations")).json["data"]]


@pytest.mark.parametrize("killed_after", range(2))
async def test_a_new_name_of_an_organization_is_whole_after_a_sweep_wherever_it_was_killed(
    api: ApiClient, killed_after: int
) -> None:
    organization = await api.new_organization("Before")
    table = api.application.account.table(DIRECTORIES_TABLE)
    assert isinstance(table, MemoryTable)
    commits = count()

    def kill(request: Request) -> Exception | None:
        is_late = request.operation == "commit" and next(commits) >= killed_after
        return StorageUnavailableError("killed") if is_late else None

    table.before = kill
    assert (await api.patch(f"organizations/{organization}", {"name": "After"})).status == 503
    table.before = None

    await api.application.background.sweep()

    name = (await api.get(f"organizations/{organization}")).json["name"]
    assert name == "Before"
    assert await listed_names(api) == [name]
    pass_in_storage(api.application, timedelta(minutes=1))
    await api.application.background.sweep()
    assert await api.application.directory_store.left_behind() == {}


async def test_retention_mends_an_entry_that_says_another_name_than_its_organization(api: ApiClient) -> None:
    organization = await api.new_organization("Right")
    table = api.application.account.table(DIRECTORIES_TABLE)
    await table.commit(LIST_PARTITION, [merge(f"o|{organization}", {"name": "Wrong"})])

    await api.application.background.forget_what_is_old()

    assert await listed_names(api) == ["Right"]


async def test_of_many_new_names_at_once_the_list_has_the_one_that_the_organization_has(api: ApiClient) -> None:
    organization = await api.new_organization("Before")
    store = api.application.directory_store
    assert isinstance(store._table, MemoryTable)
    store._table = SlowTable(store._table)
    one = f"organizations/{organization}"

    answers = await asyncio.gather(*(api.patch(one, {"name": f"Name {number}"}) for number in range(12)))
    await api.application.background.sweep()

    assert {answer.status for answer in answers} == {200}
    assert await listed_names(api) == [(await api.get(one)).json["name"]]


# -- Messages -----------------------------------------------------------


async def test_an_outage_does_not_make_a_message_fail(
    api: ApiClient, scim: ScimClient, caplog: pytest.LogCaptureFixture
) -> None:
    await scim.new_user("anna")
    account = api.application.account
    assert isinstance(account, MemoryAccount)
    table = account.table(RESOURCES_TABLE)
    table.before = lambda _: StorageUnavailableError("busy")

    with caplog.at_level(logging.WARNING, "scim.background"):
        await api.application.background.take_message(scim.directory.id.encode())

    assert f"directory {scim.directory.id} is left to the next sweep: busy" in caplog.text
    table.before = None
    await api.application.background.sweep()
    assert not waiting(table, scim)


async def test_a_defect_makes_a_message_fail(api: ApiClient, scim: ScimClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: Any) -> int:
        raise LookupError("a defect")

    monkeypatch.setattr(background, "relay", broken)

    with pytest.raises(LookupError):
        await api.application.background.take_message(scim.directory.id.encode())


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", "dir_ä".encode(), b"dir_" + b"0" * 32])
async def test_a_message_that_names_no_directory_asks_for_nothing(api: ApiClient, body: bytes) -> None:
    await api.application.background.take_message(body)


# -- Retention ----------------------------------------------------------


async def test_retention_of_a_machine_whose_clock_is_far_ahead_deletes_nothing(
    api: ApiClient, scim: ScimClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scim.new_user("anna")
    await scim.relay()
    await api.application.portal_access.create_link(scim.directory.organization_id)
    table = api.application.provisioning_log_store._table  # type: ignore[attr-defined]
    await table.commit(scim.directory.id, [insert(f"l|{9_999_999_999_999_999 - _microseconds():016d}|1", {})])
    account = api.application.account
    assert isinstance(account, MemoryAccount)

    def count() -> int:
        rows = account.tables.values()
        return sum(len(table.rows(part)) for table in rows for part in table.partitions() if part != "service")

    before = count()
    for module in (
        "scim.adapters.tables.background",
        "scim.adapters.tables.feed",
        "scim.adapters.tables.organization_feed",
        "scim.composed_stores",
    ):
        monkeypatch.setattr(f"{module}.datetime", _Ahead, raising=False)

    await api.application.background.forget_what_is_old()
    await api.application.forget_old_claims()

    assert count() == before


def _microseconds() -> int:
    return int(datetime.now(UTC).timestamp() * 1_000_000)


class _Ahead(datetime):
    """The clock of a machine that is forty days ahead."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime.now(tz) + timedelta(days=40)

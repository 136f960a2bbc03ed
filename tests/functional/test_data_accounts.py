"""Directories in several data accounts: each is served from the account that its row names, and from no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from scim.adapters.tables.client import StorageAccount
from scim.adapters.tables.consistency.check import check_directory
from scim.adapters.tables.feed import RETENTION_DAYS
from scim.adapters.tables.keys import END_KEY, FEED_END, FIRST_KEY, feed
from scim.adapters.tables.table import StorageUnavailableError, merge
from scim.adapters.tables.transport import AiohttpTransport
from scim.composed_stores import DIRECTORIES_TABLE, LOG_TABLE, RESOURCES_TABLE
from scim.composition import Application
from scim.directories.api_key import KEY_SCOPES
from scim.directories.deletion import QUIET
from scim.directories.mapping_job import SETTLING
from scim.directories.placement import DEFAULT_DATA_ACCOUNT, place
from scim.provisioning.provisioning_log import ProvisioningLog
from scim.readiness import KEPT_SECONDS
from scim.resources.identifiers import uuid7_hex
from scim.settings import Settings, StorageSettings
from tests.api import ApiClient, warm
from tests.azurite_accounts import azurite_accounts
from tests.fakes.memory_account import MemoryAccount, RecordedRelayRequests
from tests.fakes.memory_secrets import MemorySecretStore
from tests.fakes.memory_table import MemoryTable, Request
from tests.fakes.recorded_outcomes import RecordedOutcomes
from tests.fakes.recorded_uses import RecordedUses
from tests.faults import FaultyTransport
from tests.service import EXTENSION_URN, Answer, ScimClient, StorageKind, add_members, pass_in_storage, user

__all__ = ["azurite_accounts"]

SECOND = "d2"
NAMES = (DEFAULT_DATA_ACCOUNT, SECOND)
SETTINGS = Settings(StorageSettings("UseDevelopmentStorage=true"), Path("unused"))
ON_BOTH = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])


@dataclass(slots=True)
class Spread:
    """A service with two data accounts, and an organization with a directory in each."""

    api: ApiClient
    organization_id: str
    accounts: Mapping[str, Any]
    clients: Mapping[str, ScimClient]

    @property
    def application(self) -> Application:
        return self.api.application

    async def keys(self, account: str, table: str, directory_id: str) -> list[str]:
        """Return the keys of a directory's rows in a table of an account."""
        rows = (await self.accounts[account].table(table).query(directory_id, FIRST_KEY, END_KEY)).rows
        return [row.key for row in rows]


def application_over(accounts: Mapping[str, Any], settings: Settings = SETTINGS, **parts: Any) -> Application:
    further = {name: account for name, account in accounts.items() if name != DEFAULT_DATA_ACCOUNT}
    chosen: dict[str, Any] = {
        "secret_store": MemorySecretStore(),
        "relay_requests": RecordedRelayRequests(),
        "token_uses": RecordedUses(),
        "provisioning_log": RecordedOutcomes(),
        "activity": RecordedOutcomes(),
        **parts,
    }
    return Application(settings, account=accounts[DEFAULT_DATA_ACCOUNT], further_accounts=further, **chosen)


def id_in(account: str) -> str:
    """Return a new id that is placed in an account, as 32 hex digits."""
    return next(each for _ in count() if place(f"dir_{(each := uuid7_hex())}", NAMES) == account)


@pytest.fixture
async def accounts(storage_kind: StorageKind, request: pytest.FixtureRequest) -> AsyncIterator[Mapping[str, Any]]:
    """Two data accounts with nothing in them."""
    if storage_kind == "memory":
        yield {name: MemoryAccount() for name in NAMES}
        return
    strings = request.getfixturevalue("azurite_accounts")
    transports = [FaultyTransport(AiohttpTransport()) for _ in NAMES]
    yield {
        name: StorageAccount.from_connection_string(string, transport=transport)
        for name, string, transport in zip(NAMES, strings, transports, strict=False)
    }
    for transport in transports:
        await transport.close()


@pytest.fixture
async def spread(accounts: Mapping[str, Any]) -> Spread:
    application = application_over(accounts)
    await application.prepare_storage()

    def meter() -> int:
        return sum(
            account.requests() if isinstance(account, MemoryAccount) else account._transport.count()
            for account in accounts.values()
        )

    api = await warm(ApiClient(application, (await application.api_keys.create("backend", KEY_SCOPES)).value, meter))
    organization = await api.new_organization()
    clients: dict[str, ScimClient] = {}
    for name in NAMES:
        new = await application.directories.create_directory(
            organization, name=name, provider="entra_id", creation_id=id_in(name)
        )
        clients[name] = ScimClient(application, new.directory, new.token, meter)
        assert (await clients[name].get("/ResourceTypes")).status == 200
    return Spread(api, organization, accounts, clients)


async def provision(scim: ScimClient) -> tuple[list[str], list[int]]:
    """Send what Entra ID sends of two users and a group; return their ids, and what each request cost."""
    answers: list[Answer] = []

    async def send(answer: Any, status: int) -> Answer:
        answers.append(await answer)
        assert answers[-1].status == status, answers[-1].json
        return answers[-1]

    await send(scim.get("/Users", {"filter": 'userName eq "anna@contoso.com"'}), 200)
    anna = (await send(scim.post("/Users", user("anna@contoso.com", active=True, externalId="a")), 201)).json["id"]
    bob = (await send(scim.post("/Users", user("bob@contoso.com", active=True, externalId="b")), 201)).json["id"]
    group = await send(scim.post("/Groups", {"schemas": [_GROUP], "displayName": "Sales"}), 201)
    sales = group.json["id"]
    await send(scim.patch(f"/Groups/{sales}", add_members(anna, bob)), 204)
    await send(scim.patch(f"/Users/{bob}", {"op": "Replace", "path": "active", "value": "False"}), 200)
    await send(scim.get(f"/Users/{anna}"), 200)
    listed = await send(scim.get("/Users", {"count": "10", "startIndex": "1"}), 200)
    assert (listed.json["totalResults"], set(listed.ids)) == (2, {anna, bob})
    return [anna, bob, sales], [answer.storage_requests for answer in answers]


async def outbox(spread: Spread, account: str) -> list[str]:
    """Return the keys of what waits in the outbox of an account's directory."""
    keys = await spread.keys(account, RESOURCES_TABLE, spread.clients[account].directory.id)
    return [key for key in keys if key.startswith("e|")]


_GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


# -- Where directories are ----------------------------------------------


async def test_new_directories_are_placed_by_their_id_and_their_row_says_where(spread: Spread) -> None:
    for _ in range(20):
        created = await spread.api.new_directory(spread.organization_id)
        directory = await spread.application.directories.get_directory(created["id"])
        assert directory.data_account == place(directory.id, NAMES)


async def test_new_directories_are_placed_where_the_settings_allow_it_and_old_ones_stay(spread: Spread) -> None:
    chosen = replace(SETTINGS, storage=replace(SETTINGS.storage, new_directories_in=(SECOND,)))
    later = application_over(spread.accounts, chosen, secret_store=spread.application.secret_store)
    made = [
        await later.directories.create_directory(spread.organization_id, name="new", provider="entra_id")
        for _ in range(8)
    ]

    assert {new.directory.data_account for new in made} == {SECOND}
    old = replace(spread.clients[DEFAULT_DATA_ACCOUNT], application=later)
    await old.new_user("anna")
    assert await spread.keys(DEFAULT_DATA_ACCOUNT, RESOURCES_TABLE, old.directory.id)


@ON_BOTH
async def test_entras_requests_reach_each_directory_in_its_own_account_at_the_same_cost(spread: Spread) -> None:
    results = {name: await provision(client) for name, client in spread.clients.items()}

    (first_ids, first_costs), (second_ids, second_costs) = results.values()
    assert first_costs == second_costs
    for name, client in spread.clients.items():
        other = NAMES[1 - NAMES.index(name)]
        assert await spread.keys(name, RESOURCES_TABLE, client.directory.id)
        assert await spread.keys(other, RESOURCES_TABLE, client.directory.id) == []
        await client.relay()
        assert await check_directory(client.partition) == []
    for mine, theirs in ((0, second_ids), (1, first_ids)):
        client = spread.clients[NAMES[mine]]
        assert [(await client.get(f"/Users/{each}")).status for each in theirs[:2]] == [404, 404]


@ON_BOTH
async def test_the_feeds_of_directory_and_organization_have_the_events_of_both_accounts(spread: Spread) -> None:
    for client in spread.clients.values():
        await provision(client)

    everything = await spread.api.get(f"organizations/{spread.organization_id}/events", {"limit": "100"})
    types: dict[str, list[str]] = {}
    for event in everything.json["data"]:
        types.setdefault(event["directory_id"], []).append(event["type"])
    for client in spread.clients.values():
        own = await spread.api.get(f"directories/{client.directory.id}/events", {"limit": "100"})
        told = [event["type"] for event in own.json["data"]]
        assert told[-4:] == ["group.created", "group.user_added", "group.user_added", "user.deactivated"]
        assert [each for each in types[client.directory.id] if not each.startswith("directory.")] == told


@ON_BOTH
async def test_a_directory_of_the_second_account_is_deleted_to_its_last_row_there(spread: Spread) -> None:
    first, second = spread.clients.values()
    for client in (first, second):
        await provision(client)
    assert (await spread.api.delete(f"directories/{second.directory.id}")).status == 202
    await second.relay()
    pass_in_storage(spread.application, QUIET)
    await spread.application.background.sweep()

    for table in (RESOURCES_TABLE, DIRECTORIES_TABLE, LOG_TABLE):
        left = ["directory"] if table == DIRECTORIES_TABLE else []  # that there was one of this id
        assert await spread.keys(DEFAULT_DATA_ACCOUNT, table, second.directory.id) == left
    assert await spread.keys(SECOND, RESOURCES_TABLE, second.directory.id) == []
    assert (await first.get("/Users", {"count": "1"})).json["totalResults"] == 2
    assert await check_directory(first.partition) == []


# -- Background work ----------------------------------------------------


async def test_sweep_and_retention_do_their_work_in_the_second_account(spread: Spread) -> None:
    client = spread.clients[SECOND]
    await provision(client)
    assert await outbox(spread, SECOND)

    signals = await spread.application.background.sweep()

    assert (signals.directories, signals.failures) == (2, 0)
    assert await outbox(spread, SECOND) == []
    keys = await spread.keys(SECOND, RESOURCES_TABLE, client.directory.id)
    old = (datetime.now(UTC) - timedelta(days=RETENTION_DAYS + 1)).isoformat()
    told = [key for key in keys if feed(0) <= key < FEED_END]
    await client.partition.commit([merge(key, {"time": old}) for key in told])
    await spread.application.background.forget_what_is_old()
    keys = await spread.keys(SECOND, RESOURCES_TABLE, client.directory.id)
    assert told
    assert [key for key in keys if feed(0) <= key < FEED_END] == []


async def test_changed_mappings_go_through_the_users_of_the_second_account(spread: Spread) -> None:
    client = spread.clients[SECOND]
    await client.new_user("anna", **{EXTENSION_URN: {"tag": "red"}})
    mapping = {"name": "tag", "path": f"{EXTENSION_URN}:tag", "matching": True}
    one = f"directories/{client.directory.id}"
    assert (await spread.api.put(f"{one}/attribute-mappings", {"attribute_mappings": [mapping]})).status == 200

    pass_in_storage(spread.application, SETTLING)
    await client.relay()

    assert (await spread.api.get(one)).json["mapping_change"] is None
    told = (await spread.api.get(f"{one}/events", {"limit": "100"})).json["data"]
    assert [event["type"] for event in told] == ["user.created", "user.updated"]


async def test_the_log_of_a_directory_lies_in_the_first_account(spread: Spread) -> None:
    client = spread.clients[SECOND]
    application = application_over(spread.accounts, secret_store=spread.application.secret_store)
    log = ProvisioningLog(application.provisioning_log_store, application.directory_store)
    application.__dict__["provisioning_log"] = log
    assert (await replace(client, application=application).post("/Users", {"schemas": []})).status == 400
    await log.close()

    listed = await spread.api.get(f"directories/{client.directory.id}/provisioning-log")

    assert len(listed.json["data"]) == 1
    assert await spread.keys(DEFAULT_DATA_ACCOUNT, LOG_TABLE, client.directory.id)
    assert LOG_TABLE not in spread.accounts[SECOND].tables


# -- Accounts that are not named, or do not answer ----------------------


def without_second(spread: Spread) -> Application:
    """Return the application of a process whose settings do not name the second account."""
    first = {DEFAULT_DATA_ACCOUNT: spread.accounts[DEFAULT_DATA_ACCOUNT]}
    return application_over(first, secret_store=spread.application.secret_store)


async def test_a_directory_in_an_account_that_is_not_named_is_answered_503_and_another_account_is_not_asked(
    spread: Spread, caplog: pytest.LogCaptureFixture
) -> None:
    client = replace(spread.clients[SECOND], application=without_second(spread))
    table = spread.accounts[DEFAULT_DATA_ACCOUNT].table(RESOURCES_TABLE)
    before = len(table.requests)

    with caplog.at_level(logging.ERROR, "scim.storage"):
        answer = await client.post("/Users", user("anna"))

    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    expected = f"{client.directory.id} lies in data account 'd2', not named in SCIM_FURTHER_DATA_ACCOUNTS"
    assert [record.getMessage() for record in caplog.records] == [expected]
    assert "d2" not in answer.json["detail"]
    assert len(table.requests) == before


async def test_the_api_answers_503_for_a_directory_in_an_account_that_is_not_named(spread: Spread) -> None:
    api = replace(spread.api, application=without_second(spread))
    first, second = (f"directories/{client.directory.id}/users" for client in spread.clients.values())

    assert (await api.get(first)).status == 200
    assert (await api.get(second)).status == 503
    assert (await api.get(f"organizations/{spread.organization_id}/events")).status == 503


async def test_a_directory_in_an_account_that_is_not_named_keeps_no_other_waiting_and_is_not_forgotten(
    spread: Spread,
) -> None:
    first, second = spread.clients.values()
    await provision(first)
    assert (await spread.api.delete(f"directories/{second.directory.id}")).status == 202
    application = without_second(spread)
    pass_in_storage(application, QUIET)

    signals = await application.background.sweep()

    assert (signals.directories, signals.failures) == (2, 1)
    assert await outbox(spread, DEFAULT_DATA_ACCOUNT) == []
    assert (await application.directories.get_directory(second.directory.id)).status == "deleting"


@pytest.mark.parametrize(("failing", "part"), [(DEFAULT_DATA_ACCOUNT, "tables"), (SECOND, "tables of d2")])
async def test_the_service_is_ready_when_every_account_answers(spread: Spread, failing: str, part: str) -> None:
    readiness, now = spread.application.readiness, [0.0]
    readiness._monotonic = lambda: now[0]
    assert (await readiness.answer()).status == 200
    now[0] += KEPT_SECONDS

    table = spread.accounts[failing].table(RESOURCES_TABLE)
    table.before = lambda _: StorageUnavailableError("busy")
    answer = await readiness.answer()

    assert answer.status == 503
    assert f'"{part}": "unavailable"'.encode() in answer.body
    assert answer.body.count(b'"unavailable"') == 2  # the part and the whole


async def test_an_account_that_does_not_answer_keeps_the_sweep_of_no_other_waiting(spread: Spread) -> None:
    for client in spread.clients.values():
        await provision(client)
    relayed = asyncio.Event()
    answering = spread.accounts[SECOND].table(RESOURCES_TABLE)

    class Hanging(MemoryTable):
        async def query(self, *_arguments: Any, **_options: Any) -> Any:
            await relayed.wait()
            raise StorageUnavailableError("busy")

    def look(_: Request) -> None:
        rows = answering.rows(spread.clients[SECOND].directory.id)
        if not any(key.startswith("e|") for key in rows):
            relayed.set()

    answering.after = look
    spread.accounts[DEFAULT_DATA_ACCOUNT].tables[RESOURCES_TABLE] = Hanging()
    async with asyncio.timeout(10):
        signals = await spread.application.background.sweep()

    assert (signals.directories, signals.failures) == (2, 1)
    assert await outbox(spread, SECOND) == []


async def test_an_outage_of_one_account_leaves_the_directories_of_the_others_alone(spread: Spread) -> None:
    first, second = spread.clients.values()
    spread.accounts[SECOND].table(RESOURCES_TABLE).before = lambda _: StorageUnavailableError("busy")

    assert (await first.post("/Users", user("anna"))).status == 201
    assert (await second.post("/Users", user("anna"))).status == 503

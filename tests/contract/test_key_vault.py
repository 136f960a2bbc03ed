"""The store in Key Vault: what failures of the vault and of the credential mean, what is repeated, what it costs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from scim.adapters.key_vault import KeyVaultSecretStore
from scim.adapters.vault_failures import MAX_PAUSE, MAX_RETRIES, VaultRefusedError
from scim.adapters.vault_pace import LONGEST_WAIT, READS, SECONDS, Pace
from scim.directories.errors import (
    SecretDeletedError,
    SecretDisabledError,
    SecretNotFoundError,
    SecretStoreError,
    SecretStoreUnavailableError,
)
from scim.resources.storage_scope import storage_scope
from tests.fakes.stale_identity import StaleIdentities
from tests.key_vault_server import FakeCredential, Fault, KeyVaultServer, key_vault_server

NAME = "scim-token-" + "0" * 32
TOKEN = "scimdt_a-value-that-is-never-told"


@pytest.fixture(name="server")
async def _server(tmp_path: Path) -> AsyncIterator[KeyVaultServer]:
    async with key_vault_server(tmp_path) as server:
        yield server


@pytest.fixture(name="credential")
def _credential() -> FakeCredential:
    return FakeCredential()


@pytest.fixture(name="pauses")
def _pauses() -> list[float]:
    return []


@pytest.fixture(name="store")
async def _store(
    server: KeyVaultServer, credential: FakeCredential, pauses: list[float]
) -> AsyncIterator[KeyVaultSecretStore]:
    store = open_store(server, credential, pauses)
    yield store
    await store.close()


def open_store(server: KeyVaultServer, credential: Any, pauses: list[float], **options: Any) -> KeyVaultSecretStore:
    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    trusted = {"verify_challenge_resource": False, "connection_verify": str(server.certificate)}
    return KeyVaultSecretStore(server.url, lambda: credential, pause=pause, **{**trusted, **options})


async def unavailable(store: KeyVaultSecretStore, version: str = "0" * 32) -> SecretStoreUnavailableError:
    with pytest.raises(SecretStoreUnavailableError) as caught:
        await store.get(NAME, version)
    return caught.value


# -- Failures -----------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "expected", "attempts"),
    [
        (Fault(404, "SecretNotFound"), SecretNotFoundError, 1),
        (Fault(403, "SecretDisabled"), SecretDisabledError, 1),
        (Fault(403, "ForbiddenByRbac"), VaultRefusedError, 1),
        (Fault(403, "ForbiddenByFirewall"), VaultRefusedError, 1),
        (Fault(403), VaultRefusedError, 1),
        (Fault(409, "ObjectIsDeletedButRecoverable"), SecretDeletedError, 1),
        (Fault(409, "ObjectIsBeingRecovered"), SecretStoreUnavailableError, 4),
        (Fault(409, "ObjectIsBeingDeleted"), SecretStoreUnavailableError, 4),
        (Fault(400), SecretStoreUnavailableError, 1),
        (Fault(418), SecretStoreUnavailableError, 1),
        (Fault(429), SecretStoreUnavailableError, 4),
        (Fault(429, headers={"Retry-After": "1"}), SecretStoreUnavailableError, 4),
        (Fault(429, headers={"Retry-After": "30"}), SecretStoreUnavailableError, 1),
        (Fault(500), SecretStoreUnavailableError, 4),
        (Fault(502), SecretStoreUnavailableError, 4),
        (Fault(503, headers={"Retry-After": "Tue, 24 Nov 2026 10:00:00 GMT"}), SecretStoreUnavailableError, 4),
        (Fault(504), SecretStoreUnavailableError, 4),
        (Fault(200, drop=True), SecretStoreUnavailableError, 4),
    ],
    ids=lambda value: f"{value.status}{value.code}" if isinstance(value, Fault) else None,
)
async def test_each_failure_has_its_meaning_and_is_repeated_only_where_that_helps(
    server: KeyVaultServer, pauses: list[float], fault: Fault, expected: type[SecretStoreError], attempts: int
) -> None:
    store = open_store(server, FakeCredential(), pauses)
    version = await store.set(NAME, TOKEN, {})
    fault.times = 10
    server.faults.append(fault)
    server.requests.clear()
    with pytest.raises(SecretStoreError) as caught:
        await store.get(NAME, version)
    await store.close()
    assert type(caught.value) is expected
    # A connection that was open before and breaks is replaced once more, below the SDK.
    assert server.count() == attempts * (2 if fault.drop else 1)
    assert len(pauses) == attempts - 1 <= MAX_RETRIES
    assert all(pause <= MAX_PAUSE for pause in pauses)


async def test_how_long_the_vault_wants_to_be_left_alone_is_handed_on(
    server: KeyVaultServer, store: KeyVaultSecretStore
) -> None:
    server.faults.append(Fault(429, headers={"Retry-After": "17"}))
    assert (await unavailable(store)).retry_after == 17
    server.faults.append(Fault(503, times=4))
    assert (await unavailable(store)).retry_after is None


async def test_a_failure_that_passes_is_not_noticed(
    server: KeyVaultServer, store: KeyVaultSecretStore, pauses: list[float]
) -> None:
    version = await store.set(NAME, TOKEN, {})
    server.faults += [Fault(429, headers={"Retry-After": "2"}), Fault(503), Fault(500)]
    assert await store.get(NAME, version) == TOKEN
    assert pauses[0] >= 2
    assert len(pauses) == 3


async def test_a_page_of_a_list_is_repeated_by_itself(server: KeyVaultServer, store: KeyVaultSecretStore) -> None:
    for number in range(60):
        server.operator_sets(f"{NAME}-{number}", "x")
    await store.list_secrets(NAME)
    server.requests.clear()
    server.faults += [Fault(503, times=2)]
    assert len(await store.list_secrets(NAME)) == 60
    assert server.count() == 3 + 2


async def test_a_value_whose_answer_was_lost_is_stored_twice_and_answered_once(
    server: KeyVaultServer, store: KeyVaultSecretStore
) -> None:
    server.faults.append(Fault(503, applied=True))
    version = await store.set(NAME, TOKEN, {"rotation": "r-1"})
    versions = await store.list_versions(NAME)
    assert len(versions) == 2
    assert version in {one.version for one in versions}


async def test_no_call_lasts_longer_than_its_request(server: KeyVaultServer, store: KeyVaultSecretStore) -> None:
    server.faults.append(Fault(503, times=10))
    with storage_scope(0.05):
        await unavailable(store)
    assert server.count() <= 1
    server.faults.clear()
    hanging = open_store(server, FakeCredential(), [], pace=Pace(sleep=lambda _: asyncio.sleep(60)))
    hanging._pace._begun.extend([time.monotonic() - SECONDS + LONGEST_WAIT / 2] * READS)
    with storage_scope(0.05):
        assert "did not answer in time" in str(await unavailable(hanging))
    await hanging.close()


async def test_a_vault_that_is_not_there_is_an_outage(tmp_path: Path, pauses: list[float]) -> None:
    async with key_vault_server(tmp_path) as server:
        store = open_store(server, FakeCredential(), pauses)
    assert "cannot be reached" in str(await unavailable(store))
    await store.close()


async def test_a_vault_that_cannot_prove_itself_is_an_outage(server: KeyVaultServer, pauses: list[float]) -> None:
    store = open_store(server, FakeCredential(), pauses, connection_verify=True)
    assert "cannot be reached" in str(await unavailable(store))
    assert server.requests == []
    await store.close()


# -- The credential -----------------------------------------------------


@pytest.mark.parametrize(
    "failure", [ClientAuthenticationError("no managed identity\nmore"), RuntimeError("x"), OSError(5)]
)
async def test_a_credential_that_fails_is_an_outage(
    server: KeyVaultServer, store: KeyVaultSecretStore, credential: FakeCredential, failure: Exception
) -> None:
    credential.failure = failure
    error = await unavailable(store)
    assert "\n" not in str(error)
    credential.failure = None
    assert await store.set(NAME, TOKEN, {})


async def test_an_access_token_that_the_vault_refuses_is_an_outage(
    server: KeyVaultServer, store: KeyVaultSecretStore
) -> None:
    server.access_token = "another"
    assert "401" in str(await unavailable(store))


async def test_an_access_token_that_the_identity_has_cached_is_dropped_when_the_vault_refuses_it(
    server: KeyVaultServer, pauses: list[float]
) -> None:
    server.access_token = "token2"
    made = StaleIdentities()
    store = open_store(server, made.identity(), pauses)

    assert await store.set(NAME, TOKEN, {})
    await store.close()
    assert made.made == 2


async def test_a_lost_role_is_an_outage_that_ends_no_token(server: KeyVaultServer, store: KeyVaultSecretStore) -> None:
    version = await store.set(NAME, TOKEN, {})
    server.faults.append(Fault(403, "ForbiddenByRbac"))
    assert "403 ForbiddenByRbac" in str(await unavailable(store, version))
    assert await store.get(NAME, version) == TOKEN


async def test_an_access_token_goes_to_no_host_but_the_vaults(
    server: KeyVaultServer, credential: FakeCredential, pauses: list[float]
) -> None:
    store = open_store(server, credential, pauses, verify_challenge_resource=True)
    assert "cannot be reached" in str(await unavailable(store))
    assert credential.asked == []
    await store.close()


async def test_a_process_answers_one_challenge_and_keeps_its_access_token(
    server: KeyVaultServer, store: KeyVaultSecretStore, credential: FakeCredential
) -> None:
    version = await store.set(NAME, TOKEN, {})
    for _ in range(5):
        await store.get(NAME, version)
    assert (server.count(authorized=False), server.count(), len(credential.asked)) == (1, 6, 1)


# -- Deleted secrets ----------------------------------------------------


async def test_a_deleted_name_says_what_to_do(server: KeyVaultServer, store: KeyVaultSecretStore) -> None:
    await store.set(NAME, TOKEN, {})
    server.operator_deletes(NAME)
    with pytest.raises(SecretDeletedError, match=f"az keyvault secret recover --vault-name 127 --name {NAME}"):
        await store.set(NAME, TOKEN, {})


async def test_a_name_that_may_not_be_recovered_says_what_to_do(
    server: KeyVaultServer, store: KeyVaultSecretStore
) -> None:
    await store.set(NAME, TOKEN, {})
    server.operator_deletes(NAME)
    server.faults.append(Fault(403, "ForbiddenByRbac", method="POST"))
    with pytest.raises(SecretDeletedError, match="az keyvault secret recover"):
        await store.recover(NAME)


async def test_deletions_and_recoveries_that_take_a_while_are_waited_for(
    server: KeyVaultServer, store: KeyVaultSecretStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("azure.core.pipeline.transport._aiohttp.AioHttpTransport.sleep", lambda *_: asyncio.sleep(0))
    server.lag = 2
    await store.set(NAME, TOKEN, {})
    await store.delete(NAME)
    await store.recover(NAME)
    assert await store.set(NAME, "two", {})


# -- What is told -------------------------------------------------------


async def test_no_error_and_no_log_line_holds_a_value(
    server: KeyVaultServer, store: KeyVaultSecretStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    faults = (Fault(403), Fault(400), Fault(409), Fault(500, times=4), Fault(200, drop=True, times=20))
    for fault in faults:
        server.faults[:] = [fault]
        with pytest.raises(SecretStoreError) as caught:
            await store.set(NAME, TOKEN, {})
        assert TOKEN not in everything_in(caught.value)
    server.faults.clear()
    await store.get(NAME, await store.set(NAME, TOKEN, {}))
    assert TOKEN not in caplog.text + repr(store)


def everything_in(thing: object, depth: int = 8) -> str:
    """Return what an error holds, in all that it leads to."""
    parts = [repr(thing)]
    if depth and thing is not None and not isinstance(thing, (str, bytes, int, float)):
        held = list(getattr(thing, "__dict__", {}).values())
        held += list(thing.values()) if isinstance(thing, dict) else []
        if isinstance(thing, BaseException):
            held += [thing.__cause__, thing.__context__]
        parts += [everything_in(each, depth - 1) for each in held]
    return " ".join(parts)


def test_importing_and_opening_costs_nothing() -> None:
    store = KeyVaultSecretStore("https://acme.vault.azure.net", lambda: pytest.fail("asked for a credential"))
    assert "_client" not in vars(store)
    asyncio.run(store.close())


# -- The pace -----------------------------------------------------------


class Clock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def test_no_ten_seconds_hold_more_reads_than_the_pace_allows() -> None:
    clock = Clock()
    pace = Pace(monotonic=clock, sleep=clock.sleep)
    begun = []
    for _ in range(5 * READS):
        try:
            await pace.turn()
            begun.append(clock.now)
        except SecretStoreUnavailableError as error:
            clock.now += error.retry_after or 0
    assert len(begun) > 3 * READS
    for moment in begun:
        assert sum(moment <= other < moment + SECONDS for other in begun) <= READS


async def test_a_read_that_would_wait_for_long_is_sent_away_at_once() -> None:
    clock = Clock()
    pace = Pace(monotonic=clock, sleep=clock.sleep)
    for _ in range(READS):
        await pace.turn()
    with pytest.raises(SecretStoreUnavailableError) as caught:
        await pace.turn()
    assert caught.value.retry_after
    clock.now += SECONDS - LONGEST_WAIT
    await pace.turn()
    assert clock.now == 1000 + SECONDS


async def test_the_pace_counts_every_attempt_of_a_read_and_nothing_else(
    server: KeyVaultServer, credential: FakeCredential, pauses: list[float]
) -> None:
    turns = count()

    class Counting(Pace):
        async def turn(self) -> None:
            next(turns)

    store = open_store(server, credential, pauses, pace=Counting())
    version = await store.set(NAME, TOKEN, {})
    await store.list_versions(NAME)
    server.faults.append(Fault(503))
    await store.get(NAME, version)
    assert next(turns) == 2
    await store.close()

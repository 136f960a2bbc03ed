"""Authentication and tokens with the real client of Key Vault: outages, what operators do, and what it costs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.keyvault.secrets._shared import http_challenge_cache

from scim.adapters.key_vault import KeyVaultSecretStore
from scim.adapters.vault_pace import READS, SECONDS, Pace
from scim.directories.bearer_token import new_token
from scim.directories.directory import secret_name_of
from scim.directories.token_service import TokenService
from scim.directories.token_watcher import TokenWatcher
from scim.provisioning.authentication import AuthenticationFailedException, Authenticator
from scim.provisioning.errors import ServiceUnavailableException
from tests.key_vault_server import FakeCredential, Fault, KeyVaultServer, key_vault_server
from tests.tokens import TokenWorld

VAULT_LIMIT = 4000
"""What a vault answers in 10 s, by its documented limits."""
INSTANCES = 50
OPERATORS = "an-operators-token-of-40-characters-0000"


async def at_once(_seconds: float) -> None:
    """Wait for nothing."""


@dataclass(slots=True)
class Deployment:
    """A vault, a table, and the processes that use them."""

    server: KeyVaultServer
    world: TokenWorld = field(default_factory=TokenWorld)
    credential: FakeCredential = field(default_factory=FakeCredential)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def store(self, pace: Pace | None = None) -> KeyVaultSecretStore:
        """Return the secret store of a process that has just started."""
        store = KeyVaultSecretStore(
            self.server.url,
            lambda: self.credential,
            pace=pace or Pace(calls=10_000),
            pause=at_once,
            verify_challenge_resource=False,
            connection_verify=str(self.server.certificate),
        )
        self.stack.push_async_callback(store.close)
        return store

    def process(self, pace: Pace | None = None) -> Authenticator:
        """Return the authenticator of a process that has just started, which knows no vault either."""
        http_challenge_cache.clear()
        world = self.world
        return Authenticator(
            world.store, self.store(pace), now=lambda: world.time, monotonic=world.elapsed, uniform=lambda low, _: low
        )

    def tokens(self) -> TokenService:
        return self.world.tokens(secret_store=self.store())

    def watcher(self) -> TokenWatcher:
        return self.world.watcher(secret_store=self.store(), tokens=self.tokens())

    async def new_directory(self) -> tuple[str, str]:
        """Return a directory's id and its first token, whose value is in the vault."""
        directory_id, _ = await self.world.new_directory()
        new = await self.tokens().rotate(directory_id, overlap=timedelta(0))
        assert new.token
        return directory_id, new.token

    async def accepts(self, directory_id: str, token: str | None) -> bool:
        """Tell whether a process that has just started accepts a token."""
        try:
            await self.process().authenticate(directory_id, f"Bearer {token}")
        except AuthenticationFailedException:
            return False
        return True


@pytest.fixture(name="deployment")
async def _deployment(tmp_path: Path) -> AsyncIterator[Deployment]:
    async with key_vault_server(tmp_path) as server:
        # Each version gets a second of its own: within one, a vault does not tell which came first.
        seconds = count(int(datetime.now(UTC).timestamp()))
        server.now = lambda: next(seconds)
        deployment = Deployment(server)
        async with deployment.stack:
            yield deployment


@pytest.fixture(name="created")
async def _created(deployment: Deployment) -> tuple[str, str]:
    return await deployment.new_directory()


# -- Outages ------------------------------------------------------------


def throttled(deployment: Deployment) -> None:
    deployment.server.faults.append(Fault(429, headers={"Retry-After": "9"}, times=1000))


def down(deployment: Deployment) -> None:
    deployment.server.faults.append(Fault(503, times=1000))


def role_lost(deployment: Deployment) -> None:
    deployment.server.faults.append(Fault(403, "ForbiddenByRbac", times=1000))


def firewalled(deployment: Deployment) -> None:
    deployment.server.faults.append(Fault(403, "ForbiddenByFirewall", times=1000))


def access_token_refused(deployment: Deployment) -> None:
    deployment.server.access_token = "another"


def without_identity(deployment: Deployment) -> None:
    deployment.credential.failure = ClientAuthenticationError("no managed identity")


def cut_off(deployment: Deployment) -> None:
    deployment.server.faults.append(Fault(200, drop=True, times=1000))


def mend(deployment: Deployment) -> None:
    deployment.server.faults.clear()
    deployment.server.access_token = deployment.credential.token
    deployment.credential.failure = None


OUTAGES = [throttled, down, role_lost, firewalled, access_token_refused, without_identity, cut_off]


@pytest.mark.parametrize("outage", OUTAGES)
async def test_a_cold_start_without_the_vault_answers_503_until_the_vault_is_back(
    deployment: Deployment, created: tuple[str, str], outage: Callable[[Deployment], None]
) -> None:
    directory_id, token = created
    process = deployment.process()
    outage(deployment)
    for _ in range(3):
        with pytest.raises(ServiceUnavailableException) as caught:
            await process.authenticate(directory_id, f"Bearer {token}")
        assert caught.value.retry_after >= 1
        deployment.world.pass_(seconds=20)
    with pytest.raises(AuthenticationFailedException):
        await process.authenticate(directory_id, f"Bearer {new_token(directory_id)}")
    mend(deployment)
    deployment.world.pass_(seconds=20)
    assert await process.authenticate(directory_id, f"Bearer {token}")


@pytest.mark.parametrize("outage", OUTAGES)
async def test_a_warm_process_serves_on_without_the_vault(
    deployment: Deployment, created: tuple[str, str], outage: Callable[[Deployment], None]
) -> None:
    directory_id, token = created
    process = deployment.process()
    await process.authenticate(directory_id, f"Bearer {token}")
    outage(deployment)
    for _ in range(5):
        deployment.world.pass_(hours=10)
        assert await process.authenticate(directory_id, f"Bearer {token}")


@pytest.mark.parametrize("outage", OUTAGES)
async def test_no_outage_lets_the_watcher_end_a_token(
    deployment: Deployment, created: tuple[str, str], outage: Callable[[Deployment], None]
) -> None:
    directory_id, token = created
    watcher = deployment.watcher()
    outage(deployment)
    with pytest.raises(Exception, match="vault"):
        await watcher.watch()
    mend(deployment)
    await watcher.watch()
    assert await deployment.accepts(directory_id, token)


@pytest.mark.parametrize("lost", [False, True])
async def test_a_rotation_without_the_vault_changes_nothing_and_can_be_repeated(
    deployment: Deployment, created: tuple[str, str], *, lost: bool
) -> None:
    directory_id, token = created
    deployment.server.faults.append(Fault(503, applied=lost, times=4, method="PUT"))
    with pytest.raises(Exception, match="503"):
        await deployment.tokens().rotate(directory_id)
    new = await deployment.tokens().rotate(directory_id)
    await deployment.watcher().watch()
    assert [await deployment.accepts(directory_id, each) for each in (token, new.token)] == [True, True]
    versions = await deployment.store().list_versions(secret_name_of(directory_id))
    assert sum(version.enabled for version in versions) == 2


# -- What operators do --------------------------------------------------


async def test_a_version_set_with_az_is_adopted(deployment: Deployment, created: tuple[str, str]) -> None:
    directory_id, token = created
    watcher = deployment.watcher()
    await watcher.watch()
    deployment.server.operator_sets(secret_name_of(directory_id), f"{OPERATORS}\n")
    await watcher.watch()
    assert [await deployment.accepts(directory_id, each) for each in (token, OPERATORS)] == [True, True]
    states = [each.state for each in await deployment.tokens().list_tokens(directory_id)]
    assert states[:2] == ["current", "previous"]


async def test_an_expiry_set_with_az_is_the_tokens(deployment: Deployment, created: tuple[str, str]) -> None:
    directory_id, _ = created
    expiry = deployment.world.time + timedelta(days=3)
    deployment.server.operator_sets(secret_name_of(directory_id), OPERATORS, exp=int(expiry.timestamp()))
    await deployment.tokens().adopt(directory_id)
    assert await deployment.accepts(directory_id, OPERATORS)
    deployment.world.pass_(days=3)
    assert not await deployment.accepts(directory_id, OPERATORS)


@pytest.mark.parametrize("version", [0, 1])
async def test_a_version_disabled_with_az_ends_its_token_and_no_other(
    deployment: Deployment, created: tuple[str, str], version: int
) -> None:
    directory_id, old = created
    new = await deployment.tokens().rotate(directory_id)
    watcher = deployment.watcher()
    await watcher.watch()
    valid = await deployment.world.valid(directory_id)
    deployment.server.operator_disables(secret_name_of(directory_id), valid[version].version)
    await watcher.watch()
    accepted = [await deployment.accepts(directory_id, each) for each in (old, new.token)]
    assert accepted == [version == 1, version == 0]


async def test_a_secret_deleted_with_az_ends_its_tokens_and_a_rotation_recovers_its_name(
    deployment: Deployment, created: tuple[str, str]
) -> None:
    directory_id, old = created
    watcher = deployment.watcher()
    await watcher.watch()
    deployment.server.operator_deletes(secret_name_of(directory_id))
    await watcher.watch()
    assert not await deployment.accepts(directory_id, old)
    new = await deployment.tokens().rotate(directory_id)
    assert [await deployment.accepts(directory_id, each) for each in (old, new.token)] == [False, True]


async def test_a_deleted_or_disabled_version_is_refused_before_the_watcher_comes(
    deployment: Deployment, created: tuple[str, str]
) -> None:
    directory_id, token = created
    (valid,) = await deployment.world.valid(directory_id)
    deployment.server.operator_disables(secret_name_of(directory_id), valid.version)
    assert not await deployment.accepts(directory_id, token)
    other, other_token = await deployment.new_directory()
    deployment.server.operator_deletes(secret_name_of(other))
    assert not await deployment.accepts(other, other_token)


# -- What it costs ------------------------------------------------------


async def test_guessing_never_reaches_the_vault(deployment: Deployment, created: tuple[str, str]) -> None:
    directory_id, _ = created
    process = deployment.process()
    deployment.server.requests.clear()
    for directory in (directory_id, "dir_" + "f" * 32):
        for guess in (new_token(directory), "x", "", "Bearer x", "ü" * 50):
            with pytest.raises(AuthenticationFailedException):
                await process.authenticate(directory, f"Bearer {guess}")
    assert deployment.server.requests == []


async def test_each_process_reads_each_token_in_use_once_and_answers_one_challenge(deployment: Deployment) -> None:
    directories = [await deployment.new_directory() for _ in range(20)]
    deployment.server.requests.clear()
    for _ in range(3):
        process = deployment.process()
        for _ in range(5):
            for directory_id, token in directories:
                await process.authenticate(directory_id, f"Bearer {token}")
    assert deployment.server.count("GET") == 3 * 20
    assert deployment.server.count(authorized=False) == 3


async def test_a_thousand_directories_at_a_cold_process_stay_under_half_of_the_vaults_limit_for_50_processes() -> None:
    """The reads of one process, in a time that passes only when it waits; 50 of them are 50 times as many."""
    world = TokenWorld()
    reads: list[float] = []

    class Counting:
        """Gives each value in its turn, as the store in the vault does."""

        def __init__(self) -> None:
            self._pace = Pace(monotonic=world.elapsed, sleep=self._sleep)

        async def get(self, name: str, version: str) -> str:
            await self._pace.turn()
            reads.append(world.elapsed())
            return await world.secrets.get(name, version)

        async def _sleep(self, seconds: float) -> None:
            world.pass_(seconds=seconds)

    directories = [await world.new_directory() for _ in range(1000)]
    process = Authenticator(world.store, Counting(), now=lambda: world.time, monotonic=world.elapsed)  # type: ignore[arg-type]
    waiting, rounds, waits = list(directories), 0, set()
    while waiting:
        rounds += 1
        refused = []
        for directory_id, token in waiting:
            try:
                await process.authenticate(directory_id, f"Bearer {token}")
            except ServiceUnavailableException as error:
                waits.add(error.retry_after)
                refused.append((directory_id, token))
        waiting = refused
        world.pass_(seconds=1)
    assert len(reads) == 1000
    assert max(waits) <= 5
    most = max(sum(start <= read < start + SECONDS for read in reads) for start in reads)
    assert most <= READS
    assert INSTANCES * (most + 1) < VAULT_LIMIT / 2
    assert reads[-1] - reads[0] <= 1000 / READS * SECONDS + rounds


async def test_reads_at_once_wait_in_line_and_then_all_are_let_in(deployment: Deployment) -> None:
    directories = [await deployment.new_directory() for _ in range(8)]
    process = deployment.process(Pace(4, 0.2))
    begun = asyncio.get_running_loop().time()
    await asyncio.gather(
        *(process.authenticate(directory_id, f"Bearer {token}") for directory_id, token in directories)
    )
    assert asyncio.get_running_loop().time() - begun >= 0.2

"""The keys of the service: made once, whoever is first, rotated without a gap, and asked of the vault rarely."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from scim.adapters.local_secrets import LocalSecretStore
from scim.directories.directory import SECRET_PREFIX
from scim.directories.errors import SecretStoreError, SecretStoreUnavailableError, ServiceKeysFullError
from scim.directories.interfaces import SecretVersion
from scim.directories.service_key_store import FRESH_SECONDS, RETRY_SECONDS, STALE_SECONDS, ServiceKeys
from scim.directories.service_keys import (
    MAX_KEYS,
    SERVICE_KEYS_SECRET,
    SIGNS_AFTER,
    STOPPED_CHECKS_FOR,
    KeyRing,
)
from tests.fakes.memory_secrets import MemorySecretStore

START = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
PURPOSE, TEXT = "a purpose", "a text"


@dataclass(slots=True)
class World:
    """A vault whose times are whole seconds, and processes that share it and a clock."""

    time: datetime = START
    secrets: MemorySecretStore = field(default_factory=MemorySecretStore)

    def __post_init__(self) -> None:
        self.secrets.now = lambda: self.time.replace(microsecond=0)

    def process(self) -> ServiceKeys:
        return ServiceKeys(self.secrets, now=lambda: self.time, monotonic=self.monotonic)

    def monotonic(self) -> float:
        return (self.time - START).total_seconds()

    def pass_(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    def enabled(self) -> list[SecretVersion]:
        return [version for version in self.secrets.versions(SERVICE_KEYS_SECRET) if version.enabled]


@pytest.fixture(name="world")
def _world() -> World:
    return World()


async def number(process: ServiceKeys) -> int:
    """Return the number of the key that a process signs with."""
    return int((await process.sign(PURPOSE, TEXT)).partition(".")[0])


async def test_a_signature_is_good_for_its_purpose_and_its_text_in_every_process(world: World) -> None:
    first, second = world.process(), world.process()
    signature = await first.sign(PURPOSE, TEXT)

    for process in (first, second):
        assert await process.is_signature(PURPOSE, TEXT, signature)
        assert not await process.is_signature("another purpose", TEXT, signature)
        assert not await process.is_signature(PURPOSE, "another text", signature)


@pytest.mark.parametrize(
    "wrong", ["", "1", "1.", "1." + "0" * 64, "2." + "0" * 64, "٣." + "0" * 64, "\ud800", "1." + "é" * 64]
)
async def test_what_is_no_signature_is_none(world: World, wrong: str) -> None:
    process = world.process()
    await process.sign(PURPOSE, TEXT)

    assert not await process.is_signature(PURPOSE, TEXT, wrong)


async def test_checking_makes_no_key(world: World) -> None:
    assert not await world.process().is_signature(PURPOSE, TEXT, "1." + "0" * 64)

    assert world.secrets.versions(SERVICE_KEYS_SECRET) == []
    assert (await world.process().read()).keys == ()


async def test_the_vault_is_not_asked_for_each_signature(world: World) -> None:
    process = world.process()
    await process.sign(PURPOSE, TEXT)
    asked = len(world.secrets.calls)
    for _ in range(100):
        assert await process.is_signature(PURPOSE, TEXT, await process.sign(PURPOSE, TEXT))
    assert len(world.secrets.calls) == asked

    world.pass_(FRESH_SECONDS)
    await process.sign(PURPOSE, TEXT)

    assert world.secrets.calls[asked:] == [("list_versions", SERVICE_KEYS_SECRET)], "a version is read once"


async def test_wrong_signatures_make_the_vault_be_asked_once_in_a_while_only(world: World) -> None:
    process = world.process()
    await process.sign(PURPOSE, TEXT)
    world.pass_(RETRY_SECONDS)
    asked = len(world.secrets.calls)
    for _ in range(100):
        assert not await process.is_signature(PURPOSE, TEXT, "1." + "0" * 64)

    assert len(world.secrets.calls) == asked + 1


@dataclass(slots=True)
class Interleaved(MemorySecretStore):
    """A secret store each of whose calls lets others go on before and after it, as a seed says."""

    random: Random = field(default_factory=Random)

    async def _others(self) -> None:
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)

    async def set(self, name: str, value: str, tags: Mapping[str, str], *, expires: datetime | None = None) -> str:
        await self._others()
        version = await super(Interleaved, self).set(name, value, tags, expires=expires)
        await self._others()
        return version

    async def list_versions(self, name: str) -> Sequence[SecretVersion]:
        await self._others()
        listed = await super(Interleaved, self).list_versions(name)
        await self._others()
        # As a vault numbers versions: in no order.
        return sorted(listed, key=lambda version: version.version[::-1])


@pytest.mark.parametrize("seed", range(150))
async def test_processes_that_make_the_first_key_at_once_end_with_one(seed: int) -> None:
    world = World(secrets=Interleaved(random=Random(seed)))
    processes = [world.process() for _ in range(3)]

    signatures = await asyncio.gather(*(process.sign(PURPOSE, TEXT) for process in processes))

    world.pass_(RETRY_SECONDS)
    for process in (*processes, world.process()):
        for signature in signatures:
            assert await process.is_signature(PURPOSE, TEXT, signature), "nothing that was signed is refused"
    world.pass_(FRESH_SECONDS)
    assert len({await process.sign(PURPOSE, TEXT) for process in (*processes, world.process())}) == 1
    await processes[0].rotate()
    world.pass_(FRESH_SECONDS)
    assert len({await process.sign(PURPOSE, TEXT) for process in (*processes, world.process())}) == 1
    assert len(world.enabled()) == 1


async def test_two_processes_over_one_file_end_with_one_key(tmp_path: Path) -> None:
    stores = [LocalSecretStore(tmp_path / "secrets.json") for _ in range(2)]
    processes = [ServiceKeys(store, now=lambda: datetime.now(UTC)) for store in stores]

    signatures = await asyncio.gather(*(process.sign(PURPOSE, TEXT) for process in processes))

    fresh = ServiceKeys(stores[0], now=lambda: datetime.now(UTC))
    assert [await fresh.is_signature(PURPOSE, TEXT, signature) for signature in signatures] == [True, True]
    assert len((await fresh.read()).keys) == 1


async def test_a_new_key_signs_once_every_process_knows_it_and_the_old_one_checks_for_hours(world: World) -> None:
    process, other = world.process(), world.process()
    old = await process.sign(PURPOSE, TEXT)
    assert await other.is_signature(PURPOSE, TEXT, old)

    ring = await process.rotate()

    assert [key.number for key in ring.keys] == [1, 2]
    assert (await number(process), await number(other)) == (1, 1)
    world.pass_(SIGNS_AFTER.total_seconds() - 1)
    assert (await number(process), await number(other)) == (1, 1)
    world.pass_(1)
    assert (await number(process), await number(other)) == (2, 2)
    assert [ring.state_of(key, world.time) for key in ring.keys] == ["checking", "signing"]
    world.pass_(STOPPED_CHECKS_FOR.total_seconds() - 1)
    assert await other.is_signature(PURPOSE, TEXT, old)
    world.pass_(1)
    assert not await other.is_signature(PURPOSE, TEXT, old)
    assert SIGNS_AFTER.total_seconds() > 2 * FRESH_SECONDS


async def test_three_keys_are_the_most_and_one_at_its_end_makes_room(world: World) -> None:
    process = world.process()
    await process.sign(PURPOSE, TEXT)
    for _ in range(MAX_KEYS - 1):
        await process.rotate()
    before = world.secrets.versions(SERVICE_KEYS_SECRET)
    with pytest.raises(ServiceKeysFullError):
        await process.rotate()
    assert world.secrets.versions(SERVICE_KEYS_SECRET) == before

    world.pass_((SIGNS_AFTER + STOPPED_CHECKS_FOR).total_seconds())

    assert [key.number for key in (await process.rotate()).keys][-1] == MAX_KEYS + 1


async def test_a_rotation_at_once_ends_what_the_others_signed_within_five_minutes(world: World) -> None:
    process, other = world.process(), world.process()
    old = await process.sign(PURPOSE, TEXT)
    assert await other.is_signature(PURPOSE, TEXT, old)

    ring = await process.rotate(at_once=True)

    assert [key.number for key in ring.keys] == [2]
    assert not await process.is_signature(PURPOSE, TEXT, old)
    assert await number(process) == 2
    world.pass_(FRESH_SECONDS)
    assert not await other.is_signature(PURPOSE, TEXT, old)
    assert len(world.enabled()) == 1


async def test_a_rotation_at_once_holds_although_the_old_version_could_not_be_disabled(world: World) -> None:
    process = world.process()
    old = await process.sign(PURPOSE, TEXT)
    (version,) = world.enabled()
    await process.rotate(at_once=True)
    world.secrets.enable(SERVICE_KEYS_SECRET, version.version)

    assert not await world.process().is_signature(PURPOSE, TEXT, old)
    assert await number(world.process()) == 2


async def test_without_the_vault_keys_in_memory_serve_on_for_an_hour(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    process, cold = world.process(), world.process()
    signature = await process.sign(PURPOSE, TEXT)
    world.secrets.failure = SecretStoreUnavailableError("throttled")
    with pytest.raises(SecretStoreError):
        await cold.sign(PURPOSE, TEXT)
    with pytest.raises(SecretStoreError):
        await world.process().is_signature(PURPOSE, TEXT, signature)
    world.pass_(FRESH_SECONDS)
    asked = len(world.secrets.calls)
    caplog.clear()

    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            assert await process.is_signature(PURPOSE, TEXT, await process.sign(PURPOSE, TEXT))
    assert len(world.secrets.calls) == asked + 1, "an outage is not met by every request"
    assert len(caplog.records) == 1
    world.pass_(STALE_SECONDS)
    with pytest.raises(SecretStoreError):
        await process.sign(PURPOSE, TEXT)
    world.secrets.failure = None
    world.pass_(RETRY_SECONDS)
    assert await process.sign(PURPOSE, TEXT) == signature


async def test_a_key_that_an_operator_disabled_or_deleted_is_followed_by_another(world: World) -> None:
    process = world.process()
    old = await process.sign(PURPOSE, TEXT)
    (version,) = world.enabled()
    await world.secrets.disable(SERVICE_KEYS_SECRET, version.version)
    world.pass_(FRESH_SECONDS)
    assert await number(process) == 2
    assert not await process.is_signature(PURPOSE, TEXT, old)

    await world.secrets.delete(SERVICE_KEYS_SECRET)
    world.pass_(FRESH_SECONDS)

    assert await process.is_signature(PURPOSE, TEXT, await process.sign(PURPOSE, TEXT))
    assert len(world.enabled()) == 1


async def test_versions_that_an_operator_set_are_no_keys_and_no_failure(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    process = world.process()
    signature = await process.sign(PURPOSE, TEXT)
    await world.secrets.set(SERVICE_KEYS_SECRET, "typed by hand", {})
    await world.secrets.set(SERVICE_KEYS_SECRET, "secret text", {"number": "1"})
    await world.secrets.set(SERVICE_KEYS_SECRET, "{}", {"number": "²"})

    assert await world.process().is_signature(PURPOSE, TEXT, signature)
    assert await world.process().sign(PURPOSE, TEXT) == signature
    assert "holds no service keys" in caplog.text
    assert "secret text" not in caplog.text


@pytest.mark.parametrize("value", ["typed by hand", '{"format": 1, "keys": []}'])
async def test_a_version_that_holds_no_keys_any_more_is_followed_by_one_that_every_process_knows(
    world: World, value: str
) -> None:
    await world.process().sign(PURPOSE, TEXT)
    (version,) = world.enabled()
    await world.secrets.disable(SERVICE_KEYS_SECRET, version.version)
    await world.secrets.set(SERVICE_KEYS_SECRET, value, {"number": "7"})

    signatures = [await world.process().sign(PURPOSE, TEXT) for _ in range(3)]

    assert {signature.partition(".")[0] for signature in signatures} == {"8"}
    assert await world.process().is_signature(PURPOSE, TEXT, signatures[0])
    assert len(set(signatures)) == 1
    assert len(world.enabled()) == 2


async def test_no_value_is_shown(world: World) -> None:
    process = world.process()
    ring = await process.rotate()
    (key,) = ring.keys
    (version,) = world.enabled()

    stored = json.loads(await world.secrets.get(SERVICE_KEYS_SECRET, version.version))
    assert KeyRing.from_text(json.dumps(stored)) == ring
    assert stored["keys"][0]["value"] not in repr(ring)
    assert repr(key.value) not in repr(ring)
    assert len(key.value) == 32


def test_the_secret_is_none_of_a_directory() -> None:
    assert not SERVICE_KEYS_SECRET.startswith(SECRET_PREFIX)

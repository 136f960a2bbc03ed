"""What every secret store promises: the local file, the one in memory, the SDK's client against a vault over TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest

from scim.adapters.key_vault import KeyVaultSecretStore
from scim.adapters.local_secrets import MAX_VALUE_BYTES, LocalSecretStore
from scim.directories.errors import SecretDeletedError, SecretDisabledError, SecretNotFoundError
from scim.directories.interfaces import SecretStore
from tests.fakes.memory_secrets import MemorySecretStore
from tests.key_vault_server import FakeCredential, key_vault_server
from tests.lowkey_vault import LowkeyVaultMissingError, lowkey_vault

KINDS = ["file", "memory", "vault", pytest.param("lowkey vault", marks=pytest.mark.slow)]


@pytest.fixture(scope="session")
def lowkey_url() -> object:
    """The address of Lowkey Vault, the community's emulator; tests are skipped where it cannot be had."""
    try:
        with lowkey_vault() as url:
            yield url
    except LowkeyVaultMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(name="store", params=KINDS)
async def _store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SecretStore]:
    if request.param == "file":
        yield LocalSecretStore(tmp_path / "secrets.json")
    elif request.param == "memory":
        yield MemorySecretStore()
    elif request.param == "vault":
        async with key_vault_server(tmp_path) as server:
            # Every version gets a second of its own: within one, a vault does not tell which came first.
            seconds = count(int(datetime.now(UTC).timestamp()))
            server.now = lambda: next(seconds)
            store = KeyVaultSecretStore(
                server.url,
                FakeCredential,
                verify_challenge_resource=False,
                connection_verify=str(server.certificate),
            )
            yield store
            await store.close()
    else:
        url = request.getfixturevalue("lowkey_url")
        store = KeyVaultSecretStore(
            url, FakeCredential, verify_challenge_resource=False, connection_verify=False, api_version="7.6"
        )
        yield store
        await store.close()


@pytest.fixture(name="name")
def _name() -> str:
    return f"scim-token-{uuid4().hex}"


async def test_a_version_gives_its_value_back_and_never_changes(store: SecretStore, name: str) -> None:
    first = await store.set(name, "one ✓", {})
    second = await store.set(name, "two", {})
    assert first != second
    assert await store.get(name, first) == "one ✓"
    assert await store.get(name, second) == "two"


async def test_what_is_not_there_is_not_found(store: SecretStore, name: str) -> None:
    version, other = await store.set(name, "one", {}), uuid4().hex
    with pytest.raises(SecretNotFoundError):
        await store.get(f"{name}-2", version)
    with pytest.raises(SecretNotFoundError):
        await store.get(name, other)
    with pytest.raises(SecretNotFoundError):
        await store.disable(name, other)


async def test_a_disabled_version_is_refused_and_others_are_not(store: SecretStore, name: str) -> None:
    first, second = await store.set(name, "one", {}), await store.set(name, "two", {})
    await store.disable(name, first)
    await store.disable(name, first)
    with pytest.raises(SecretDisabledError):
        await store.get(name, first)
    assert await store.get(name, second) == "two"


async def test_versions_are_listed_with_tags_and_without_values(store: SecretStore, name: str) -> None:
    first = await store.set(name, "hunter2", {"fingerprint": "00", "rotation": "r-1"})
    second = await store.set(name, "hunter3", {})
    await store.disable(name, first)
    versions = {one.version: (one.enabled, dict(one.tags)) for one in await store.list_versions(name)}
    assert versions == {first: (False, {"fingerprint": "00", "rotation": "r-1"}), second: (True, {})}
    assert "hunter" not in repr(await store.list_versions(name))
    assert list(await store.list_versions(f"{name}-2")) == []


async def test_versions_are_listed_oldest_first_however_many(store: SecretStore, name: str) -> None:
    made = [await store.set(name, str(number), {}) for number in range(60)]
    versions = await store.list_versions(name)
    assert sorted(one.version for one in versions) == sorted(made)
    assert [one.created for one in versions] == sorted(one.created for one in versions)
    if len({one.created for one in versions}) == len(made):
        assert [one.version for one in versions] == made


async def test_an_expiry_is_kept_to_the_second_and_hinders_nobody(store: SecretStore, name: str) -> None:
    expiry = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=-10)
    with_expiry = await store.set(name, "one", {}, expires=expiry)
    without = await store.set(name, "two", {})
    expiries = {one.version: one.expires for one in await store.list_versions(name)}
    assert expiries == {with_expiry: expiry, without: None}
    assert await store.get(name, with_expiry) == "one"


async def test_secrets_are_listed_by_prefix_however_many(store: SecretStore, name: str) -> None:
    made = [f"{name}-{number}" for number in range(60)]
    for each in [*made, f"x{name}"]:
        await store.set(each, "one", {})
    assert sorted(secret.name for secret in await store.list_secrets(f"{name}-")) == sorted(made)
    assert list(await store.list_secrets(f"{name}-none")) == []


async def test_a_list_of_secrets_tells_when_the_newest_version_changed(store: SecretStore, name: str) -> None:
    async def updated() -> datetime:
        (secret,) = await store.list_secrets(name)
        return secret.updated

    first = await store.set(name, "one", {})
    before = await updated()
    await store.set(name, "two", {})
    await store.disable(name, first)
    assert before <= await updated()


async def test_names_differ_without_regard_to_case(store: SecretStore, name: str) -> None:
    version = await store.set(name.upper(), "one", {})
    assert await store.get(name.lower(), version) == "one"
    assert [secret.name for secret in await store.list_secrets(name)] == [name]


@pytest.mark.parametrize("malformed", ["", "a" * 128, "scim_token", "scim.token", "a b", "ä", "a\n"])
async def test_the_name_rule_of_key_vault_holds(store: SecretStore, malformed: str) -> None:
    with pytest.raises(ValueError, match="cannot name a secret"):
        await store.set(malformed, "hunter2", {})


@pytest.mark.parametrize("value", ["", "x" * (MAX_VALUE_BYTES + 1)])
async def test_an_empty_or_overlong_value_is_refused(store: SecretStore, name: str, value: str) -> None:
    with pytest.raises(ValueError, match="a secret has 1 to"):
        await store.set(name, value, {})


async def test_a_value_of_the_greatest_length_is_kept(store: SecretStore, name: str) -> None:
    value = "x" * MAX_VALUE_BYTES
    assert await store.get(name, await store.set(name, value, {})) == value


async def test_a_deleted_secret_is_gone_with_all_its_versions(store: SecretStore, name: str) -> None:
    first, second = await store.set(name, "one", {}), await store.set(name, "two", {})
    await store.delete(name)
    await store.delete(name)
    for version in (first, second):
        with pytest.raises(SecretNotFoundError):
            await store.get(name, version)
    assert list(await store.list_versions(name)) == []
    assert list(await store.list_secrets(name)) == []


async def test_the_name_of_a_deleted_secret_can_be_made_usable_and_revives_no_value(
    store: SecretStore, name: str
) -> None:
    old = await store.set(name, "one", {})
    await store.delete(name)
    try:
        await store.set(name, "early", {})
    except SecretDeletedError as error:
        assert "early" not in str(error)  # noqa: PT017 - a store that forgets at once does not refuse
    await store.recover(name)
    with pytest.raises((SecretNotFoundError, SecretDisabledError)):
        await store.get(name, old)
    assert await store.get(name, await store.set(name, "two", {})) == "two"


async def test_recovering_what_is_not_deleted_and_deleting_what_is_not_there_change_nothing(
    store: SecretStore, name: str
) -> None:
    await store.recover(name)
    await store.delete(name)
    assert list(await store.list_versions(name)) == []


async def test_many_at_once_are_all_kept(store: SecretStore, name: str) -> None:
    versions = await asyncio.gather(*(store.set(name, str(number), {}) for number in range(20)))
    assert [await store.get(name, version) for version in versions] == [str(number) for number in range(20)]

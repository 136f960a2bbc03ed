"""The secret store in a local file: its promises, its file, and several writers at once."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from scim.adapters.local_secrets import MAX_VALUE_BYTES, LocalSecretStore
from scim.directories.errors import SecretDisabledError, SecretNotFoundError, SecretStoreUnavailableError
from scim.directories.interfaces import SecretStore
from tests.fakes.memory_secrets import MemorySecretStore

NAME = "scim-token-" + "0" * 32


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "secrets.json"


@pytest.fixture(name="store", params=["file", "memory"])
def _store(request: pytest.FixtureRequest, path: Path) -> SecretStore:
    return LocalSecretStore(path) if request.param == "file" else MemorySecretStore()


# -- Promises that both stores keep -------------------------------------


async def test_a_version_gives_its_value_back_and_never_changes(store: SecretStore) -> None:
    first = await store.set(NAME, "one ✓", {})
    second = await store.set(NAME, "two", {})
    assert first != second
    assert await store.get(NAME, first) == "one ✓"
    assert await store.get(NAME, second) == "two"


async def test_what_is_not_there_is_not_found(store: SecretStore) -> None:
    version = await store.set(NAME, "one", {})
    with pytest.raises(SecretNotFoundError):
        await store.get("another", version)
    with pytest.raises(SecretNotFoundError):
        await store.get(NAME, "another")
    with pytest.raises(SecretNotFoundError):
        await store.disable(NAME, "another")


async def test_a_disabled_version_is_refused_and_others_are_not(store: SecretStore) -> None:
    first, second = await store.set(NAME, "one", {}), await store.set(NAME, "two", {})
    await store.disable(NAME, first)
    await store.disable(NAME, first)
    with pytest.raises(SecretDisabledError):
        await store.get(NAME, first)
    assert await store.get(NAME, second) == "two"


async def test_versions_are_listed_oldest_first_with_tags_and_without_values(store: SecretStore) -> None:
    first = await store.set(NAME, "hunter2", {"fingerprint": "00"})
    second = await store.set(NAME, "hunter3", {})
    await store.disable(NAME, first)
    versions = await store.list_versions(NAME)
    assert [(one.version, one.enabled, dict(one.tags)) for one in versions] == [
        (first, False, {"fingerprint": "00"}),
        (second, True, {}),
    ]
    assert "hunter" not in repr(versions)
    assert await store.list_versions("another") == []


async def test_names_differ_without_regard_to_case(store: SecretStore) -> None:
    version = await store.set("Name", "one", {})
    assert await store.get("nAME", version) == "one"


@pytest.mark.parametrize("name", ["", "a" * 128, "scim_token", "scim.token", "a b", "ä", "a\n"])
async def test_the_name_rule_of_key_vault_holds(store: SecretStore, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a secret"):
        await store.set(name, "hunter2", {})


@pytest.mark.parametrize("value", ["", "x" * (MAX_VALUE_BYTES + 1)])
async def test_an_empty_or_overlong_value_is_refused(store: SecretStore, value: str) -> None:
    with pytest.raises(ValueError, match="a secret has 1 to"):
        await store.set(NAME, value, {})


# -- The file -----------------------------------------------------------


def test_only_the_owner_may_read_the_file(path: Path) -> None:
    previous = os.umask(0)
    try:
        asyncio.run(LocalSecretStore(path).set(NAME, "one", {}))
        path.chmod(0o644)
        asyncio.run(LocalSecretStore(path).set(NAME, "two", {}))
    finally:
        os.umask(previous)
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == {"secrets.json": 0o600, "secrets.json.lock": 0o600}


async def test_another_store_on_the_file_sees_the_same(path: Path) -> None:
    version = await LocalSecretStore(path).set(NAME, "one", {"a": "b"})
    assert await LocalSecretStore(path).get(NAME, version) == "one"


async def test_a_failed_write_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalSecretStore(path)
    version = await store.set(NAME, "one", {})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SecretStoreUnavailableError, match="No space left on device"):
        await store.set(NAME, "two", {})
    assert await store.get(NAME, version) == "one"
    assert sorted(file.name for file in path.parent.iterdir()) == ["secrets.json", "secrets.json.lock"]


@pytest.mark.parametrize("text", ["", "hunter2", '{"secrets": hunter2}', '{"hunter2": {}}', "[]", "\xff"])
def test_a_damaged_file_is_an_outage_that_tells_no_content(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text, encoding="latin-1")
    store = LocalSecretStore(path)
    calls: tuple[Coroutine[Any, Any, str], ...] = (store.get(NAME, "1"), store.set(NAME, "one", {}))
    for call in calls:
        with pytest.raises(SecretStoreUnavailableError) as caught:
            asyncio.run(call)
        assert "hunter2" not in str(caught.value)
        assert caught.value.__cause__ is None
    assert path.read_text(encoding="latin-1") == text


async def test_an_unusable_path_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = LocalSecretStore(tmp_path / "file" / "secrets.json")
    with pytest.raises(SecretStoreUnavailableError, match="cannot be used"):
        await store.set(NAME, "one", {})
    with pytest.raises(SecretStoreUnavailableError, match="cannot be used"):
        await store.get(NAME, "1")


# -- Several writers ----------------------------------------------------


async def test_concurrent_writers_of_one_process_lose_nothing(path: Path) -> None:
    stores = [LocalSecretStore(path) for _ in range(4)]
    versions = await asyncio.gather(*(stores[n % 4].set(NAME, str(n), {}) for n in range(40)))
    assert [await stores[0].get(NAME, version) for version in versions] == [str(n) for n in range(40)]


WRITER = """
import asyncio, sys
from pathlib import Path
from scim.adapters.local_secrets import LocalSecretStore

async def main():
    store = LocalSecretStore(Path(sys.argv[1]))
    for number in range(10):
        await store.set(f"writer-{sys.argv[2]}", str(number), {})

asyncio.run(main())
"""


def test_concurrent_processes_lose_nothing(path: Path) -> None:
    root = Path(__file__).parents[2]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(number)], cwd=root) for number in range(4)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0, 0]
    secrets = json.loads(path.read_text())["secrets"]
    assert {name: [version["value"] for version in versions] for name, versions in secrets.items()} == {
        f"writer-{number}": [str(value) for value in range(10)] for number in range(4)
    }

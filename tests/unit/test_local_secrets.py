"""The secret store in a local file: its file, and several writers at once. Its promises: contract tests."""

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

from scim.adapters.local_secrets import LocalSecretStore
from scim.directories.errors import SecretStoreUnavailableError

NAME = "scim-token-" + "0" * 32


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "secrets.json"


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

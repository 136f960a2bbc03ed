"""The keys of the service over a vault: one truth for two processes, and what that costs the vault."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scim.adapters.key_vault import KeyVaultSecretStore
from scim.directories.service_key_store import FRESH_SECONDS, RETRY_SECONDS, ServiceKeys
from scim.directories.service_keys import SERVICE_KEYS_SECRET
from tests.contract.test_key_vault import open_store
from tests.key_vault_server import FakeCredential, KeyVaultServer, key_vault_server


@pytest.fixture(name="server")
async def _server(tmp_path: Path) -> AsyncIterator[KeyVaultServer]:
    async with key_vault_server(tmp_path) as server:
        yield server


@pytest.fixture(name="store")
async def _store(server: KeyVaultServer) -> AsyncIterator[KeyVaultSecretStore]:
    store = open_store(server, FakeCredential(), [])
    yield store
    await store.close()


async def test_two_processes_make_one_truth_rotate_it_and_survive_its_deletion(store: KeyVaultSecretStore) -> None:
    elapsed = 0.0
    first, second = (ServiceKeys(store, now=lambda: datetime.now(UTC), monotonic=lambda: elapsed) for _ in range(2))
    signatures = await asyncio.gather(*(each.sign("a", "b") for each in (first, second)))
    elapsed += RETRY_SECONDS
    for process in (first, second):
        assert [await process.is_signature("a", "b", each) for each in signatures] == [True, True]
    elapsed += FRESH_SECONDS
    assert await first.sign("a", "b") == await second.sign("a", "b")

    ring = await first.rotate()

    assert [key.number for key in ring.keys] == [1, 2]
    assert len([each for each in await store.list_versions(SERVICE_KEYS_SECRET) if each.enabled]) == 1
    elapsed += FRESH_SECONDS
    assert await second.is_signature("a", "b", await first.sign("a", "b"))
    await store.delete(SERVICE_KEYS_SECRET)
    elapsed += FRESH_SECONDS
    again = await second.sign("a", "b")
    elapsed += FRESH_SECONDS
    assert await first.is_signature("a", "b", again)

"""The parts of the application that keep tokens: which secret store is chosen, and that all of it is closed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scim.adapters.key_vault import KeyVaultSecretStore
from scim.adapters.local_secrets import LocalSecretStore
from scim.composition import Application
from scim.settings import Settings
from tests.fakes.memory_account import MemoryAccount, RecordedRelayRequests
from tests.fakes.memory_secrets import MemorySecretStore
from tests.key_vault_server import FakeCredential

ENVIRONMENT = {"DataStorage": "UseDevelopmentStorage=true"}


def application(setting: str, **parts: Any) -> Application:
    settings = Settings.from_environment({**ENVIRONMENT, "SCIM_SECRET_STORE": setting})
    return Application(settings, account=MemoryAccount(), relay_requests=RecordedRelayRequests(), **parts)


def test_the_setting_chooses_the_secret_store(tmp_path: Path) -> None:
    assert isinstance(application(f"file:{tmp_path}/secrets.json").secret_store, LocalSecretStore)
    assert isinstance(application("https://acme.vault.azure.net").secret_store, KeyVaultSecretStore)


async def test_a_vault_that_was_never_asked_needs_no_identity() -> None:
    running = application("https://acme.vault.azure.net")
    await running.close()
    assert "credential" not in vars(running)


async def test_the_identity_is_closed_with_the_application() -> None:
    closed: list[bool] = []

    class Credential(FakeCredential):
        async def close(self) -> None:
            closed.append(True)

    await application("https://acme.vault.azure.net", credential=Credential()).close()
    assert closed == [True]


async def test_a_use_that_was_noted_is_stored_when_the_application_closes() -> None:
    running = application("file:unused", secret_store=MemorySecretStore())
    organization = await running.directories.create_organization("Acme")
    created = await running.directories.create_directory(organization.id, name="Entra", provider="entra_id")
    (record,) = created.directory.tokens
    running.token_uses.note(created.directory.id, record.version)
    await running.close()
    (token,) = await running.tokens.list_tokens(created.directory.id)
    assert token.last_used is not None


async def test_tokens_are_rotated_watched_and_swept_by_the_application() -> None:
    running = application("file:unused", secret_store=MemorySecretStore())
    organization = await running.directories.create_organization("Acme")
    created = await running.directories.create_directory(organization.id, name="Entra", provider="entra_id")
    await running.tokens.rotate(created.directory.id)
    await running.token_watcher.watch()
    await running.background.sweep()
    states = [token.state for token in await running.tokens.list_tokens(created.directory.id)]
    assert states == ["current", "previous"]


def test_there_is_no_part_of_an_unknown_name() -> None:
    with pytest.raises(TypeError, match="no part named vault"):
        application("file:unused", vault=None)

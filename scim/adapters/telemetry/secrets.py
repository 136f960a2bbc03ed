"""A secret store whose calls are spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from opentelemetry.trace import Tracer

from scim.adapters.telemetry.spans import call_span
from scim.directories.errors import SecretDeletedError, SecretDisabledError, SecretNotFoundError
from scim.directories.interfaces import ListedSecret, SecretStore, SecretVersion

_ANSWERS = (SecretDeletedError, SecretDisabledError, SecretNotFoundError)


class ObservedSecretStore:
    """A ``SecretStore`` over another, with a span for every call: the secret's name, never its value."""

    def __init__(self, store: SecretStore, tracer: Tracer) -> None:
        self._store = store
        self._tracer = tracer

    async def set(self, name: str, value: str, tags: Mapping[str, str], *, expires: datetime | None = None) -> str:
        """Store a value as the newest version of a secret, and return the version's id."""
        with self._span("set", name):
            return await self._store.set(name, value, tags, expires=expires)

    async def get(self, name: str, version: str) -> str:
        """Return the value of a version."""
        with self._span("get", name):
            return await self._store.get(name, version)

    async def disable(self, name: str, version: str) -> None:
        """Make a version unreadable for everybody."""
        with self._span("disable", name):
            await self._store.disable(name, version)

    async def list_versions(self, name: str) -> Sequence[SecretVersion]:
        """Return all versions of a secret, oldest first."""
        with self._span("list_versions", name):
            return await self._store.list_versions(name)

    async def list_secrets(self, prefix: str) -> Sequence[ListedSecret]:
        """Return the secrets whose name begins with a prefix."""
        with self._span("list_secrets", prefix):
            return await self._store.list_secrets(prefix)

    async def delete(self, name: str) -> None:
        """Delete a secret with all its versions."""
        with self._span("delete", name):
            await self._store.delete(name)

    async def recover(self, name: str) -> None:
        """Make the name of a deleted secret usable again."""
        with self._span("recover", name):
            await self._store.recover(name)

    async def close(self) -> None:
        """Close all connections; the store may be used again."""
        await self._store.close()

    def _span(self, call: str, name: str) -> AbstractContextManager[None]:
        attributes = {"scim.vault.call": call, "scim.vault.secret": name}
        return call_span(self._tracer, f"vault {call}", attributes, answers=_ANSWERS)

"""A secret store in one local file, for running without Key Vault."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scim.directories.errors import SecretDisabledError, SecretNotFoundError, SecretStoreUnavailableError
from scim.directories.interfaces import ListedSecret, SecretVersion

MAX_VALUE_BYTES = 25_000

_NAME = re.compile(r"[0-9A-Za-z-]{1,127}", re.ASCII)

_Secrets = dict[str, list[dict[str, Any]]]
"""Versions by lower-case name, oldest first, each as :meth:`LocalSecretStore.set` makes it."""


class LocalSecretStore:
    """Implements ``SecretStore`` in a JSON file that only its owner may read.

    Each change replaces the file as a whole, under a lock that other processes respect; a reader needs no lock.
    Names follow the rule of Key Vault, so that what runs here runs there.
    """

    def __init__(self, path: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = path
        self._now = now

    async def set(self, name: str, value: str, tags: Mapping[str, str], *, expires: datetime | None = None) -> str:
        """Store a value as the newest version of a secret, and return the version's id."""
        check_secret(name, value)
        version = secrets.token_hex(16)
        entry = {
            "version": version,
            "value": value,
            "tags": dict(tags),
            "enabled": True,
            "created": self._now().isoformat(),
            "expires": expires and expires.isoformat(),
        }

        def add(stored: _Secrets) -> None:
            stored.setdefault(name.lower(), []).append(entry)

        await asyncio.to_thread(self._change, add)
        return version

    async def get(self, name: str, version: str) -> str:
        """Return the value of a version."""
        entry = _find(await asyncio.to_thread(self._read), name, version)
        if not entry["enabled"]:
            raise SecretDisabledError(f"version {version} of {name} is disabled")
        return str(entry["value"])

    async def disable(self, name: str, version: str) -> None:
        """Make a version unreadable for everybody; doing it again changes nothing."""

        def turn_off(stored: _Secrets) -> None:
            entry = _find(stored, name, version)
            entry |= {"enabled": False, "updated": self._now().isoformat()}

        await asyncio.to_thread(self._change, turn_off)

    async def list_versions(self, name: str) -> Sequence[SecretVersion]:
        """Return all versions of a secret, oldest first; none when there is no such secret."""
        stored = await asyncio.to_thread(self._read)
        return [_version_of(entry) for entry in stored.get(name.lower(), [])]

    async def list_secrets(self, prefix: str) -> Sequence[ListedSecret]:
        """Return the secrets whose name begins with a prefix."""
        stored = await asyncio.to_thread(self._read)
        return [
            ListedSecret(name, datetime.fromisoformat(versions[-1].get("updated") or versions[-1]["created"]))
            for name, versions in stored.items()
            if name.startswith(prefix.lower())
        ]

    async def delete(self, name: str) -> None:
        """Delete a secret with all its versions, for good; doing it again changes nothing."""

        def drop(stored: _Secrets) -> None:
            stored.pop(name.lower(), None)

        await asyncio.to_thread(self._change, drop)

    async def recover(self, name: str) -> None:
        """Do nothing: nothing is left of a deleted secret, and its name may be used."""

    async def close(self) -> None:
        """Do nothing: no file is kept open."""

    def _change(self, change: Callable[[_Secrets], None]) -> None:
        with self._outages(), self._locked():
            stored = self._read()
            change(stored)
            self._write(stored)

    def _read(self) -> _Secrets:
        with self._outages():
            try:
                text = self._path.read_text(encoding="utf-8")
            except FileNotFoundError:
                return {}
            stored: _Secrets = json.loads(text)["secrets"]
            return stored

    def _write(self, stored: _Secrets) -> None:
        descriptor, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump({"secrets": stored}, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @contextmanager
    def _outages(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SecretStoreUnavailableError(f"{self._path} cannot be used: {error.strerror}") from error
        except (ValueError, KeyError, TypeError):
            # The cause is left out: an error of the JSON parser carries the text that it met.
            raise SecretStoreUnavailableError(f"{self._path} does not hold secrets as JSON") from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # The lock is a file of its own, since the file it guards is replaced.
        descriptor = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def check_secret(name: str, value: str) -> None:
    """Refuse what Key Vault refuses.

    :raises ValueError: Naming the rule, never the value.
    """
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} cannot name a secret: 1 to 127 of 0-9, a-z, A-Z and -")
    if not value or len(value.encode()) > MAX_VALUE_BYTES:
        raise ValueError(f"a secret has 1 to {MAX_VALUE_BYTES} bytes")


def _find(stored: _Secrets, name: str, version: str) -> dict[str, Any]:
    for entry in stored.get(name.lower(), []):
        if entry["version"] == version:
            return entry
    raise SecretNotFoundError(f"there is no version {version!r} of {name}")


def _version_of(entry: Mapping[str, Any]) -> SecretVersion:
    created, expires = datetime.fromisoformat(entry["created"]), entry.get("expires")
    return SecretVersion(
        entry["version"], created, entry["enabled"], entry["tags"], datetime.fromisoformat(expires) if expires else None
    )

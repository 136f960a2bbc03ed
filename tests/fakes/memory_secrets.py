"""A secret store in memory that keeps every promise of the interface, counts, and breaks when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from scim.adapters.local_secrets import check_secret
from scim.directories.errors import SecretDeletedError, SecretDisabledError, SecretNotFoundError
from scim.directories.interfaces import ListedSecret, SecretVersion


@dataclass(slots=True)
class MemorySecretStore:
    """Implements ``SecretStore``, with soft delete; ``failure`` is raised in place of every answer while it is set."""

    failure: Exception | None = None
    reads: list[tuple[str, str]] = field(default_factory=list)
    """The name and version of every value that was asked for."""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """The method and the name, or the prefix, of every call."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _versions: dict[str, dict[str, tuple[SecretVersion, str]]] = field(default_factory=dict)
    _updated: dict[str, datetime] = field(default_factory=dict)
    _deleted: set[str] = field(default_factory=set)
    _numbers: int = 0

    async def set(self, name: str, value: str, tags: Mapping[str, str], *, expires: datetime | None = None) -> str:
        self._serve("set", name)
        check_secret(name, value)
        if name.lower() in self._deleted:
            raise SecretDeletedError(f"{name} is deleted")
        self._numbers += 1
        version = f"{self._numbers:032x}"
        self._updated[name.lower()] = self.now()
        properties = SecretVersion(version, self.now(), enabled=True, tags=dict(tags), expires=expires)
        self._versions.setdefault(name.lower(), {})[version] = (properties, value)
        return version

    async def get(self, name: str, version: str) -> str:
        self.reads.append((name, version))
        self._serve("get", name)
        properties, value = self._find(name, version)
        if not properties.enabled:
            raise SecretDisabledError(f"version {version} is disabled")
        return value

    async def disable(self, name: str, version: str) -> None:
        self._serve("disable", name)
        self._turn_off(name, version)

    async def list_versions(self, name: str) -> Sequence[SecretVersion]:
        self._serve("list_versions", name)
        return [] if name.lower() in self._deleted else self.versions(name)

    async def list_secrets(self, prefix: str) -> Sequence[ListedSecret]:
        self._serve("list_secrets", prefix)
        names = [name for name in self._versions if name.startswith(prefix) and name not in self._deleted]
        return [ListedSecret(name, self._updated[name]) for name in names]

    async def delete(self, name: str) -> None:
        self._serve("delete", name)
        if name.lower() in self._versions:
            self._deleted.add(name.lower())

    async def recover(self, name: str) -> None:
        self._serve("recover", name)
        self._deleted.discard(name.lower())
        for version in self._versions.get(name.lower(), {}):
            self._turn_off(name, version)

    async def close(self) -> None:
        return

    def versions(self, name: str) -> list[SecretVersion]:
        """Return the versions of a secret, deleted or not, for assertions."""
        return [properties for properties, _ in self._versions.get(name.lower(), {}).values()]

    def enable(self, name: str, version: str) -> None:
        """Enable a version, as an operator may."""
        properties, value = self._find(name, version)
        self._versions[name.lower()][version] = (replace(properties, enabled=True), value)
        self._updated[name.lower()] = self.now()

    def undelete(self, name: str) -> None:
        """Recover a secret with its versions as they were, as an operator may."""
        self._deleted.discard(name.lower())

    def count(self, method: str) -> int:
        """Return how often a method was called."""
        return sum(call == method for call, _ in self.calls)

    def _turn_off(self, name: str, version: str) -> None:
        properties, value = self._find(name, version)
        self._versions[name.lower()][version] = (replace(properties, enabled=False), value)
        if version == list(self._versions[name.lower()])[-1]:
            self._updated[name.lower()] = self.now()

    def _serve(self, method: str, name: str) -> None:
        self.calls.append((method, name))
        if self.failure is not None:
            raise self.failure

    def _find(self, name: str, version: str) -> tuple[SecretVersion, str]:
        found = self._versions.get(name.lower(), {}).get(version) if name.lower() not in self._deleted else None
        if found is None:
            raise SecretNotFoundError(f"there is no version {version!r} of {name}")
        return found

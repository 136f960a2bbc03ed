"""A secret store in memory that keeps every promise of the interface, counts, and breaks when it is told to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from scim.adapters.local_secrets import check_secret
from scim.directories.errors import SecretDisabledError, SecretNotFoundError
from scim.directories.interfaces import SecretVersion


@dataclass(slots=True)
class MemorySecretStore:
    """Implements ``SecretStore``; ``failure`` is raised in place of every answer while it is set."""

    failure: Exception | None = None
    reads: list[tuple[str, str]] = field(default_factory=list)
    """The name and version of every value that was asked for."""
    _versions: dict[str, dict[str, tuple[SecretVersion, str]]] = field(default_factory=dict)

    async def set(self, name: str, value: str, tags: Mapping[str, str]) -> str:
        self._serve()
        check_secret(name, value)
        versions = self._versions.setdefault(name.lower(), {})
        version = f"{len(versions) + 1:032x}"
        versions[version] = (SecretVersion(version, datetime.now(UTC), enabled=True, tags=dict(tags)), value)
        return version

    async def get(self, name: str, version: str) -> str:
        self.reads.append((name, version))
        self._serve()
        properties, value = self._find(name, version)
        if not properties.enabled:
            raise SecretDisabledError(f"version {version} is disabled")
        return value

    async def disable(self, name: str, version: str) -> None:
        self._serve()
        properties, value = self._find(name, version)
        self._versions[name.lower()][version] = (replace(properties, enabled=False), value)

    async def list_versions(self, name: str) -> Sequence[SecretVersion]:
        self._serve()
        return [properties for properties, _ in self._versions.get(name.lower(), {}).values()]

    def delete(self, name: str) -> None:
        """Let a secret be gone, as after a deletion by an operator."""
        self._versions.pop(name.lower())

    def _serve(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _find(self, name: str, version: str) -> tuple[SecretVersion, str]:
        found = self._versions.get(name.lower(), {}).get(version)
        if found is None:
            raise SecretNotFoundError(f"there is no version {version!r} of {name}")
        return found

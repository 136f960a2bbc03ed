"""The digests of tokens, as this process last had them confirmed by the secret store. Never a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scim.directories.bearer_token import TokenRecord, digest
from scim.directories.directory import Directory
from scim.directories.errors import SecretDisabledError, SecretNotFoundError, SecretStoreUnavailableError
from scim.directories.interfaces import SecretStore
from scim.provisioning.bounded_cache import BoundedCache
from scim.provisioning.errors import ServiceUnavailableException
from scim.single_flight import SingleFlight

DIGEST_SECONDS = 12 * 3600.0
"""A version's value never changes, so its digest is kept for long; a fifth more or less, so that reads spread."""
ENDED_SECONDS = 60.0
"""How long a version that the store no longer gives is not asked for again."""
OUTAGE_SECONDS = 60.0
"""How long a digest that could not be confirmed serves on before the store is asked again."""
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1, 30
"""How long the store is left alone after it did not answer: as long as it asked for, within reason."""
RETRY_AFTER_SECONDS = 5
"""When a caller should try again, unless the store said."""
CAPACITY = 3 * 4096

_Version = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Known:
    digest: bytes | None
    """None when the version has ended."""
    until: float


class TokenDigests:
    """Reads the secret store only by a version that a row names, for a token that has the row's fingerprint."""

    def __init__(
        self, secret_store: SecretStore, *, monotonic: Callable[[], float], uniform: Callable[[float, float], float]
    ) -> None:
        self._secrets = secret_store
        self._monotonic = monotonic
        self._uniform = uniform
        self._known: BoundedCache[_Version, _Known] = BoundedCache(CAPACITY)
        self._flights: SingleFlight[_Version, bytes | None] = SingleFlight()
        self._pause_until = float("-inf")

    def expected(self, directory: Directory, record: TokenRecord) -> bytes:
        """Return what the digest of a token must begin with to be this one: all of it, or the row's fingerprint."""
        known = self._known.get((directory.id, record.version))
        if known is None or known.digest is None:
            return bytes.fromhex(record.fingerprint)
        return known.digest

    async def confirmed(self, directory: Directory, record: TokenRecord) -> bytes | None:
        """Return the digest of a version, or None when the version has ended.

        :raises ServiceUnavailableException: When the store does not answer and this process does not know the digest.
        """
        key = (directory.id, record.version)
        known = self._known.get(key)
        if known is not None and self._monotonic() < known.until:
            return known.digest
        try:
            self._respect_pause()
            return await self._flights.run(key, lambda: self._load(key, directory.secret_name))
        except SecretStoreUnavailableError as error:
            if known is not None and known.digest is not None:
                self._keep(key, known.digest, OUTAGE_SECONDS)
                return known.digest
            raise ServiceUnavailableException(retry_after=error.retry_after or RETRY_AFTER_SECONDS) from error

    def _respect_pause(self) -> None:
        if self._monotonic() < self._pause_until:
            raise SecretStoreUnavailableError("the secret store did not answer a moment ago")

    async def _load(self, key: _Version, secret_name: str) -> bytes | None:
        try:
            value = await self._secrets.get(secret_name, key[1])
        except (SecretNotFoundError, SecretDisabledError):
            return self._keep(key, None, ENDED_SECONDS)
        except SecretStoreUnavailableError as error:
            self._pause_until = self._monotonic() + min(error.retry_after or PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
            raise
        # A value set by hand may end in a line break.
        return self._keep(key, digest(value.strip()), DIGEST_SECONDS)

    def _keep(self, key: _Version, token_digest: bytes | None, seconds: float) -> bytes | None:
        self._known.put(key, _Known(token_digest, self._monotonic() + seconds * self._uniform(0.8, 1.2)))
        return token_digest

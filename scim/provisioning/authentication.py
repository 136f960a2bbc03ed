"""Decides for which directory a request may act, by its bearer token."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from scim2_models import UnauthorizedException

from scim.directories.bearer_token import (
    MAX_VALID_TOKENS,
    PresentedToken,
    TokenMistake,
    TokenRecord,
    explain,
    matches,
)
from scim.directories.directory import Directory
from scim.directories.guesses import Guesses
from scim.directories.interfaces import DirectoryReader, SecretStore
from scim.provisioning.directory_cache import DirectoryCache
from scim.provisioning.token_digests import TokenDigests

Used = Callable[[str, str], None]
"""Is told the directory and the version of the token of every request that is let in; must not wait."""

_DUMMY_DIGEST = secrets.token_bytes(32)
"""Equal to no token's digest: compared where there is none, so that every request makes as many comparisons."""


class AuthenticationFailedException(UnauthorizedException):
    """A request is not authenticated. What the caller sees is the same for every cause.

    ``mistake`` and ``directory`` are for the provisioning log.
    """

    _default_detail = (
        "The bearer token is missing or is not valid for this directory. Copy the Secret Token of this directory "
        "into the provisioning settings of your identity provider, without the word Bearer, or create a new one."
    )

    def __init__(self, mistake: TokenMistake, directory: Directory | None) -> None:
        super().__init__()
        self.mistake = mistake
        self.directory = directory


@dataclass(frozen=True, slots=True)
class Admission:
    """For which directory a request may act, and by which of its tokens."""

    directory: Directory
    token: TokenRecord


class Authenticates(Protocol):
    """Decides for which directory a request may act."""

    async def authenticate(self, directory_id: str, authorization: str | None) -> Admission:
        """Return for which directory a request with this Authorization header may act, and by which token.

        :raises AuthenticationFailedException: 401, when it may act for none.
        :raises ServiceUnavailableException: 503, when that cannot be told because a store does not answer.
        """
        ...


class Authenticator:
    """Authenticates requests from memory; storage is asked only about what this process does not know yet.

    Unknown directory, disabled directory and wrong token take the same steps: the directory's row from the cache,
    three comparisons or more without an early exit, the row once more unless it was read within a second, the
    comparisons again. A wrong token never reaches the secret store, since it has no valid token's fingerprint.
    """

    def __init__(
        self,
        directories: DirectoryReader,
        secret_store: SecretStore,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
        guesses: Guesses | None = None,
        used: Used = lambda _directory_id, _version: None,
    ) -> None:
        self._now = now
        self._used = used
        self._directories = DirectoryCache(directories, monotonic=monotonic, guesses=guesses)
        self._digests = TokenDigests(secret_store, monotonic=monotonic, uniform=uniform)

    async def authenticate(self, directory_id: str, authorization: str | None) -> Admission:
        """Return for which directory a request with this Authorization header may act, and by which token.

        :raises AuthenticationFailedException: 401, when it may act for none.
        :raises ServiceUnavailableException: 503, when that cannot be told because a store does not answer.
        """
        presented = PresentedToken.read(authorization, directory_id)
        cached = await self._directories.get(directory_id)
        accepted = await self._accepted(cached.directory, presented)
        if accepted is not None:
            return accepted
        newer = await self._directories.get_newer(directory_id, cached)
        if newer is not cached:
            accepted = await self._accepted(newer.directory, presented)
        if accepted is not None:
            return accepted
        raise AuthenticationFailedException(self._mistake(newer.directory, presented), newer.directory)

    def forget(self, directory_id: str) -> None:
        """Let a change that this process made of a directory act at once."""
        self._directories.forget(directory_id)

    async def _accepted(self, directory: Directory | None, presented: PresentedToken) -> Admission | None:
        record = self._matching(directory, presented)
        if directory is None or record is None:
            return None
        confirmed = await self._digests.confirmed(directory, record)
        if confirmed is None or not matches(presented.digest, confirmed):
            return None
        self._used(directory.id, record.version)
        return Admission(directory, record)

    def _matching(self, directory: Directory | None, presented: PresentedToken) -> TokenRecord | None:
        found = None
        valid = directory.valid_tokens(self._now()) if directory is not None else ()
        for record in valid:
            if directory is not None and matches(presented.digest, self._digests.expected(directory, record)):
                found = record
        for _ in range(MAX_VALID_TOKENS - len(valid)):
            matches(presented.digest, _DUMMY_DIGEST)
        return found

    def _mistake(self, directory: Directory | None, presented: PresentedToken) -> TokenMistake:
        mistake = explain(presented, directory.tokens if directory is not None else (), self._now())
        if directory is None:
            return TokenMistake.UNKNOWN_DIRECTORY
        if mistake is TokenMistake.DISABLED_SECRET and directory.status != "active":
            return TokenMistake.DIRECTORY_DISABLED
        return mistake

"""Directories as this process last read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from scim.directories.directory import Directory, is_directory_id
from scim.directories.errors import DirectoryStoreUnavailableError, NewerRowsError
from scim.directories.guesses import REMEMBERED_SECONDS, Guesses
from scim.directories.interfaces import DirectoryReader
from scim.directories.staleness import FRESH_SECONDS, STALE_SECONDS
from scim.provisioning.bounded_cache import BoundedCache
from scim.provisioning.errors import ServiceUnavailableException
from scim.single_flight import SingleFlight

REREAD_SECONDS = 1.0
"""A directory is read again, or tried again after a failure, no sooner than this."""
UNKNOWN_SECONDS = REMEMBERED_SECONDS
"""An id without a directory is looked for no sooner again: guessing costs little, and a new directory is soon known."""
CAPACITY = 4096
"""How many directories, and how many ids without one, are remembered."""


@dataclass(frozen=True, slots=True)
class CachedDirectory:
    """A directory, or that there is none, as of the time its reading began."""

    directory: Directory | None
    read_at: float


@dataclass(frozen=True, slots=True)
class _Failure:
    at: float
    retry_after: int
    detail: str | None


class DirectoryCache:
    """Reads directories through a cache. Ids of another form than ours cost nothing.

    Ids without a directory are remembered apart, so that guessing them forgets none that is in use.
    """

    def __init__(
        self, store: DirectoryReader, *, monotonic: Callable[[], float], guesses: Guesses | None = None
    ) -> None:
        self._store = store
        self._guesses = guesses or Guesses(monotonic=monotonic)
        self._monotonic = monotonic
        self._known: BoundedCache[str, CachedDirectory] = BoundedCache(CAPACITY)
        self._unknown: BoundedCache[str, CachedDirectory] = BoundedCache(CAPACITY)
        self._failures: BoundedCache[str, _Failure] = BoundedCache(CAPACITY)
        self._changes: BoundedCache[str, object] = BoundedCache(CAPACITY)
        self._flights: SingleFlight[str, CachedDirectory] = SingleFlight()

    async def get(self, directory_id: str) -> CachedDirectory:
        """Return a directory read at most 30 s ago; at most 5 minutes ago while the store does not answer.

        :raises ServiceUnavailableException: When there is none to serve on with.
        """
        if not is_directory_id(directory_id):
            return CachedDirectory(None, self._monotonic())
        cached = self._cached(directory_id)
        if cached is not None and self._age(cached) < FRESH_SECONDS:
            return cached
        try:
            return await self._read(directory_id)
        except ServiceUnavailableException:
            if cached is not None and self._age(cached) < STALE_SECONDS:
                return cached
            raise

    async def get_newer(self, directory_id: str, than: CachedDirectory) -> CachedDirectory:
        """Return a directory read again, or as it was read less than a second ago, which may be ``than`` itself.

        That there is none is taken to be so for five seconds, and returned as something newer after the first of them:
        whoever compares again what was read again makes as many comparisons.

        :raises ServiceUnavailableException: When the store does not answer: ``than`` may be out of date.
        """
        latest = self._cached(directory_id) or than
        if self._age(latest) < REREAD_SECONDS:
            return latest
        if latest.directory is None and self._age(latest) < UNKNOWN_SECONDS:
            return replace(latest)
        return await self._read(directory_id)

    def forget(self, directory_id: str) -> None:
        """Have a directory read again, since it has just been changed; a reading under way counts as before that."""
        self._changes.put(directory_id, object())
        self._known.remove(directory_id)
        self._unknown.remove(directory_id)

    def _cached(self, key: str) -> CachedDirectory | None:
        return self._known.get(key) or self._unknown.get(key)

    def _age(self, cached: CachedDirectory) -> float:
        return self._monotonic() - cached.read_at

    async def _read(self, key: str) -> CachedDirectory:
        failure = self._failures.get(key)
        if failure is not None and self._monotonic() - failure.at < REREAD_SECONDS:
            raise ServiceUnavailableException(detail=failure.detail, retry_after=failure.retry_after)
        return await self._flights.run(key, lambda: self._load(key))

    async def _load(self, key: str) -> CachedDirectory:
        read_at, change = self._monotonic(), self._changes.get(key)
        try:
            directory = await self._look(key)
        except DirectoryStoreUnavailableError as error:
            detail = None
            if isinstance(error, NewerRowsError):
                self._known.remove(key)  # as it was known before, it must not be served on with
                detail = error.sentence
            self._failures.put(key, _Failure(self._monotonic(), error.retry_after, detail))
            raise ServiceUnavailableException(detail=detail, retry_after=error.retry_after) from error
        if self._changes.get(key) is not change:
            return await self._load(key)
        return self._remember(key, CachedDirectory(directory, read_at))

    async def _look(self, key: str) -> Directory | None:
        if self._known.get(key) is not None:
            return await self._store.directory(key)
        return await self._guesses.look(lambda: self._store.directory(key))

    def _remember(self, key: str, cached: CachedDirectory) -> CachedDirectory:
        into, other = (self._unknown, self._known) if cached.directory is None else (self._known, self._unknown)
        other.remove(key)
        into.put(key, cached)
        return cached

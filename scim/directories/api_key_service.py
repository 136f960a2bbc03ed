"""Making, listing, ending and recognising API keys."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from scim.directories.actor import current_actor
from scim.directories.api_key import (
    KEY_NUMBER_LENGTH,
    ApiKey,
    checked_scopes,
    descendants,
    id_in_key,
    key_digest,
    new_key,
)
from scim.directories.bearer_token import digest
from scim.directories.change_event import ChangeEvent
from scim.directories.creation import Creation
from scim.directories.errors import InvalidValueError, KeyNotFoundError, OrganizationNotFoundError
from scim.directories.guesses import Guesses
from scim.directories.interfaces import DirectoryStore
from scim.directories.key_events import key_event
from scim.directories.organization_events import OrganizationEvents, note_event

CACHED_FOR = timedelta(seconds=30)
_MAX_CACHED = 1024

_log = logging.getLogger("scim.directories")


class ApiKeyStore(Protocol):
    """Keeps API keys. Raises DirectoryStoreUnavailableError when it does not answer."""

    async def add(self, key: ApiKey, event: ChangeEvent) -> None:
        """Keep a new key with its event; doing it again changes nothing.

        Of a key for all organizations the event is kept for good; of another until it was told.

        :raises KeyEndedError: When the key that makes it has ended by then: whoever looks for what an ended key made
            finds all of it.
        """
        ...

    async def renew(self, key: ApiKey) -> bool:
        """Give a key that is there another value; return whether there is such a key.

        :raises IdUsedError: When it has been revoked.
        :raises KeyEndedError: When the key that makes it has ended by then.
        """
        ...

    async def get(self, key_id: str) -> ApiKey | None:
        """Return a key, ended or not, or None. One storage request; none for what has not the form of an id."""
        ...

    async def list(self) -> Sequence[ApiKey]:
        """Return all keys, oldest first."""
        ...

    async def revoke(self, key_id: str, at: datetime, event: ChangeEvent) -> bool:
        """End a key with its event, kept as that of a new one; return whether it had not ended before."""
        ...

    async def untold(self) -> Sequence[ChangeEvent]:
        """Return the events of keys of organizations that have not been told."""
        ...

    async def mark_told(self, event: ChangeEvent) -> None:
        """Forget an event that has been told."""
        ...

    async def note_use(self, key_id: str, at: datetime) -> None:
        """Remember when a key was used last; a key that is gone meanwhile stays gone."""
        ...


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key just made, and its value, which is shown this once."""

    key: ApiKey
    value: str = field(repr=False)


class ApiKeyService:
    """Hands out API keys and recognises them."""

    def __init__(
        self,
        store: ApiKeyStore,
        directories: DirectoryStore,
        *,
        events: OrganizationEvents,
        now: Callable[[], datetime],
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
        guesses: Guesses | None = None,
    ) -> None:
        """Use these stores, and tell this of the keys of organizations."""
        self._store = store
        self._guesses = guesses or Guesses()
        self._directories = directories
        self._events = events
        self._now = now
        self._random_bytes = random_bytes
        self._cached: dict[str, tuple[ApiKey, datetime]] = {}
        self._used: dict[str, datetime] = {}

    async def create(
        self,
        name: str,
        scopes: Iterable[str],
        *,
        organization_id: str | None = None,
        expires_at: datetime | None = None,
        creation: Creation | None = None,
        made_by: ApiKey | None = None,
    ) -> NewApiKey:
        """Return a new key.

        :param creation: Under which id; a key that an earlier attempt made is given another value.
        :param made_by: The key that makes it, which is noted, and than which it may be neither wider nor longer-lived.
        :raises InvalidValueError: When a field is malformed, or the expiry is past.
        :raises BeyondKeyError: When it would be more than the key that makes it.
        :raises KeyEndedError: When the key that makes it was revoked or expired meanwhile.
        :raises IdUsedError: When what an earlier attempt made was revoked since.
        :raises OrganizationNotFoundError: When the organization does not exist.
        """
        now = self._now()
        if expires_at is not None and expires_at <= now:
            raise InvalidValueError("expires_at", "give a time in the future, or leave it out")
        number = creation.id[-KEY_NUMBER_LENGTH:] if creation else None
        key_id, value = new_key(self._random_bytes, number)
        key = ApiKey(
            key_id,
            name.strip(),
            checked_scopes(scopes),
            now,
            value[-4:],
            key_digest(value),
            organization_id,
            expires_at=expires_at,
            created_by=made_by.id if made_by else None,
        )
        if made_by is not None:
            made_by.check_makes(key)
        if organization_id is not None and await self._directories.organization(organization_id) is None:
            raise OrganizationNotFoundError(organization_id)
        if creation is None or not creation.is_repeated or not await self._store.renew(key):
            event = key_event("api_key.created", key, now, current_actor())
            await self._store.add(key, event)
            note_event(event)
            await self._tell(event)
        return NewApiKey(key, value)

    async def list(self, organization_id: str | None = None) -> Sequence[ApiKey]:
        """Return all keys, or those of one organization alone, oldest first."""
        keys = await self._store.list()
        return [key for key in keys if organization_id is None or key.organization_id == organization_id]

    async def get(self, key_id: str, seen_by: ApiKey | None = None) -> ApiKey:
        """Return a key, ended or not. One storage request.

        :param seen_by: The key that asks, to which those of other organizations look as if they did not exist.
        :raises KeyNotFoundError: When there is no such key.
        """
        key = await self._store.get(key_id)
        if key is None or (seen_by is not None and not seen_by.sees(key)):
            raise KeyNotFoundError(key_id)
        return key

    async def revoke(self, key_id: str, *, ended_by: ApiKey | None = None, cascade: bool = False) -> Sequence[str]:
        """End a key, at once in this process, within 30 s in others, and return the ids of the keys that were ended.

        :param ended_by: The key that orders it.
        :param cascade: Whether to end what the key made, too, and what that made. A key that has ended makes none, so
            nothing escapes; what a crash leaves undone the same order completes.
        :raises KeyNotFoundError: When there is no such key, or it is not that key's to see.
        :raises BeyondKeyError: When the key may do more than the one that orders it.
        """
        key = await self.get(key_id, ended_by)
        if ended_by is not None:
            ended_by.check_ends(key)
        ended = await self._end([key])
        while cascade and (living := await self._living_descendants(key_id)):
            ended = [*ended, *await self._end(living)]
        return ended

    async def with_descendants(self, key_id: str) -> Sequence[ApiKey]:
        """Return a key and those that it made, that these made, and so on; ended ones, too."""
        keys = await self._store.list()
        return [*(key for key in keys if key.id == key_id), *descendants(key_id, keys)]

    async def _end(self, keys: Sequence[ApiKey]) -> Sequence[str]:
        for key in keys:
            now = self._now()
            event = key_event("api_key.revoked", key, now, current_actor())
            is_new = await self._store.revoke(key.id, now, event)
            self._cached.pop(key.id, None)
            if is_new:
                note_event(event)
                await self._tell(event)
        return [key.id for key in keys if key.revoked_at is None]

    async def tell(self) -> None:
        """Tell the feeds of organizations what they have not been told of their keys. One storage request for all."""
        for event in await self._store.untold():
            await self._tell(event)

    async def _tell(self, event: ChangeEvent) -> None:
        """Tell an organization of one of its keys; what cannot be told now, the sweep will."""
        if not event.organization_id:
            return
        try:
            await self._events.tell(event)
            await self._store.mark_told(event)
        except Exception:  # noqa: BLE001 - the change itself has taken place, and the sweep tells what is left
            _log.exception("an event of API key %s was not told; the sweep repeats it", event.object_id)

    async def _living_descendants(self, key_id: str) -> Sequence[ApiKey]:
        return [key for key in descendants(key_id, await self._store.list()) if key.revoked_at is None]

    async def recognise(self, value: str) -> ApiKey | None:
        """Return the valid key of a value, or None. A wrong checksum costs nothing, an unknown id little."""
        key_id = id_in_key(value)
        if key_id is None:
            return None
        now, presented = self._now(), digest(value)
        key = await self._known(key_id, now)
        if key is None or not key.is_digest_of(presented) or not key.is_valid(now):
            return None
        return key

    async def _known(self, key_id: str, now: datetime) -> ApiKey | None:
        cached = self._cached.get(key_id)
        if cached is not None and now - cached[1] < CACHED_FOR:
            return cached[0]
        key = await self._guesses.find(f"key {key_id}", lambda: self._store.get(key_id))
        if len(self._cached) >= _MAX_CACHED:
            self._cached.clear()
        self._cached.pop(key_id, None)
        if key is not None:
            self._cached[key_id] = (key, now)
        return key

    async def note_use(self, key: ApiKey) -> None:
        """Remember when a key was used last, to the minute; at most one write a minute, key and process."""
        now = self._now()
        if now - self._used.get(key.id, key.created) >= timedelta(minutes=1) or key.id not in self._used:
            self._used[key.id] = now
            await self._store.note_use(key.id, now)

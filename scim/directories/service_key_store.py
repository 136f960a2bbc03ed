"""Reading, making and rotating the keys of the service, in one secret of the secret store."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from scim.directories.actor import current_actor
from scim.directories.change_event import ChangeEvent
from scim.directories.errors import (
    DirectoryStoreUnavailableError,
    SecretDeletedError,
    SecretDisabledError,
    SecretNotFoundError,
    SecretStoreError,
    SecretStoreUnavailableError,
)
from scim.directories.interfaces import SecretStore, SecretVersion
from scim.directories.organization_events import note_event
from scim.directories.service_key_events import rotation_event
from scim.directories.service_keys import SERVICE_KEYS_SECRET, KeyRing

FRESH_SECONDS = 300.0
"""The secret is read again after this: a rotation, and an end at once, are known everywhere by then."""
STALE_SECONDS = 3600.0
"""Keys read no longer ago than this serve on while the secret store does not answer."""
RETRY_SECONDS = 10.0
"""How long nothing is asked again after a failure, and after a signature that no known key made."""
_NUMBER_TAG = "number"
"""Of each version: the number of the newest key in it, by which versions are told apart without their values."""
_MOST_VERSIONS = 10
"""How many versions with the same newest number are read; all but one were made by processes at the same time."""
_FAR = float("-inf")

_log = logging.getLogger("scim.keys")


class ServiceKeys:
    """Signs texts and checks signatures with the keys of the service, which the first that signs makes.

    Of the versions of the secret those with the greatest number count. Processes that make the first key at the same
    time make a version each: the first of them in one order signs, for everybody who sees it, and the others check
    until the next rotation, since somebody who did not see the first may have signed with them.
    """

    def __init__(
        self,
        secret_store: SecretStore,
        *,
        now: Callable[[], datetime],
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
        monotonic: Callable[[], float] = time.monotonic,
        tell: Callable[[ChangeEvent], Awaitable[None]] | None = None,
    ) -> None:
        """Use a secret store.

        :param now: The time, in UTC.
        :param monotonic: What ages are measured by.
        :param tell: Enters a rotation in the audit log of the service.
        """
        self._secrets = secret_store
        self._now = now
        self._random_bytes = random_bytes
        self._monotonic = monotonic
        self._tell = tell
        self._lock = asyncio.Lock()
        self._ring = KeyRing()
        self._read_at = _FAR
        self._failed_at = _FAR
        self._values: dict[str, KeyRing] = {}

    async def sign(self, purpose: str, text: str) -> str:
        """Return the signature of a text for a purpose. No request, but for one in 5 minutes, and some the first time.

        :raises SecretStoreError: When there is no key in memory, and the secret store does not answer.
        """
        ring = await self._known()
        if not ring.keys:
            async with self._lock:
                ring = await self._made()
        return ring.sign(purpose, text, self._now())

    async def is_signature(self, purpose: str, text: str, signature: str) -> bool:
        """Tell whether a signature is that of a text for a purpose. Makes no key.

        :raises SecretStoreError: When there is no key in memory, and the secret store does not answer.
        """
        if (await self._known()).is_signature(purpose, text, signature, self._now()):
            return True
        # Another process may have made or rotated a key since.
        again = await self._known(RETRY_SECONDS)
        return again.is_signature(purpose, text, signature, self._now())

    async def read(self) -> KeyRing:
        """Return the keys as the secret holds them now; none before the first use.

        :raises SecretStoreError: When the secret store does not answer.
        """
        async with self._lock:
            return await self._load()

    async def rotate(self, *, at_once: bool = False) -> KeyRing:
        """Return the keys with a new one, which signs in 15 minutes; or at once, and then alone.

        Other processes know of it within 5 minutes.

        :raises ServiceKeysFullError: When there are three that still check.
        :raises SecretStoreError: When the secret store does not answer.
        """
        async with self._lock:
            ring = await self._rotated(at_once=at_once)
        await self._note(rotation_event(ring, self._now(), current_actor(), at_once=at_once))
        return ring

    async def _rotated(self, *, at_once: bool) -> KeyRing:
        before, old = await self._versions(), await self._load()
        if not old.keys:
            return await self._made()
        await self._store(old.rotated(self._now(), self._random_bytes, at_once=at_once))
        for version in before:
            await self._disable(version.version)
        return await self._load()

    async def _note(self, event: ChangeEvent) -> None:
        """Enter what has been done in log and audit log; where that fails, a line has it all the same."""
        note_event(event)
        try:
            if self._tell is not None:
                await self._tell(event)
        except DirectoryStoreUnavailableError:
            _log.exception("%s %s is missing in the audit log", event.type, event.object_id)

    async def _known(self, age: float = FRESH_SECONDS) -> KeyRing:
        """Return the keys as they were read no longer ago than this, or as long as the secret store does not answer."""
        if self._monotonic() - self._read_at < age:
            return self._ring
        async with self._lock:
            if self._monotonic() - self._read_at < age:
                return self._ring
            try:
                return await self._asked()
            except SecretStoreError:
                if not self._ring.keys or self._monotonic() - self._read_at >= STALE_SECONDS:
                    raise
                return self._ring

    async def _asked(self) -> KeyRing:
        if self._monotonic() - self._failed_at < RETRY_SECONDS:
            raise SecretStoreUnavailableError("the secret store did not answer a moment ago")
        try:
            return await self._load()
        except SecretStoreError as error:
            self._failed_at = self._monotonic()
            _log.warning("the service keys were not read: %s", error)
            raise

    async def _load(self) -> KeyRing:
        """Return the keys as the secret holds them: one request, and one for each version that is new."""
        found = await self._rings() or await self._rings()  # a rotation may end what was listed before it is read
        known = {key for ring in found[:1] for key in ring.keys}
        strays = tuple(key for ring in found[1:] for key in ring.keys if key not in known)
        self._ring = replace(found[0], strays=strays) if found else KeyRing()
        self._read_at = self._monotonic()
        return self._ring

    async def _rings(self) -> Sequence[KeyRing]:
        versions = await self._versions()
        rings = {version.version: await self._value(version) for version in versions}
        self._values = {name: ring for name, ring in rings.items() if ring is not None}
        return list(self._values.values())

    async def _versions(self) -> Sequence[SecretVersion]:
        """Return the versions that count, the one whose keys sign first."""
        listed = await self._secrets.list_versions(SERVICE_KEYS_SECRET)
        enabled = [version for version in listed if version.enabled and _number(version)]
        newest = max(map(_number, enabled), default=0)
        equal = [version for version in enabled if _number(version) == newest]
        return sorted(equal, key=lambda version: (version.created, version.version))[:_MOST_VERSIONS]

    async def _value(self, version: SecretVersion) -> KeyRing | None:
        """Return the keys of a version, which never change; None when it was ended meanwhile, or holds none."""
        if version.version not in self._values:
            try:
                text = await self._secrets.get(SERVICE_KEYS_SECRET, version.version)
                self._values[version.version] = KeyRing.from_text(text)
            except (SecretDisabledError, SecretNotFoundError):
                return None
            except (ValueError, KeyError, TypeError):
                _log.error("version %s of %s holds no service keys", version.version, SERVICE_KEYS_SECRET)
                return None
        return self._values[version.version]

    async def _made(self) -> KeyRing:
        """Return the keys, of which the first is made unless there is one by now."""
        if (await self._load()).keys:
            return self._ring
        ring = KeyRing.first(await self._last_ended() + 1, self._now(), self._random_bytes)
        await self._store(ring)
        found = await self._load()
        return found if found.keys else ring  # a list of the vault may lag

    async def _last_ended(self) -> int:
        """Return the greatest number of a version that was disabled, or holds no keys any more; 0 where there is none.

        One that another process made meanwhile counts not: the keys of both are of one number.
        """
        listed = await self._secrets.list_versions(SERVICE_KEYS_SECRET)
        numbered = [version for version in listed if _number(version)]
        ended = [each for each in numbered if not each.enabled or await self._value(each) is None]
        return max(map(_number, ended), default=0)

    async def _store(self, ring: KeyRing) -> str:
        name, value, tags = SERVICE_KEYS_SECRET, ring.to_text(), {_NUMBER_TAG: str(ring.keys[-1].number)}
        try:
            return await self._secrets.set(name, value, tags)
        except SecretDeletedError:
            await self._secrets.recover(name)
            return await self._secrets.set(name, value, tags)

    async def _disable(self, version: str) -> None:
        try:
            await self._secrets.disable(SERVICE_KEYS_SECRET, version)
        except SecretNotFoundError:
            return  # deleted: nobody can read it
        except SecretStoreError as error:
            _log.warning("version %s of %s was not disabled: %s", version, SERVICE_KEYS_SECRET, error)


def _number(version: SecretVersion) -> int:
    """Return the number of the newest key in a version; 0 where we did not make it."""
    text = version.tags.get(_NUMBER_TAG, "")
    return int(text) if text.isascii() and text.isdigit() else 0

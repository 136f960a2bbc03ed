"""Keeps when API keys were last used, without a word on the way of the request."""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context

from scim.directories.api_key import ApiKey
from scim.directories.api_key_service import ApiKeyService

_log = logging.getLogger("scim.management")


class KeyUses:
    """Notes uses behind the requests, as best effort."""

    def __init__(self, keys: ApiKeyService) -> None:
        self._keys = keys
        self._running: set[asyncio.Task[None]] = set()

    def note(self, key: ApiKey) -> None:
        """Note that a key was used now; does not wait."""
        # A context of its own: what this stores is not the request's, nor is its deadline.
        task = asyncio.get_running_loop().create_task(self._note(key), context=Context())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._running)

    async def _note(self, key: ApiKey) -> None:
        try:
            await self._keys.note_use(key)
        except Exception:  # noqa: BLE001 - the next use is noted a minute later
            _log.warning("the use of API key %s was not stored", key.id, exc_info=True)

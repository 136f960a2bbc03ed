"""Keeps when tokens were last used, without a word on the way of the request."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from scim.deferred_action import DeferredAction
from scim.directories.interfaces import TokenUseStore

FLUSH_SECONDS = 10.0
"""How long after a first use the uses noted meanwhile are stored."""
_MINUTE = 60
_MAX_REMEMBERED = 12_288

_log = logging.getLogger("scim.tokens")

_Token = tuple[str, str]


class TokenUses:
    """Notes uses in the process, and stores each token's at most once a minute, as best effort."""

    def __init__(
        self, store: TokenUseStore, *, now: Callable[[], float] = time.time, flush_seconds: float = FLUSH_SECONDS
    ) -> None:
        """Use this store.

        :param now: Seconds since 1970.
        """
        self._store = store
        self._now = now
        self._flush_seconds = flush_seconds
        self._noted: dict[_Token, int] = {}
        self._waiting: dict[_Token, int] = {}
        self._storing = DeferredAction(self._store_waiting)

    def note(self, directory_id: str, version: str) -> None:
        """Note that a token was used now; does not wait."""
        minute = int(self._now()) // _MINUTE
        token = (directory_id, version)
        if self._noted.get(token) == minute:
            return
        if len(self._noted) >= _MAX_REMEMBERED:
            self._noted.clear()
        self._noted[token] = self._waiting[token] = minute
        self._storing.within(self._flush_seconds)

    async def close(self) -> None:
        """Store what is waiting."""
        await self._storing.close()

    async def _store_waiting(self) -> None:
        uses, self._waiting = self._waiting, {}
        for (directory_id, version), minute in uses.items():
            try:
                await self._store.record_use(directory_id, version, datetime.fromtimestamp(minute * _MINUTE, UTC))
            except Exception:  # noqa: BLE001 - the next use is stored a minute later
                _log.warning("the use of a token of directory %s was not stored", directory_id, exc_info=True)

"""Keeps when tokens were last used, without a word on the way of the request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextvars import Context
from datetime import UTC, datetime

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
        self._timer: asyncio.TimerHandle | None = None
        self._flush: asyncio.Task[None] | None = None

    def note(self, directory_id: str, version: str) -> None:
        """Note that a token was used now; does not wait."""
        minute = int(self._now()) // _MINUTE
        token = (directory_id, version)
        if self._noted.get(token) == minute:
            return
        if len(self._noted) >= _MAX_REMEMBERED:
            self._noted.clear()
        self._noted[token] = self._waiting[token] = minute
        if self._timer is None:
            # A context of its own: what this stores is not the request's, nor is its deadline.
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._flush_seconds, self._begin_flush, context=Context())

    async def close(self) -> None:
        """Store what is waiting."""
        if self._timer is not None:
            self._timer.cancel()
            self._begin_flush()
        if self._flush is not None:
            await self._flush

    def _begin_flush(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, {}
        self._flush = asyncio.get_running_loop().create_task(self._store_uses(waiting, self._flush))

    async def _store_uses(self, uses: dict[_Token, int], earlier: asyncio.Task[None] | None) -> None:
        if earlier is not None:
            await earlier
        for (directory_id, version), minute in uses.items():
            try:
                await self._store.record_use(directory_id, version, datetime.fromtimestamp(minute * _MINUTE, UTC))
            except Exception:  # noqa: BLE001 - the next use is stored a minute later
                _log.warning("the use of a token of directory %s was not stored", directory_id, exc_info=True)

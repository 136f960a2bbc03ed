"""An action that is done a while after it was asked for, off the way of the request that asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context


class DeferredAction:
    """Does an action once for all who asked meanwhile; one run begins when the one before it has ended."""

    def __init__(self, action: Callable[[], Awaitable[None]]) -> None:
        """Do this action, which handles its own failures."""
        self._action = action
        self._timer: asyncio.TimerHandle | None = None
        self._run: asyncio.Task[None] | None = None

    def within(self, seconds: float) -> None:
        """Have the action begin after so many seconds, or earlier when it was asked for earlier; does not wait."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer.when() <= loop.time() + seconds:
                return
            self._timer.cancel()
        # A context of its own: what the action stores is not the request's, nor is its deadline.
        self._timer = loop.call_later(seconds, self._begin, context=Context())

    async def close(self) -> None:
        """Do at once what was asked for, and wait for its end."""
        if self._timer is not None:
            self._timer.cancel()
            self._begin()
        if self._run is not None:
            await self._run

    def _begin(self) -> None:
        self._timer = None
        self._run = asyncio.get_running_loop().create_task(self._after(self._run), context=Context())

    async def _after(self, earlier: asyncio.Task[None] | None) -> None:
        if earlier is not None:
            await earlier
        await self._action()

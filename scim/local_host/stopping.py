"""The word to stop, which everything that waits in this host listens for."""

from __future__ import annotations

import asyncio


class Stopping:
    """Said once, heard everywhere."""

    def __init__(self) -> None:
        self._said = asyncio.Event()

    def say(self) -> None:
        """Make every wait end."""
        self._said.set()

    @property
    def said(self) -> bool:
        """Whether it was said."""
        return self._said.is_set()

    async def wait(self) -> None:
        """Return when it is said."""
        await self._said.wait()

    async def within(self, seconds: float) -> bool:
        """Wait so long; return whether it was said meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await self._said.wait()
        except TimeoutError:
            return False
        return True

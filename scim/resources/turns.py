"""Turns of the event loop: a long row of small pieces of work lets other requests be served in between."""

from __future__ import annotations

import asyncio
import time

SECONDS = 0.01
"""How long a row of work goes on before others have their turn."""


class Turns:
    """Lets others have their turn after every 10 ms of work."""

    __slots__ = ("_ends_at",)

    def __init__(self) -> None:
        self._ends_at = time.monotonic() + SECONDS

    async def offer(self) -> None:
        """Let others have their turn when it is time."""
        if time.monotonic() >= self._ends_at:
            await asyncio.sleep(0)
            self._ends_at = time.monotonic() + SECONDS

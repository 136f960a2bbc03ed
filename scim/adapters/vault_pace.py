"""How fast one process may read the vault."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from scim.directories.errors import SecretStoreUnavailableError

READS: Final = 36
SECONDS: Final = 10.0
"""50 processes together begin at most 1,800 reads in 10 s; the vault takes 4,000 requests (docs/tokens.md)."""
LONGEST_WAIT: Final = 5.0
"""A read that would begin later is not begun at all: its caller is told to come again."""
RETRY_AFTER: Final = 2


class Pace:
    """Lets no more than so many calls begin in any span of so many seconds; the next ones wait in line."""

    def __init__(
        self,
        calls: int = READS,
        seconds: float = SECONDS,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._sleep = sleep
        self._begun: deque[float] = deque(maxlen=calls)

    async def turn(self) -> None:
        """Return when the next call may begin.

        :raises SecretStoreUnavailableError: When the line is too long.
        """
        now = self._monotonic()
        full = len(self._begun) == self._begun.maxlen
        begin = max(now, self._begun[0] + self._seconds) if full else now
        if begin - now > LONGEST_WAIT:
            raise SecretStoreUnavailableError("this process reads the vault as fast as it may", retry_after=RETRY_AFTER)
        self._begun.append(begin)
        if begin > now:
            await self._sleep(begin - now)

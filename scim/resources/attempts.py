"""Trying again after races that were lost to others, for as long as a caller can wait."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Final, Self

from scim.resources.storage_scope import current_storage_scope

PATIENCE: Final = 10.0
"""Seconds after which what keeps losing races gives up: half of what a request has."""
FEWEST: Final = 2
"""So many attempts are made however long the first one took."""
_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 0.3
_DOUBLINGS: Final = 5


class Attempts:
    """Attempts that read, decide and commit anew, numbered from 0: ``async for _ in Attempts()``, left by success.

    All but the first follow a pause that grows and differs, so that those who met do not meet again. They end after
    10 s, or with the request's own time. What fails after so long is not a race but a crowd; five attempts are made
    in a third of a second, in which twenty callers that write one row cannot all have had their turn.
    """

    def __init__(self) -> None:
        self._number = -1
        self._until = min(time.monotonic() + PATIENCE, current_storage_scope().deadline)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> int:
        """Return the number of the next attempt once it may begin."""
        if self._number >= 0 and not await self.again():
            raise StopAsyncIteration
        self._number = max(self._number, 0)
        return self._number

    async def again(self) -> bool:
        """Return whether there is another attempt after one that was lost, when it may begin."""
        self._number = max(self._number, 0) + 1
        if self._number >= FEWEST and time.monotonic() >= self._until:
            return False
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._number, _DOUBLINGS))
        await asyncio.sleep(random.uniform(longest / 4, longest))  # noqa: S311 - jitter, not a secret
        return True

"""What guessing may cost: an id that nobody has is looked for rarely, and all such ids together only so often.

What is found costs what it did: a process that is new to a thousand directories is not held back. Only where so many
were guessed within a second, a right id that this process has not met yet has to come again, which it is told: that
it is refused is said of nothing that was not looked for.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from scim.directories.errors import DirectoryStoreUnavailableError
from scim.single_flight import SingleFlight

A_SECOND: Final = 20
"""How many reads may find nothing within a second, in a process."""
REMEMBERED_SECONDS: Final = 5.0
"""How long an id is known to be nobody's. Longer, and who looked too early would be refused for too long."""
MOST_REMEMBERED: Final = 4096
RETRY_AFTER: Final = 1

T = TypeVar("T")


class GuessWithheldError(DirectoryStoreUnavailableError):
    """An id was not looked for, since too many were that nobody has: whether this one exists is not known."""

    def __init__(self) -> None:
        super().__init__("too many unknown ids are asked for", retry_after=RETRY_AFTER)


class Guesses:
    """Reads what may be nobody's, for everybody who is not authenticated yet. One per process."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._in_vain: deque[float] = deque()
        """When the reads of the last second ended that found nothing."""
        self._under_way = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._flights: SingleFlight[str, Any] = SingleFlight()
        self._nobodys: OrderedDict[str, float] = OrderedDict()
        self._somebodys: OrderedDict[str, None] = OrderedDict()

    async def look(self, read: Callable[[], Awaitable[T | None]]) -> T | None:
        """Return what a read finds, or None.

        :raises GuessWithheldError: Without having read, when twenty reads found nothing within a second.
        """
        await self._begin()
        found, in_vain = None, False
        try:
            found = await read()
            in_vain = found is None
        finally:
            self._end(in_vain=in_vain)
        return found

    async def find(self, thing: str, read: Callable[[], Awaitable[T | None]], *, shared: bool = True) -> T | None:
        """Return what a read for a thing finds, or None: for five seconds without reading, once it was in vain.

        What was found before is read without limit.

        :param thing: What is looked for, with its kind: ids of two kinds may be alike.
        :param shared: Whether all who ask for it at once are given what one read found.
        :raises GuessWithheldError: Without having read, as :meth:`look` does.
        """
        if thing in self._somebodys:
            found = await read()
        elif self._monotonic() - self._nobodys.get(thing, float("-inf")) < REMEMBERED_SECONDS:
            return None
        else:
            found = await (self._flights.run(thing, lambda: self.look(read)) if shared else self.look(read))
        self.remember(thing, is_somebodys=found is not None)
        return found

    def remember(self, thing: str, *, is_somebodys: bool) -> None:
        """Take note of whether a thing is somebody's, as of one that this process has just made."""
        self._nobodys.pop(thing, None)
        self._somebodys.pop(thing, None)
        if is_somebodys:
            self._somebodys[thing] = None
        else:
            self._nobodys[thing] = self._monotonic()
        for known in (self._nobodys, self._somebodys):
            if len(known) > MOST_REMEMBERED:
                known.popitem(last=False)

    async def _begin(self) -> None:
        """Count a read as under way, as soon as all of those under way may be in vain without exceeding the limit."""
        while self._count() + self._under_way >= A_SECOND:
            if self._count() >= A_SECOND:
                raise GuessWithheldError
            ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(ended)
            await ended
        self._under_way += 1

    def _end(self, *, in_vain: bool) -> None:
        self._under_way -= 1
        if in_vain:
            self._in_vain.append(self._monotonic())
        waiting, self._waiting = self._waiting, []
        for ended in waiting:
            if not ended.done():
                ended.set_result(None)

    def _count(self) -> int:
        now = self._monotonic()
        while self._in_vain and now - self._in_vain[0] >= 1.0:
            self._in_vain.popleft()
        return len(self._in_vain)

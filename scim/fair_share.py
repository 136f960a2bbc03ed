"""Who may work now: so many requests at once in a process, and so few of one party that the others have their turn.

The parties take turns, and the requests of each come in the order in which they arrived.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from typing import Final

from scim.request_log import LogEntry
from scim.resources.storage_scope import current_storage_scope

AT_ONCE: Final = 32
OF_ONE: Final = 8
"""Four parties at full speed fill a process, and a fifth still has its turn within the time of one request."""
LONGEST_WAIT: Final = 10.0
"""How many seconds a request waits for its turn, before the 20 s of its storage calls begin."""
MOST_WAITING: Final = 128
"""How many requests may wait; the host hands over 100. With one more, the newest of whom most wait for gives way."""
RETRY_AFTER: Final = 5


class NoTurnError(Exception):
    """A request did not come to its turn; ``retry_after`` says in how many seconds to repeat it."""

    def __init__(self) -> None:
        super().__init__("too many requests at once")
        self.retry_after = RETRY_AFTER


class FairShare:
    """Lets so many requests work at once, and so many of one party; further ones wait in line."""

    def __init__(
        self,
        at_once: int = AT_ONCE,
        of_one: int = OF_ONE,
        *,
        longest_wait: float = LONGEST_WAIT,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._at_once = at_once
        self._of_one = of_one
        self._longest_wait = longest_wait
        self._most_waiting = most_waiting
        self._working: dict[str, int] = {}
        self._at_work = 0
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        """Who waits, by party; the party whose turn is next comes first. No line is empty."""

    @property
    def working(self) -> int:
        """How many requests work now."""
        return self._at_work

    @property
    def waiting(self) -> int:
        """How many requests wait now."""
        return sum(len(line) for line in self._lines.values())

    def turn(self, party: str, entry: LogEntry | None = None) -> Turn:
        """Return what waits for a turn, and has it for the length of an ``async with``.

        :param entry: Is told how long it waited.
        """
        return Turn(self, party, entry)

    def begin(self, party: str) -> bool:
        """Take a place at once, and tell whether there was one."""
        is_free = party not in self._lines and self._has_place_for(party)
        if is_free:
            self._take_place(party)
        return is_free

    async def wait(self, party: str) -> None:
        """Wait in line for a place.

        :raises NoTurnError: When it does not come within ten seconds, or too many wait.
        """
        self._make_room_for(party)
        loop = asyncio.get_running_loop()
        place: asyncio.Future[None] = loop.create_future()
        self._lines.setdefault(party, deque()).append(place)
        patience = loop.call_later(self._longest_wait, _refuse, place)
        try:
            await place
        except BaseException:
            self._give_up(party, place)
            raise
        finally:
            patience.cancel()

    def _give_up(self, party: str, place: asyncio.Future[None]) -> None:
        """Leave the line; a place that was given in the very moment is given to the next one."""
        if place.cancelled() or place.exception() is not None:
            self._step_out(party, place)
        else:
            self.leave(party)

    def _make_room_for(self, party: str) -> None:
        if self.waiting < self._most_waiting:
            return
        longest = max(self._lines, key=lambda each: len(self._lines[each]))
        if len(self._lines.get(party, ())) >= len(self._lines[longest]):
            raise NoTurnError
        newest = self._lines[longest][-1]
        self._step_out(longest, newest)
        _refuse(newest)

    def _step_out(self, party: str, place: asyncio.Future[None]) -> None:
        line = self._lines.get(party)
        if line is None or place not in line:
            return
        line.remove(place)
        if not line:
            del self._lines[party]

    def leave(self, party: str) -> None:
        """Give a place back, to whoever is next."""
        self._at_work -= 1
        left = self._working[party] - 1
        if left:
            self._working[party] = left
        else:
            del self._working[party]
        while self._lines and (following := self._next_party()) is not None:
            self._call(following)

    def _call(self, party: str) -> None:
        line = self._lines[party]
        place = line.popleft()
        if line:
            self._lines.move_to_end(party)
        else:
            del self._lines[party]
        if not place.done():
            self._take_place(party)
            place.set_result(None)

    def _next_party(self) -> str | None:
        """Return whose turn it is: at most as many are passed over as have all the places that one may have."""
        return next((party for party in self._lines if self._has_place_for(party)), None)

    def _has_place_for(self, party: str) -> bool:
        return self._at_work < self._at_once and self._working.get(party, 0) < self._of_one

    def _take_place(self, party: str) -> None:
        self._at_work += 1
        self._working[party] = self._working.get(party, 0) + 1


class Turn:
    """A turn of one request; the wait for it is none of the time for storage."""

    __slots__ = ("_entry", "_party", "_share")

    def __init__(self, share: FairShare, party: str, entry: LogEntry | None) -> None:
        self._share = share
        self._party = party
        self._entry = entry

    async def __aenter__(self) -> None:
        if self._share.begin(self._party):
            return
        begun = time.perf_counter()
        try:
            await self._share.wait(self._party)
        finally:
            waited = time.perf_counter() - begun
            if self._entry is not None:
                self._entry.waited = waited
        current_storage_scope().deadline += waited

    async def __aexit__(self, *_: object) -> None:
        self._share.leave(self._party)


def _refuse(place: asyncio.Future[None]) -> None:
    if not place.done():
        place.set_exception(NoTurnError())

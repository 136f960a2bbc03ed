"""Going through many directories or organizations: several at once, each in its time, and each time others first."""

from __future__ import annotations

import asyncio
import json
import logging
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from scim.adapters.tables.directory_races import commit_any_state, insert_once, outages
from scim.adapters.tables.service_time import PARTITION
from scim.adapters.tables.table import RowMissingError, Table, insert, merge
from scim.resources.storage_scope import storage_scope

_log = logging.getLogger("scim.background")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a round may take: the host ends a function after 5 minutes, whatever it does."""

    seconds: float
    """Of the round: it begins with nothing whose own time would end later."""
    seconds_each: float
    """Of one directory or organization: what does not come to its end by then is left for the next round."""
    at_once: int = 8
    """So many of one lane are under way."""


@dataclass(slots=True)
class RoundResult:
    """How a round went."""

    tried: int = 0
    failed: int = 0
    """Those that failed, or took too long; each has a line of its own."""
    timed_out: int = 0
    """Those of the failed that took too long."""
    not_reached: int = 0
    """Those that the round had no time for: the next one begins with them."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where rounds have come to, for any machine and after any restart: a row for each kind of round."""

    table: Table

    async def read(self, kind: str) -> Mapping[str, str]:
        """Return for each lane behind which place the next round begins. One storage request; logs an outage."""
        try:
            row = await self.table.read(PARTITION, _key(kind))
            places: Mapping[str, str] = json.loads(str(row.values["places"])) if row else {}
        except Exception:  # noqa: BLE001 - a round that begins anywhere is better than none
            _log.exception("the place of the last %s is not known", kind)
            return {}
        return places

    async def write(self, kind: str, places: Mapping[str, str]) -> None:
        """Keep where the next round begins. One storage request, two the first time; logs an outage."""
        values = {"places": json.dumps(places)}
        try:
            with outages():
                try:
                    await commit_any_state(self.table, PARTITION, [merge(_key(kind), values)])
                except RowMissingError:
                    await insert_once(self.table, PARTITION, insert(_key(kind), values))
        except Exception:  # noqa: BLE001 - the round is worth more than its place
            _log.exception("the place of this %s is not kept", kind)


def _key(kind: str) -> str:
    return f"place|{kind}"


Act = Callable[[str], Awaitable[bool]]
"""Does what is to be done for one name, and tells whether all of it succeeded."""


@dataclass(frozen=True, slots=True)
class Round:
    """One kind of round through names in lanes that go side by side, as those of one data account do.

    So neither a name that hangs keeps others waiting, nor a lane of such names another lane.
    """

    kind: str
    limits: Limits
    places: Places

    async def go(self, lanes: Mapping[str, Sequence[str]], act: Act) -> RoundResult:
        """Act on all names that there is time for, and return how that went.

        Two or three storage requests beside, none where no name has to wait for another.

        :param lanes: The names of each lane in order.
        """
        ends = asyncio.get_running_loop().time() + self.limits.seconds
        if all(len(names) <= self.limits.at_once for names in lanes.values()):
            return await self._go_at_once(lanes, ends, act)
        before = await self.places.read(self.kind)
        going = {
            lane: _Lane(self.kind, _from_place(names, before.get(lane, "")), self.limits, ends, act)
            for lane, names in lanes.items()
            if names
        }
        # Kept at once, so that a round that ends with its process does not begin at the same place again.
        ahead = {lane: each.place_after(self.limits.at_once) for lane, each in going.items()}
        await self.places.write(self.kind, {**before, **ahead})
        await asyncio.gather(*chain.from_iterable(lane.workers() for lane in going.values()))
        reached = {lane: each.place_after(each.begun) for lane, each in going.items() if each.is_cut_short}
        if reached:
            await self.places.write(self.kind, {**before, **ahead, **reached})
        return _sum([each.result for each in going.values()])

    async def _go_at_once(self, lanes: Mapping[str, Sequence[str]], ends: float, act: Act) -> RoundResult:
        """Act on names of which none waits for another, so that it does not matter which is the first."""
        going = [_Lane(self.kind, names, self.limits, ends, act) for names in lanes.values()]
        await asyncio.gather(*chain.from_iterable(lane.workers() for lane in going))
        return _sum([lane.result for lane in going])


def _from_place(names: Sequence[str], place: str) -> Sequence[str]:
    first = bisect_right(names, place, key=_place_of)
    return [*names[first:], *names[:first]]


def _place_of(name: str) -> str:
    """Return the place of a directory or organization: its id without the kind, so that no row seems to be of it."""
    return name.partition("_")[2]


def _sum(results: Sequence[RoundResult]) -> RoundResult:
    return RoundResult(
        tried=sum(each.tried for each in results),
        failed=sum(each.failed for each in results),
        timed_out=sum(each.timed_out for each in results),
        not_reached=sum(each.not_reached for each in results),
    )


@dataclass(slots=True)
class _Lane:
    kind: str
    names: Sequence[str]
    """In the order of this round."""
    limits: Limits
    ends: float
    act: Act
    begun: int = 0
    result: RoundResult = field(default_factory=RoundResult)

    @property
    def is_cut_short(self) -> bool:
        """Whether it came to some of its names, and not to all of them."""
        return 0 < self.begun < len(self.names)

    def place_after(self, count: int) -> str:
        """Return the place behind so many names."""
        return _place_of(self.names[min(count, len(self.names)) - 1])

    def workers(self) -> Sequence[Awaitable[None]]:
        """Return what is to run side by side."""
        self.result.not_reached = len(self.names)
        return [self._work() for _ in range(min(self.limits.at_once, len(self.names)))]

    async def _work(self) -> None:
        clock = asyncio.get_running_loop().time
        while self.begun < len(self.names) and clock() + self.limits.seconds_each <= self.ends:
            name = self.names[self.begun]
            self.begun += 1
            self.result.not_reached -= 1
            self.result.tried += 1
            if not await self._succeeds(name):
                self.result.failed += 1

    async def _succeeds(self, name: str) -> bool:
        seconds = self.limits.seconds_each
        try:
            async with asyncio.timeout(seconds):
                with storage_scope(seconds):
                    return await self.act(name)
        except TimeoutError:
            self.result.timed_out += 1
            _log.error("%s of %s took more than %g s; it goes on next time", self.kind, name, seconds)
        except Exception:  # noqa: BLE001 - one must not keep the others waiting
            _log.exception("%s of %s failed; it is repeated next time", self.kind, name)
        return False


@dataclass(slots=True)
class Steps:
    """Steps that do not depend on each other: one that fails is logged and keeps none of the others from its turn."""

    kind: str
    name: str
    have_succeeded: bool = True

    async def take(self, step: str, action: Awaitable[object]) -> None:
        """Take one step."""
        try:
            await action
        except Exception:  # noqa: BLE001 - the next steps have their turn
            self.have_succeeded = False
            _log.exception("%s of %s failed at %s; it is repeated next time", self.kind, self.name, step)

"""Faults at random storage calls, as a number decides: now and then one, or the same one several times in a row."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random

from scim.adapters.tables.transport import ConnectionLostError, StorageRequest, StorageResponse
from tests.faults import Call, FaultyTransport, Send, transactions
from tests.resilience.matrix import FAULTS, possible_faults

LATE = "carried out late"
"""Storage does not answer, and carries the transaction out seconds later, when others have gone on."""
_LATE_SECONDS = (3.0, 6.0)
LATEST_SECONDS = _LATE_SECONDS[1]
SHARE = 0.03
_ALWAYS = 10**9
_IN_A_ROW = (1, 1, 1, 1, 2, 4, 6)
"""Four outlast the repetitions of one call."""


@dataclass(slots=True)
class Weather:
    """What a transport's calls meet."""

    random: Random
    share: float
    """Of the calls that begin a fault."""
    faults: int = 0
    """How many there were so far."""
    is_calm: bool = False
    """No call fails meanwhile."""
    _fault: str = ""
    _left: int = 0
    _late: list[asyncio.Task[None]] = field(default_factory=list)

    def begin(self, transport: FaultyTransport) -> None:
        """Let calls fail from now on."""
        transport.when(self._strikes, self._strike, times=_ALWAYS)

    def _strikes(self, call: Call) -> bool:
        if self.is_calm:
            return False
        possible = [*possible_faults(call), *([LATE] if transactions(call) else [])]
        if not self._left and self.random.random() < self.share:
            self._left, self._fault = self.random.choice(_IN_A_ROW), self.random.choice(possible)
        if not self._left or self._fault not in possible:
            return False
        self._left -= 1
        self.faults += 1
        return True

    async def _strike(self, request: StorageRequest, send: Send) -> StorageResponse:
        if self._fault != LATE:
            return await FAULTS[self._fault](request, send)
        self._late.append(asyncio.create_task(self._carry_out(request, send, self.random.uniform(*_LATE_SECONDS))))
        raise ConnectionLostError("timed out, and is carried out later", sent=True)

    async def _carry_out(self, request: StorageRequest, send: Send, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await send(request)

    async def settle(self) -> None:
        """Wait until storage has carried out what it took late."""
        await asyncio.gather(*self._late)

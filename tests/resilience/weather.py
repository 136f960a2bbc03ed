"""Faults at random storage calls, as a number decides: now and then one, or the same one several times in a row."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from scim.adapters.tables.transport import StorageRequest, StorageResponse
from tests.faults import Call, FaultyTransport, Send
from tests.resilience.matrix import FAULTS, possible_faults

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
    _fault: str = ""
    _left: int = 0
    _calm: bool = field(default=False)

    def begin(self, transport: FaultyTransport) -> None:
        """Let calls fail from now on."""
        transport.when(self._strikes, self._strike, times=_ALWAYS)

    def end(self) -> None:
        """Let no call fail any more."""
        self._calm = True

    def _strikes(self, call: Call) -> bool:
        if self._calm:
            return False
        possible = possible_faults(call)
        if not self._left and self.random.random() < self.share:
            self._left, self._fault = self.random.choice(_IN_A_ROW), self.random.choice(possible)
        if not self._left or self._fault not in possible:
            return False
        self._left -= 1
        self.faults += 1
        return True

    async def _strike(self, request: StorageRequest, send: Send) -> StorageResponse:
        return await FAULTS[self._fault](request, send)

"""Timer triggers: six fields, seconds first, in UTC, as in Azure."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from azure.functions.timer import TimerRequest
from cronsim import CronSim, CronSimError

from scim.local_host.functions import FunctionsError, TimerFunction
from scim.local_host.stopping import Stopping

_LOG = logging.getLogger(__name__)


class TimerTrigger:
    """Calls one function at the times of its schedule, never twice at once."""

    def __init__(self, function: TimerFunction) -> None:
        """Take a function.

        :raises FunctionsError: When its schedule cannot be read.
        """
        self._function = function
        self._next_after(datetime.now(UTC))

    async def run(self, stopping: Stopping) -> None:
        """Call the function when it is due, until told to stop; times that pass during a call are left out."""
        if self._function.run_on_startup:
            await self._call()
        due = datetime.now(UTC)
        while not stopping.said:
            # A sleep may end a little early: the time just served must not come again.
            due = self._next_after(max(due, datetime.now(UTC)))
            if not await stopping.within((due - datetime.now(UTC)).total_seconds()):
                await self._call()

    def _next_after(self, moment: datetime) -> datetime:
        try:
            return next(CronSim(self._function.schedule, moment))
        except CronSimError as error:
            raise FunctionsError(
                f"function {self._function.name}: schedule {self._function.schedule!r}: {error}"
            ) from error

    async def _call(self) -> None:
        try:
            await self._function.invoke(TimerRequest(schedule={"AdjustForDST": True}))
        except Exception:  # noqa: BLE001 - the next time comes whatever a function raises
            _LOG.exception("function %s raised", self._function.name)

"""Operations that were given up are made void beside the requests: what of them arrives later is refused."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextvars import Context
from datetime import UTC, datetime
from typing import Final

from scim.adapters.tables.settled import void_insert
from scim.adapters.tables.table import StorageUnavailableError, Table, TransactionRefusedError
from scim.resources.storage_scope import storage_scope

MAX_WAITING: Final = 1000
"""So many operations wait to be made void; what is given up beyond them is not."""
LASTING: Final = 120.0
"""Seconds after which an attempt can no longer arrive, so that there is nothing left to prevent."""
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_SECONDS_TO_END: Final = 5.0

_log = logging.getLogger("scim.storage")


class Voids:
    """Makes operations void, each in a task of its own, repeated until storage takes it or two minutes are over.

    They are in memory: should the process end before, an attempt that storage carries out after all of its client's
    and its own time-outs is applied, as if it had been made by somebody else.
    """

    def __init__(self, table: Table, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Write to a table that tries once."""
        self._table = table
        self._pause = pause
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, partition: str, operation_id: str) -> None:
        """Make an operation void soon; does not wait."""
        if len(self._tasks) >= MAX_WAITING:
            _log.warning("too many operations were given up at once; one is not made void")
            return
        # In no context: neither the request's time nor its count of storage calls is this task's.
        task = asyncio.get_running_loop().create_task(self._void(partition, operation_id), context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give what is under way five seconds to end."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_SECONDS_TO_END)
            for task in late:
                task.cancel()

    async def _void(self, partition: str, operation_id: str) -> None:
        write = void_insert(operation_id, datetime.now(UTC).isoformat(timespec="milliseconds"))
        until, seconds = time.monotonic() + LASTING, _FIRST_PAUSE
        while time.monotonic() < until:
            try:
                with storage_scope():
                    await self._table.commit(partition, [write])
            except StorageUnavailableError:
                await self._pause(seconds)
                seconds = min(_LONGEST_PAUSE, 2 * seconds)
            except TransactionRefusedError:
                return  # It was applied, or is void already.
            else:
                return
        _log.warning("an operation that was given up could not be made void within two minutes")

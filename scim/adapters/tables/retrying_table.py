"""Repeats storage calls that may succeed the next time, within the time of the request."""

from __future__ import annotations

import math
import random
from asyncio import sleep
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

from scim.adapters.tables.failures import AttemptFailedError, ProofRejectedError
from scim.adapters.tables.table import Row, RowPage, StorageUnavailableError, Table, TransactionRefusedError, Write
from scim.adapters.tables.unanswered import Commit
from scim.adapters.tables.voiding import Voids
from scim.resources.storage_scope import current_storage_scope

MAX_RETRIES: Final = 3
MAX_PAUSE: Final = 2.0
_FIRST_PAUSE: Final = 0.2
_DEFAULT_RETRY_AFTER: Final = 5

T = TypeVar("T")
Pause = Callable[[float], Awaitable[None]]
"""Waits so many seconds between two attempts."""


class RetryingTable:
    """A :class:`~scim.adapters.tables.table.Table` over one that tries once.

    A commit is repeated even when it is not known whether an attempt was applied. One that records its operation in the
    outbox is then never applied twice (:class:`~scim.adapters.tables.unanswered.Commit`), and made void when it is
    given up (:class:`~scim.adapters.tables.voiding.Voids`). Any other may meet its own writes, and the refusal says so
    (``uncertain``).
    """

    def __init__(self, table: Table, pause: Pause = sleep) -> None:
        self._table = table
        self._pause = pause
        self._voids = Voids(table)

    async def read(self, partition: str, key: str, *, select: Sequence[str] = ()) -> Row | None:
        """Return a row, or None."""
        return await with_retries(lambda: self._table.read(partition, key, select=select), self._pause)

    async def query(
        self,
        partition: str,
        first: str,
        end: str,
        *,
        select: Sequence[str] = (),
        limit: int = 1000,
        continuation: Mapping[str, str] | None = None,
    ) -> RowPage:
        """Return a page of the rows with ``first`` <= key < ``end``."""
        return await with_retries(
            lambda: self._table.query(partition, first, end, select=select, limit=limit, continuation=continuation),
            self._pause,
        )

    async def commit(self, partition: str, writes: Sequence[Write]) -> list[str]:
        """Apply all writes or none, and return the new ETags in order."""
        commit = Commit(self._table, partition, writes)
        try:
            return await with_retries(commit, self._pause)
        finally:
            if commit.is_left_open:
                self._voids.add(partition, commit.operation_id)

    async def close(self) -> None:
        """Wait a moment for operations that are being made void."""
        await self._voids.close()


async def with_retries(call: Callable[[], Awaitable[T]], pause: Pause = sleep) -> T:
    """Return what the call returns, repeating it at most three times after failed attempts.

    Once it is repeated at once with another access token, when storage did not accept ours.

    :raises TransactionRefusedError: With ``uncertain`` when an earlier attempt may have been applied.
    :raises StorageUnavailableError: When no attempt succeeds, or no time is left for another.
    """
    scope = current_storage_scope()
    uncertain = is_rejected = False
    failures = 0
    while True:
        try:
            return await call()
        except TransactionRefusedError as refusal:
            if uncertain and not refusal.uncertain:
                raise type(refusal)(refusal.index, uncertain=True) from refusal
            raise
        except ProofRejectedError:
            if is_rejected:
                raise
            is_rejected = True
            continue
        except AttemptFailedError as failure:
            uncertain = uncertain or failure.may_be_applied
            seconds = _pause_after(failure, failures)
            if failures == MAX_RETRIES or seconds >= scope.remaining():
                raise _unavailable(failure) from failure
        failures += 1
        await pause(seconds)


def _pause_after(failure: AttemptFailedError, failures: int) -> float:
    longest: float = min(MAX_PAUSE, _FIRST_PAUSE * 2**failures)
    jittered = random.uniform(longest / 2, longest)  # noqa: S311 - spreads retries, guards nothing
    return max(jittered, failure.wait or 0.0)


def _unavailable(failure: AttemptFailedError) -> StorageUnavailableError:
    wait = _DEFAULT_RETRY_AFTER if failure.wait is None else max(1, math.ceil(failure.wait))
    return StorageUnavailableError(str(failure), retry_after=wait)

"""Transactions of which an attempt may have been applied, because its answer was lost: never applied twice.

A repeated attempt usually meets its own rows and is refused. But others may have undone what the first one did, and the
relay may have moved its outbox row; then nothing would refuse it, and the feed would tell one operation twice
(docs/decisions/0027).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as changed

from scim.adapters.tables import keys
from scim.adapters.tables.directory_index import LAST_COLUMNS
from scim.adapters.tables.failures import AttemptFailedError
from scim.adapters.tables.generation import first_generation
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.settled import AGAIN, SETTLED, is_void, marked
from scim.adapters.tables.table import (
    MAX_TRANSACTION_WRITES,
    Int64,
    Row,
    StorageUnavailableError,
    Table,
    TransactionRefusedError,
    TransactionTooLargeError,
    Value,
    Write,
    insert,
    merge,
)

_RECENT = 5000
"""More feed rows than can follow a change while its request lasts, which is 20 s."""
_EMPTY_HEAD: dict[str, Value] = {
    "number": Int64(0),
    "users": 0,
    "active": 0,
    "groups": 0,
    **dict.fromkeys(LAST_COLUMNS.values(), ""),
}


@dataclass(slots=True)
class Commit:
    """One transaction, to be attempted until it is answered; calling it makes an attempt."""

    table: Table
    """Tries once."""
    partition: str
    writes: Sequence[Write]
    is_unanswered: bool = False
    """Whether an attempt was made that may have been applied, or may still be."""
    is_open: bool = False
    """Whether nobody knows what became of it: an attempt is under way, or may come late and meet nothing."""

    @property
    def is_left_open(self) -> bool:
        """Whether an attempt may be applied of which whoever waits for the answer is told that it failed."""
        return self.is_open and bool(self.operation_id)

    async def __call__(self) -> list[str]:
        """Return the new ETags in order, or an empty one for each write when an earlier attempt had been applied.

        :raises TransactionRefusedError: When it is refused.
        :raises AttemptFailedError: When this attempt is not answered.
        """
        operation_id = self.operation_id if self.is_unanswered else ""
        self.is_open = True
        try:
            etags = await (self._again(operation_id) if operation_id else self._send(self._as_attempted()))
        except AttemptFailedError as failure:
            self.is_unanswered |= failure.may_be_applied
            self.is_open = self.is_unanswered
            raise
        except (TransactionRefusedError, TransactionTooLargeError, StorageUnavailableError):
            self.is_open = self.is_unanswered
            raise
        self.is_open = False
        return etags

    def _as_attempted(self) -> Sequence[Write]:
        """Return the writes; a row that wants to know whether it took another attempt (``again``) is told."""
        if not self.is_unanswered:
            return self.writes
        return [changed(w, values={**w.values, AGAIN: True}) if AGAIN in w.values else w for w in self.writes]

    @property
    def operation_id(self) -> str:
        """Return the operation that the transaction records in the outbox, if it does and has room for a guard."""
        recorded = (w.key for w in self.writes if w.kind == "insert" and w.key.startswith(keys.OUTBOX_FIRST))
        return keys.last_id(next(recorded, "")) if len(self.writes) < MAX_TRANSACTION_WRITES else ""

    async def _send(self, writes: Sequence[Write]) -> list[str]:
        return await self.table.commit(self.partition, writes)

    async def _again(self, operation_id: str) -> list[str]:
        """Make another attempt, unless the operation is recorded; it holds only while no relay moves its record.

        So whatever becomes of an earlier attempt meanwhile, one of them is applied.
        """
        rows = Partition(self.table, self.partition, "")
        head = await rows.read(keys.HEAD, select=("number",))
        if await _is_recorded(rows, operation_id, head):
            return [""] * len(self.writes)
        guard = merge(keys.HEAD, {}, head.etag) if head else insert(keys.HEAD, {**_EMPTY_HEAD, **first_generation()})
        record = keys.outbox(operation_id)
        writes = [marked(write) if write.key == record else write for write in self.writes]
        try:
            return (await self._send([*writes, guard]))[:-1]
        except TransactionRefusedError as refused:
            if refused.index == len(self.writes):
                raise AttemptFailedError("The relay was at work; look again.", may_be_applied=True) from refused
            if await _is_recorded(rows, operation_id, await rows.read(keys.HEAD, select=("number",))):
                return [""] * len(self.writes)
            raise


async def _is_recorded(rows: Partition, operation_id: str, head: Row | None) -> bool:
    """Return whether outbox or feed has the row of a recent operation; one storage request, or one more for each 1000.

    :param head: Read before, so that the feed is searched to its end of that moment at least.
    """
    record = await rows.read(keys.outbox(operation_id), select=("RowKey", SETTLED))
    if record is not None:
        return not is_void(record)
    last = int(str(head.values["number"])) if head else 0
    recent = (keys.feed(max(0, last - _RECENT)), keys.FEED_END)
    return any([row.values.get("operation") == operation_id async for row in rows.rows(recent, select=("operation",))])

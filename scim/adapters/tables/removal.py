"""Removing many rows of a partition, for good."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from scim.adapters.tables.keys import END_KEY, FIRST_KEY
from scim.adapters.tables.partition import in_parallel
from scim.adapters.tables.table import MAX_TRANSACTION_WRITES, Table, TransactionRefusedError, delete
from scim.resources.storage_scope import current_storage_scope

SECONDS_KEPT = 10.0
"""What is left of a scope when removal stops, for what has to be written down then."""

Removed = Callable[[int], Awaitable[None]]


async def remove_partition(table: Table, partition: str, removed: Removed) -> bool:
    """Remove all rows of a partition, and return whether none is left; False when the scope's time is over.

    Anybody may do the same at the same time, and stop at any point.

    :param removed: Told of up to 1,000 rows each time they are gone.
    """
    while True:
        page = await table.query(partition, FIRST_KEY, END_KEY, select=("RowKey",))
        if not page.rows and page.continuation is None:
            return True
        count = await delete_rows(table, partition, [row.key for row in page.rows])
        if count:
            await removed(count)
        if current_storage_scope().remaining() < SECONDS_KEPT:
            return False


async def delete_rows(table: Table, partition: str, row_keys: Sequence[str]) -> int:
    """Delete rows, 100 in a transaction, and return how many; those that others delete meanwhile are not counted."""
    starts = range(0, len(row_keys), MAX_TRANSACTION_WRITES)
    parts = [row_keys[start : start + MAX_TRANSACTION_WRITES] for start in starts]
    if not parts:
        return 0
    return sum(await in_parallel(parts, lambda part: _deleted(table, partition, part)))


async def _deleted(table: Table, partition: str, row_keys: Sequence[str]) -> int:
    try:
        await table.commit(partition, [delete(key) for key in row_keys])
    except TransactionRefusedError:
        # Others are deleting, too: what they leave is deleted one by one.
        if len(row_keys) == 1:
            return 0
        half = len(row_keys) // 2
        return await _deleted(table, partition, row_keys[:half]) + await _deleted(table, partition, row_keys[half:])
    return len(row_keys)

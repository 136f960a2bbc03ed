"""Giving the feed of a directory a new generation, behind the last event that it has."""

from __future__ import annotations

from scim.adapters.tables import keys
from scim.adapters.tables.generation import GENERATION, renewed_generation
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import Int64, TransactionRefusedError, Value, Write, insert, merge
from scim.resources.attempts import Attempts
from scim.resources.errors import StorageUnavailableError


async def renew_feed(partition: Partition) -> str:
    """Give a feed a new generation, so that all its readers take everything anew, and return it.

    The head is brought behind the last row of the feed, where a copy has it before. Two storage requests, and one for
    each 1,000 rows that the head does not know.

    :raises StorageUnavailableError: When relays kept coming first.
    """
    columns = renewed_generation()
    async for _ in Attempts():
        try:
            await partition.commit([await _renewal(partition, columns)])
        except TransactionRefusedError:
            continue
        return str(columns[GENERATION])
    raise StorageUnavailableError("the feed kept being written while its generation was changed", retry_after=1)


async def _renewal(partition: Partition, columns: dict[str, Value]) -> Write:
    """Return the write that renews a head in the state in which it was read."""
    head = await partition.read(keys.HEAD)
    last = int(str(head.values.get("number", 0))) if head else 0
    async for row in partition.rows((keys.feed(last + 1), keys.FEED_END), select=("RowKey",)):
        last = int(keys.last_id(row.key))
    values: dict[str, Value] = {"number": Int64(last), **columns}
    if head is not None:
        return merge(keys.HEAD, values, head.etag)
    return insert(keys.HEAD, {"users": 0, "active": 0, "groups": 0, **values})

"""What of a directory's standing its partition of resources tells."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

from scim.adapters.tables import keys
from scim.adapters.tables.directory_index import read_index
from scim.adapters.tables.partition import Partition
from scim.resources.values import parse_datetime


async def read_work(partition: Partition) -> tuple[Mapping[str, int], datetime | None]:
    """Return the counts of a directory, and since when the oldest work of the background waits, None for none.

    2 storage requests.
    """
    index, unfinished = await asyncio.gather(read_index(partition), _oldest_unfinished(partition))
    waiting = [time for time in (index.waiting_since, unfinished) if time is not None]
    return index.current_counts(), min(waiting, default=None)


async def _oldest_unfinished(partition: Partition) -> datetime | None:
    rows = partition.rows((keys.UNFINISHED_FIRST, keys.UNFINISHED_END), select=("time",))
    times = [parse_datetime(str(row.values["time"])) async for row in rows]
    return min((time for time in times if time is not None), default=None)

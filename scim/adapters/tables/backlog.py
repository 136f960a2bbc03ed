"""What waits in the outbox, in the order in which it was committed, and the index that it is to be added to.

Order is that of the service's timestamps: keys carry the clocks of the machines that wrote them, and only changes that
read what they replace have keys in order. A window of the first keys would therefore be no beginning of that order,
nor are several pages one state. Hence a long backlog is listed twice (docs/decisions/0017).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed

from scim.adapters.tables import keys
from scim.adapters.tables.directory_index import DirectoryIndex, index_of
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.settled import SETTLED
from scim.adapters.tables.table import Row

_LISTED = ("RowKey", "Timestamp", SETTLED)
_WINDOW = 240
"""How many rows of a long backlog are in memory with their events."""
_SKIPPED = 50
"""So many rows that are not wanted are read with those around them, before another query is made instead."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Outbox rows in the order of their commits, and the index as of a moment before any of them was moved."""

    index: DirectoryIndex
    waiting: Sequence[Row]
    is_listed: bool = False
    """Whether the rows were only listed, and come without their events."""

    async def windows(self, partition: Partition) -> AsyncIterator[Sequence[Row]]:
        """Yield all rows in order, with their events. One storage request for each 240 that were only listed.

        A row that another relay moved meanwhile is left out; a transaction guarded by this index is refused then.
        """
        if not self.is_listed:
            yield self.waiting
            return
        ranks = {key: rank for rank, key in enumerate(sorted(row.key for row in self.waiting))}
        for start in range(0, len(self.waiting), _WINDOW):
            wanted = [row.key for row in self.waiting[start : start + _WINDOW]]
            found = await _read(partition, wanted, ranks)
            yield [found[key] for key in wanted if key in found]


async def read_backlog(partition: Partition) -> Backlog:
    """Return all that was committed before and is in the outbox still. One storage request up to 1000 rows."""
    page = await partition.page((keys.HEAD, keys.OUTBOX_END))
    if page.continuation is not None:
        return await _list_backlog(partition)
    index = index_of(page.rows)
    return Backlog(index, in_order(index.outbox))


async def _list_backlog(partition: Partition) -> Backlog:
    """Return a backlog of any length without its events. Two storage requests for each 1000 rows.

    What the first listing saw, and all that was committed before it, is in the second one whole: only the relay takes
    rows away, and it changes the head. What came later is left for the next relay, since what went before it may have
    been missed.
    """
    seen = max([_moment(row) async for row in _listed(partition)], default="")
    index = index_of([row async for row in partition.rows((keys.HEAD, keys.OUTBOX_FIRST))])
    listed = index_of([row async for row in _listed(partition) if _moment(row) <= seen])
    return Backlog(changed(index, settled=listed.settled), in_order(listed.outbox), is_listed=True)


def _listed(partition: Partition) -> AsyncIterator[Row]:
    return partition.rows((keys.OUTBOX_FIRST, keys.OUTBOX_END), select=_LISTED)


def in_order(outbox: Sequence[Row]) -> list[Row]:
    """Return outbox rows in the order of their commits: by the service's timestamp, then by operation id."""
    return sorted(outbox, key=lambda row: (_moment(row), row.key))


def _moment(row: Row) -> str:
    """Return a row's timestamp so that it sorts as time does: the service leaves out zeros at the end."""
    return row.timestamp.rstrip("Z")


async def _read(partition: Partition, wanted: Sequence[str], ranks: Mapping[str, int]) -> dict[str, Row]:
    """Return rows with their events, those with neighbouring keys by one query."""
    found: dict[str, Row] = {}
    for first, last in _runs(sorted(wanted), ranks):
        found |= {row.key: row async for row in partition.rows((first, f"{last}!"))}
    return found


def _runs(ordered: Sequence[str], ranks: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    first = last = ordered[0]
    for key in ordered[1:]:
        if ranks[key] - ranks[last] > _SKIPPED:
            yield first, last
            first = key
        last = key
    yield first, last

"""The time by storage's own clock: what may be undone by no later step goes by it, and by no machine's clock.

A row that is written gets the service's time as its timestamp, so writing one and reading it tells the time.
It is never later than the time, whatever the machine's clock says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from scim.adapters.tables.directory_races import commit_any_state, insert_once, outages
from scim.adapters.tables.table import Row, RowMissingError, Table, insert, merge

PARTITION, _CLOCK = "service", "clock"


@dataclass(frozen=True, slots=True)
class ServiceTime:
    """Tells the time by a row of its own."""

    table: Table

    async def __call__(self) -> datetime:
        """Return the time, in UTC. Two storage requests; three the first time ever.

        :raises DirectoryStoreUnavailableError: When storage does not answer.
        """
        with outages():
            moment = await touched(self.table, PARTITION, _CLOCK)
            if moment is None:
                await insert_once(self.table, PARTITION, insert(_CLOCK, {}))
                moment = await touched(self.table, PARTITION, _CLOCK)
        if moment is None:
            raise LookupError("the row of the clock was deleted while it was read")
        return moment


async def touched(table: Table, partition: str, key: str) -> datetime | None:
    """Return the time after writing a row without changing it; None where there is no such row. 2 storage requests."""
    try:
        await commit_any_state(table, partition, [merge(key, {})])
    except RowMissingError:
        return None
    row = await table.read(partition, key)
    return None if row is None else written_at(row)


def written_at(row: Row) -> datetime:
    """Return when a row was written last, by the service's clock, in UTC."""
    return datetime.fromisoformat(row.timestamp).astimezone(UTC)

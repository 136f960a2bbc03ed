"""Putting a copy back: partitions that are empty are filled, what leads to them is listed again, no row is changed.

Rows come back in an order in which the running service does nothing with them before all are there: first a
directory's own row, as disabled, then its partition, then organizations and lists, and the status last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from scim.adapters.tables import keys
from scim.adapters.tables.directory_races import commit_any_state
from scim.adapters.tables.directory_rows import HELD
from scim.adapters.tables.feed_renewal import renew_feed
from scim.adapters.tables.keys import END_KEY, FIRST_KEY
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import (
    MAX_TRANSACTION_WRITES,
    RowChangedError,
    RowExistsError,
    Table,
    Value,
    Write,
    insert,
    replace,
)
from scim.composed_stores import DIRECTORIES_TABLE, RESOURCES_TABLE
from scim.composition import Application
from scim.directories.directory import is_directory_id
from scim.directories.organization import is_organization_id
from scim.maintenance.copies import TABLES
from scim.maintenance.copy_file import CopiedRow, CopyFileError, Place, copied_rows, moment_of
from scim.maintenance.progress import Progress
from scim.maintenance.restore_plan import DIRECTORY, LISTS, Plan, is_deleted, leads_to, plan_of
from scim.maintenance.results import RestoreResult
from scim.maintenance.returning_rows import returning_rows
from scim.resources.attempts import Attempts

_GROUP_CHARACTERS: Final = 750_000
"""Of one transaction: the service takes 4 MiB, and a character is up to four bytes."""


async def restore(
    application: Application, path: Path, only: Collection[str], progress: Progress, *, deleted: bool = False
) -> RestoreResult:
    """Put back the rows of every partition that has none, or what is missing in those that are named.

    Unless it is named, a partition with rows is left alone: it has gone on since the copy, and an event that was told
    since, or a user that was deleted, would come back. Feeds get a new generation, so that no cursor of before the
    loss skips or repeats what is told from now on.

    :param only: The partitions to put back; all that have no rows when empty. With a directory come the rows by which
        it is found: its entry in the list of directories, and that of its organization.
    :param deleted: Whether directories that were deleted on purpose come back, too, when they are named.
    :raises CopyFileError: When the file is no whole copy, an account of it is not named, or a named directory cannot
        come back. Nothing is written then.
    """
    moment = moment_of(path)
    plan = await plan_of(application, path, frozenset(only), deleted=deleted)
    restoring = _Restoring(application, path, plan, progress)
    await restoring.run()
    by_table = {table: restoring.restored[table] for table in TABLES}
    left_out = plan.rows - restoring.restored.total()
    left_alone = [] if only else sorted({place.partition for place, taken in restoring.is_open.items() if not taken})
    return RestoreResult(str(path), by_table, left_out, left_alone, moment.begun, moment.ended, restoring.directories)


class _Restoring:
    """One restore."""

    def __init__(self, application: Application, path: Path, plan: Plan, progress: Progress) -> None:
        self.restored: Counter[str] = Counter()
        self.is_open: dict[Place, bool] = {}
        self._application = application
        self._path = path
        self._plan = plan
        self._progress = progress
        self._statuses: dict[str, str] = {}
        self._continued: set[str] = set()
        """Directories in which an earlier restore broke off."""

    @property
    def directories(self) -> list[str]:
        """The directories of which rows came back."""
        places = [place for place, taken in self.is_open.items() if taken and is_directory_id(place.partition)]
        return sorted({place.partition for place in places})

    async def run(self) -> None:
        """Put back everything."""
        for copied in copied_rows(self._path):
            if copied.row.key == DIRECTORY and copied.place.table == DIRECTORIES_TABLE:
                await self._announce(copied)
        for of_directories in (False, True):
            for place, rows in groupby(copied_rows(self._path), lambda copied: copied.place):
                if (place.table == DIRECTORIES_TABLE) is of_directories:
                    await self._partition(place, rows)
        for directory_id, status in self._statuses.items():
            await self._open(directory_id, status)

    async def _announce(self, copied: CopiedRow) -> None:
        """Put back a directory's own row, disabled until the rest of it is there."""
        table, directory_id = self._table_of_directories, copied.place.partition
        if not await self._takes(copied.place):
            return
        status = str(copied.row.values.get("status", "active"))
        present = await table.read(directory_id, DIRECTORY)
        is_missing = present is None or is_deleted(present)
        if is_missing:
            held: dict[str, Value] = {} if is_deleted(copied.row) else {"status": "disabled", HELD: True}
            values = {**copied.row.values, **held}
            await table.commit(
                directory_id, [replace(DIRECTORY, values, present.etag) if present else insert(DIRECTORY, values)]
            )
            self.restored[DIRECTORIES_TABLE] += 1
        if not is_deleted(copied.row) and (present is None or is_missing or present.values.get(HELD) is True):
            self._statuses[directory_id] = status

    async def _open(self, directory_id: str, status: str) -> None:
        """Give a directory that is back the status that it had."""
        async for _ in Attempts():
            row = await self._table_of_directories.read(directory_id, DIRECTORY)
            values = {name: value for name, value in row.values.items() if name != HELD} if row else {}
            try:
                opened = replace(DIRECTORY, {**values, "status": status}, row.etag if row else "*")
                await self._table_of_directories.commit(directory_id, [opened])
            except RowChangedError:
                continue
            return
        raise CopyFileError(f"{directory_id}: its row kept being changed; repeat the restore")

    async def _takes(self, place: Place) -> bool:
        """Tell whether a partition is put back, as it was when this restore met it first."""
        if place not in self.is_open:
            table = self._application.accounts[place.account].table(place.table)
            self.is_open[place] = (
                place.partition in self._plan.only if self._plan.only else await self._is_free(place, table)
            )
        return self.is_open[place]

    async def _is_free(self, place: Place, table: Table) -> bool:
        """Tell whether a partition has no row, and is none of a directory that was deleted on purpose.

        One in which an earlier restore broke off is free: its directory is still held.
        """
        if is_directory_id(place.partition):
            row = await self._table_of_directories.read(place.partition, DIRECTORY)
            if place.table == DIRECTORIES_TABLE and row is not None:
                if row.values.get(HELD) is True:
                    self._continued.add(place.partition)
            elif row is not None and is_deleted(row):
                return False
        return place.partition in self._continued or await _is_empty(table, place.partition)

    async def _partition(self, place: Place, rows: Iterator[CopiedRow]) -> None:
        if await self._takes(place):
            await self._whole(place, rows)
        elif place.table == DIRECTORIES_TABLE:
            await self._leading(place, rows)

    async def _whole(self, place: Place, rows: Iterator[CopiedRow]) -> None:
        """Put back what is missing of a partition, and give its feed another generation."""
        table = self._application.accounts[place.account].table(place.table)
        partition, is_feed = Partition(table, place.partition, ""), place.table == RESOURCES_TABLE
        has_rows = is_feed and not await _is_empty(table, place.partition)
        relayed = await _relayed(partition) if has_rows else ()
        lost = await self._lost_directories(place)
        returning = (each for each in returning_rows(place, rows, relayed) if each.row.key not in lost)
        for writes in _transactions(returning):
            self.restored[place.table] += await _put_back(table, place.partition, writes)
            self._progress("rows put back", self.restored.total())
        if has_rows:
            await renew_feed(partition)
        if place.table == DIRECTORIES_TABLE and is_organization_id(place.partition):
            await self._application.organization_feed.renew(place.partition)

    async def _lost_directories(self, place: Place) -> frozenset[str]:
        """Return the keys of an organization's rows of directories that stay lost: those that are not named."""
        if not self._plan.only or place.table != DIRECTORIES_TABLE or not is_organization_id(place.partition):
            return frozenset()
        table, of_organization = self._table_of_directories, self._plan.directories_of(place.partition)
        rows = {each: await table.read(each, DIRECTORY) for each in of_organization}
        return frozenset(f"d|{each}" for each, row in rows.items() if row is None or is_deleted(row))

    async def _leading(self, place: Place, rows: Iterator[CopiedRow]) -> None:
        """Put back the rows that lead to what came back; readers of its organization's events begin anew, too."""
        returned = {each.partition for each, taken in self.is_open.items() if taken and each.table == place.table}
        leading = [copied for copied in rows if leads_to(copied, returned)]
        for writes in _transactions(iter(leading)):
            self.restored[place.table] += await _put_back(self._table_of_directories, place.partition, writes)
        if leading and place.partition != LISTS:
            await self._application.organization_feed.renew(place.partition)

    @property
    def _table_of_directories(self) -> Table:
        return self._application.account.table(DIRECTORIES_TABLE)


async def _relayed(partition: Partition) -> set[str]:
    """Return the operations that a partition's feed has."""
    rows = partition.rows((keys.FEED_FIRST, keys.FEED_END), select=("RowKey", "operation"))
    return {str(row.values.get("operation", "")) async for row in rows}


async def _is_empty(table: Table, partition: str) -> bool:
    """Tell whether a partition has no row. A page may be empty and go on."""
    page = await table.query(partition, FIRST_KEY, END_KEY, select=("RowKey",), limit=1)
    while not page.rows and page.continuation is not None:
        page = await table.query(
            partition, FIRST_KEY, END_KEY, select=("RowKey",), limit=1, continuation=page.continuation
        )
    return not page.rows


def _transactions(rows: Iterator[CopiedRow]) -> Iterator[list[Write]]:
    """Yield the writes that insert rows, as many as fit one transaction."""
    writes: list[Write] = []
    characters = 0
    for copied in rows:
        if writes and (len(writes) == MAX_TRANSACTION_WRITES or characters + copied.characters > _GROUP_CHARACTERS):
            yield writes
            writes, characters = [], 0
        writes.append(insert(copied.row.key, copied.row.values))
        characters += copied.characters
    if writes:
        yield writes


async def _put_back(table: Table, partition: str, writes: list[Write]) -> int:
    """Return how many rows were missing. Where some are there, halves are tried until single rows tell which."""
    try:
        await commit_any_state(table, partition, writes)
    except RowExistsError:
        if len(writes) == 1:
            return 0
        half = len(writes) // 2
        return sum([await _put_back(table, partition, part) for part in (writes[:half], writes[half:])])
    return len(writes)

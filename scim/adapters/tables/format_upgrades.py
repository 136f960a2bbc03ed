"""Brings the rows of directories to the format that this version writes, while the service runs.

The directory's row is given the new format first, so that a version that does not know it leaves the directory alone.
Processes may go on with the row as they know it for a while, so the rows follow when that is over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from scim.adapters.tables import keys
from scim.adapters.tables.consistency.finding import one_write_a_row
from scim.adapters.tables.consistency.inspection import inspect
from scim.adapters.tables.consistency.readable import readable_document
from scim.adapters.tables.consistency.recount import recount
from scim.adapters.tables.directories import TableDirectoryStore
from scim.adapters.tables.mapped_attributes import matching_values
from scim.adapters.tables.partition import Partition, in_parallel
from scim.adapters.tables.table import Row, TransactionRefusedError, Write, delete, insert, merge
from scim.adapters.tables.users import moved_lookups
from scim.directories.directory import Directory
from scim.directories.mapping_job import matching_paths
from scim.directories.row_format import WRITTEN_FORMAT, FormatUpgrade
from scim.resources.storage_scope import current_storage_scope

Note = Callable[[int], None]
"""Is told how many rows were rewritten so far."""

ROWS_AT_ONCE: Final = 100
"""After so many rows the directory's row says how far the upgrade is."""
_SECONDS_KEPT: Final = 15.0
_ATTEMPTS: Final = 5


def _nobody(_rewritten: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Step:
    """What leads from one format to the next."""

    ranges: Sequence[tuple[str, str]]
    """Of the rows that differ, in key order."""
    writes: Callable[[Partition, Row], Awaitable[list[Write]]]
    """What brings a row to the next format, in the state in which it was read; nothing when it has it."""
    finish: Callable[[Partition], Awaitable[bool]]
    """What follows when all rows are there, and whether it could be done."""
    is_small: bool
    """Whether the sweep takes it by itself: the rows need little work, and are served as well before it."""


async def _completed(partition: Partition, row: Row) -> list[Write]:
    """Return what gives a document its columns for lists and all of its lookup rows."""
    user_id = keys.last_id(row.key)
    document = readable_document("User", row) if user_id.startswith("usr_") else None
    if document is not None:
        stored, wanted = str(row.values.get("matching", "")).split(), matching_values(partition.attributes, document)
        removed, added = moved_lookups(keys.matching(stored, user_id), keys.matching(wanted, user_id))
        if removed or added:
            writes = [*(insert(key, {"id": user_id}) for key in added), *(delete(key) for key in removed)]
            return [merge(row.key, {"matching": " ".join(wanted)}, row.etag), *writes]
    return one_write_a_row(await inspect(partition, row.key))


STEPS: Final[Mapping[int, Step]] = {
    0: Step([keys.document_range("Group"), keys.document_range("User")], _completed, recount, is_small=True),
}


@dataclass(frozen=True, slots=True)
class FormatUpgrades:
    """Carries out upgrades of directories. Any number of machines may do so at once, and stop at any point."""

    directories: TableDirectoryStore
    partition_of: Callable[[Directory], Partition]
    ask: Callable[[str], None]
    """Asks for :meth:`proceed_small` soon, and does not wait; the sweep follows in any case."""
    service_time: Callable[[], Awaitable[datetime]]
    """The time by storage's clock."""

    async def proceed_small(self, directory: Directory) -> None:
        """Go on with the upgrade of a directory just read where its steps are small ones, as far as time allows."""
        if all(STEPS[step].is_small for step in range(directory.reached_format, WRITTEN_FORMAT)):
            await self.proceed(directory)

    async def begin(self, directory: Directory) -> Directory:
        """Return the directory with this version's format in its row; the very same where it has it."""
        if directory.row_format != WRITTEN_FORMAT:
            directory = await self.directories.update_directory(directory.id, _raised)
        if directory.upgrade is None or directory.upgrade.raised is not None:
            return directory
        since = await self.service_time()
        return await self.directories.update_directory(directory.id, lambda old: _raised_since(old, since))

    async def proceed(self, directory: Directory, note: Note = _nobody) -> Directory:
        """Go on with the upgrade of a directory just read, as far as time allows, and return the directory.

        :raises DirectoryNotFoundError: When it is deleted meanwhile.
        """
        directory = await self.begin(directory)
        while (upgrade := directory.upgrade) is not None and await self._has_settled(upgrade):
            if upgrade.reached >= directory.row_format:
                return await self.directories.update_directory(directory.id, _ended)
            directory, is_done = await self._take_step(directory, upgrade, note)
            if not is_done:
                self.ask(directory.id)
                break
        return directory

    async def _has_settled(self, upgrade: FormatUpgrade) -> bool:
        return upgrade.not_before is not None and await self.service_time() >= upgrade.not_before

    async def _take_step(self, directory: Directory, upgrade: FormatUpgrade, note: Note) -> tuple[Directory, bool]:
        """Return the directory with a step as far as it has come, and whether it is done."""
        step, waiting = STEPS[upgrade.reached], list[Row]()
        partition = replace(self.partition_of(directory), row_format=upgrade.reached + 1)
        for first, end in step.ranges:
            if upgrade.after >= end:
                continue
            async for row in partition.rows((max(first, f"{upgrade.after}!"), end)):
                waiting.append(row)
                if len(waiting) < ROWS_AT_ONCE:
                    continue
                upgrade, waiting = await _rewritten(partition, step, upgrade, waiting), []
                note(upgrade.rewritten)
                directory = await self._note(directory, upgrade)
                if directory.upgrade != upgrade or current_storage_scope().remaining() < _SECONDS_KEPT:
                    return directory, False
        upgrade = await _rewritten(partition, step, upgrade, waiting)
        note(upgrade.rewritten)
        is_done = await step.finish(partition)
        return await self._note(directory, upgrade.stepped() if is_done else upgrade), is_done

    async def _note(self, directory: Directory, upgrade: FormatUpgrade) -> Directory:
        return await self.directories.update_directory(directory.id, lambda old: _noted(old, upgrade))


async def _rewritten(partition: Partition, step: Step, upgrade: FormatUpgrade, rows: Sequence[Row]) -> FormatUpgrade:
    if not rows:
        return upgrade
    rewritten = await in_parallel(rows, lambda row: _rewrite(partition, step, row))
    return upgrade.advanced(rows[-1].key, sum(rewritten))


async def _rewrite(partition: Partition, step: Step, row: Row) -> bool:
    """Bring a row to the next format, and tell whether that took writes. Others may change it meanwhile."""
    current: Row | None = row
    for attempt in range(_ATTEMPTS):
        writes = await step.writes(partition, current) if current else []
        if not writes:
            return attempt > 0
        with suppress(TransactionRefusedError):
            await partition.commit(writes)
        current = await partition.read(row.key)
    return True  # whoever keeps changing it writes it in this version's format


def _raised(old: Directory) -> Directory:
    if old.row_format >= WRITTEN_FORMAT:
        return old
    return replace(old, row_format=WRITTEN_FORMAT, upgrade=FormatUpgrade(old.reached_format))


def _raised_since(old: Directory, since: datetime) -> Directory:
    if old.upgrade is None or old.upgrade.raised is not None:
        return old
    return replace(old, upgrade=replace(old.upgrade, raised=since))


def _noted(old: Directory, upgrade: FormatUpgrade) -> Directory:
    current = old.upgrade
    if current is None or (upgrade.reached, upgrade.after) <= (current.reached, current.after):
        return old
    return replace(old, upgrade=upgrade)


def _ended(old: Directory) -> Directory:
    if old.upgrade is None or old.upgrade.reached < old.row_format:
        return old
    # A change of mappings that is under way says itself when its lookup rows are there.
    ready = old.matching_ready if old.mapping_job else tuple(sorted(matching_paths(old.attribute_mappings)))
    return replace(old, upgrade=None, matching_ready=ready)

"""What is written behind the end of a directory or an organization: looked for, and removed, for a week.

Margins are longer than any process goes by what it read, but a process may be stopped between reading and writing for
longer than any margin. So the list keeps what is gone in a row of its own, made in the transaction that takes its entry
away, and every sweep looks at the partitions that it had: four storage requests where there is nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scim.adapters.tables.directory_races import commit_any_state, delete_once, outages, read_rows
from scim.adapters.tables.directory_rows import LIST_PARTITION, is_there
from scim.adapters.tables.removal import delete_rows, remove_partition
from scim.adapters.tables.service_time import written_at
from scim.adapters.tables.settled import AGAIN
from scim.adapters.tables.table import RowExistsError, RowMissingError, Table, Write, delete, insert
from scim.directories.placement import DEFAULT_DATA_ACCOUNT

KEPT = timedelta(days=7)
"""A machine that was stopped for longer is started anew."""
_FIRST, _END = "gone|", "gone}"
_DIRECTORY = "directory"

_log = logging.getLogger("scim.background")


@dataclass(frozen=True, slots=True)
class Gone:
    """A directory or an organization that is gone."""

    id: str
    data_account: str
    """Where the resources of a directory were."""
    since: datetime
    """By storage's clock."""


def gone_insert(name: str, data_account: str = DEFAULT_DATA_ACCOUNT) -> Write:
    """Return the write that keeps in the list what is gone, for the transaction that takes away its entry."""
    return insert(gone_key(name), {"data_account": data_account})


def gone_key(name: str) -> str:
    """Return the key of what is gone: its kind and the rest of its id."""
    kind, _, rest = name.partition("_")
    return f"{_FIRST}{kind}|{rest}"


async def unlist(table: Table, entry_key: str, name: str, data_account: str) -> None:
    """Take an entry from the list and keep that what it led to is gone; doing it again changes nothing."""
    try:
        await commit_any_state(table, LIST_PARTITION, [delete(entry_key), gone_insert(name, data_account)])
    except RowMissingError:
        return  # others did both
    except RowExistsError:  # it was put back from a copy since
        await delete_once(table, LIST_PARTITION, entry_key)


@dataclass(frozen=True, slots=True)
class Remains:
    """Finds and removes what was written behind an end."""

    table: Table
    """That of directories and organizations."""
    tables_of: Callable[[str], Sequence[Table]]
    """The further tables in which a directory of a data account has a partition."""
    forget_organization: Callable[[str], Awaitable[None]]
    """Deletes the rows of an organization."""

    async def listed(self) -> Sequence[Gone]:
        """Return what is gone for less than a week or so. One storage request for each 1,000."""
        with outages():
            rows = await read_rows(self.table, LIST_PARTITION, (_FIRST, _END))
        return [
            Gone(row.key[len(_FIRST) :].replace("|", "_"), str(row.values["data_account"]), written_at(row))
            for row in rows
        ]

    async def remove(self, gone: Gone, now: datetime) -> None:
        """Remove what is there of it, and after a week the row that says that it is gone.

        What was put back from a copy since is left alone.

        :param now: The time by storage's clock.
        """
        with outages():
            if await self._is_back(gone):
                await delete_once(self.table, LIST_PARTITION, gone_key(gone.id))
                return
            removed = await self._removed(gone)
            if removed:
                _log.warning("removed %d rows that were written into %s behind its end", removed, gone.id)
            if now - gone.since >= KEPT:
                await delete_once(self.table, LIST_PARTITION, gone_key(gone.id))

    async def _is_back(self, gone: Gone) -> bool:
        if gone.id.startswith("org_"):
            return await self.table.read(LIST_PARTITION, f"o|{gone.id}") is not None
        row = await self.table.read(gone.id, _DIRECTORY)
        return row is not None and is_there(row)

    async def _removed(self, gone: Gone) -> int:
        counts = [0]

        async def count(rows: int) -> None:
            counts.append(rows)

        rows = await read_rows(self.table, gone.id, (" ", "~"))
        # A directory's row says for ever that its id was used, and an entry of the audit log keeps out a late attempt.
        left = [row.key for row in rows if row.key != _DIRECTORY and row.values != {AGAIN: True}]
        if gone.id.startswith("org_"):
            if left:
                await self.forget_organization(gone.id)
            return len(left)
        for table in self.tables_of(gone.data_account):
            await remove_partition(table, gone.id, count)
        return sum(counts) + await delete_rows(self.table, gone.id, left)

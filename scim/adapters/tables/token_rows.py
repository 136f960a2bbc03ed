"""The watch list and the uses of tokens, in the table ``directories``.

| PartitionKey | RowKey | holds |
|---|---|---|
| ``organizations`` | ``d|{directory}`` | in its entry in the list of all directories: whether it is watched |
| ``organizations`` | ``watch`` | the time of the last change in the secret store that was looked at |
| directory id | ``use|{token version}`` | when the token was last used, to the minute |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from scim.adapters.tables.directory_races import outages
from scim.adapters.tables.directory_rows import LIST_PARTITION, entry_key, is_staying
from scim.adapters.tables.table import (
    Row,
    RowChangedError,
    RowExistsError,
    RowMissingError,
    Table,
    Value,
    insert,
    merge,
)
from scim.directories.directory import DirectoryReference, is_directory_id
from scim.directories.errors import DirectoryNotFoundError, DirectoryStoreUnavailableError
from scim.resources.attempts import Attempts

_WATCH = "watch"
_USES, USES_END = "use|", "use}"
_DIRECTORY = "directory"


class TableWatchList:
    """Implements ``WatchList`` on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def watch(self, directory_id: str) -> None:
        """Let the versions of a directory's secret be looked at every minute. One storage request."""
        try:
            await self._merge(entry_key(directory_id), {"watched": True})
        except RowMissingError as error:
            raise DirectoryNotFoundError(directory_id) from error

    async def unwatch(self, reference: DirectoryReference) -> None:
        """End that, unless the entry has changed since it was listed. One storage request."""
        write = merge(entry_key(reference.directory_id), {"watched": False}, reference.revision)
        with outages():
            try:
                await self._table.commit(LIST_PARTITION, [write])
            except (RowChangedError, RowMissingError):
                return

    async def last_change(self) -> datetime | None:
        """Return the time of the last change that was looked at. One storage request."""
        with outages():
            row = await self._table.read(LIST_PARTITION, _WATCH)
        return datetime.fromisoformat(str(row.values["last_change"])) if row else None

    async def remember_change(self, moment: datetime) -> None:
        """Keep that time. One storage request; one more the first time."""
        values: dict[str, Value] = {"last_change": moment.isoformat()}
        try:
            await self._merge(_WATCH, values)
        except RowMissingError:
            with outages():
                await _insert_unless_there(self._table, LIST_PARTITION, _WATCH, values)

    async def _merge(self, key: str, values: Mapping[str, Value]) -> None:
        """Merge into the lists' partition, where even a write that requires no state may meet others (412)."""
        async for _ in Attempts():
            with outages():
                try:
                    await self._table.commit(LIST_PARTITION, [merge(key, values)])
                except RowChangedError:
                    continue
            return
        raise DirectoryStoreUnavailableError("the list of directories is being changed by others")


class TableTokenUses:
    """Implements ``TokenUseStore`` on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def record_use(self, directory_id: str, version: str, moment: datetime) -> None:
        """Keep a time of use, unless the directory is gone. One storage request; three the first time.

        Of two processes that write at once either may win: they are at most a minute apart.
        """
        key, values = f"use|{version}", {"used": moment.isoformat()}
        with outages():
            try:
                await self._table.commit(directory_id, [merge(key, values)])
            except RowChangedError:
                return
            except RowMissingError:
                # A row made after the directory's deletion would stay for ever.
                row = await self._table.read(directory_id, _DIRECTORY, select=["status"])
                if is_staying(row):
                    await _insert_unless_there(self._table, directory_id, key, values)

    async def uses(self, directory_id: str) -> Mapping[str, datetime]:
        """Return the last known use of each version. One storage request."""
        if not is_directory_id(directory_id):
            return {}
        uses: dict[str, datetime] = {}
        continuation: Mapping[str, str] | None = None
        while True:
            with outages():
                page = await self._table.query(directory_id, _USES, USES_END, continuation=continuation)
            uses |= uses_in(page.rows)
            continuation = page.continuation
            if continuation is None:
                return uses


def uses_in(rows: Sequence[Row]) -> dict[str, datetime]:
    """Return the last known use of each version that rows of a directory tell of."""
    return {row.key.removeprefix(_USES): _moment(row.values) for row in rows if row.key.startswith(_USES)}


def _moment(values: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(values["used"])


async def _insert_unless_there(table: Table, partition: str, key: str, values: Mapping[str, Value]) -> None:
    try:
        await table.commit(partition, [insert(key, values)])
    except RowExistsError:
        return  # somebody else was faster by less than what these rows tell apart

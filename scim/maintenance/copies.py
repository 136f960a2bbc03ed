"""A copy of every row in one file, and the way back: partitions that are empty are filled, and no row is changed."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from scim.adapters.tables.directory_rows import DELETED
from scim.adapters.tables.entity import decode_entity
from scim.adapters.tables.keys import END_KEY, FIRST_KEY
from scim.adapters.tables.table import MAX_TRANSACTION_WRITES, RowExistsError, Table, Write, insert, replace
from scim.composed_stores import DIRECTORIES_TABLE, LOG_TABLE, RESOURCES_TABLE
from scim.composition import Application
from scim.maintenance.progress import Progress
from scim.maintenance.results import BackupResult, RestoreResult
from scim.settings import FURTHER_ACCOUNTS

_FORMAT: Final = "directory-sync rows 2"
_TABLES: Final = (DIRECTORIES_TABLE, RESOURCES_TABLE, LOG_TABLE)
_NOT_OURS: Final = ("odata.etag", "Timestamp", "Timestamp@odata.type")
"""What the service adds to a row, and makes anew."""
_GROUP_CHARACTERS: Final = 750_000
"""Of one transaction: the service takes 4 MiB, and a character is up to four bytes."""


class CopyFileError(Exception):
    """A copy cannot be written or read; the text says why, in one line."""


@dataclass(slots=True)
class _Group:
    """Rows of one partition that fit one transaction."""

    account: str
    table: str
    partition: str
    writes: list[Write] = field(default_factory=list)
    characters: int = 0

    @property
    def place(self) -> tuple[str, str, str]:
        """Where the partition is: the data account, the table, its name."""
        return self.account, self.table, self.partition

    def takes(self, place: tuple[str, str, str], characters: int) -> bool:
        """Tell whether a further row fits."""
        fits = len(self.writes) < MAX_TRANSACTION_WRITES and self.characters + characters <= _GROUP_CHARACTERS
        return fits and self.place == place


async def backup(application: Application, path: Path, progress: Progress) -> BackupResult:
    """Write every row of all tables of all data accounts to a new file that only its owner may read.

    :raises CopyFileError: When the file exists or cannot be written.
    """
    rows: Counter[str] = Counter()
    try:
        with _new_file(path) as file:
            _write(file, {"format": _FORMAT})
            async for name, table, row in _stored(application):
                _write(file, {"account": name, "table": table, "row": row})
                rows[table] += 1
                progress("rows copied", rows.total())
            _write(file, {"rows": rows.total()})
    except OSError as error:
        raise CopyFileError(f"{path}: {error.strerror or error}") from error
    return BackupResult(str(path), {table: rows[table] for table in _TABLES})


async def _stored(application: Application) -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
    """Yield data account, table and row of everything there is."""
    for name, account in application.accounts.items():
        for table in _TABLES if account is application.account else (RESOURCES_TABLE,):
            async for entity in account.all_rows(table):
                yield name, table, {key: value for key, value in entity.items() if key not in _NOT_OURS}


async def restore(application: Application, path: Path, only: Collection[str], progress: Progress) -> RestoreResult:
    """Put back the rows of every partition that has none, or what is missing in those that are named.

    Unless it is named, a partition with rows is left alone: it has gone on since the copy, and an event that was told
    since, or a user that was deleted, would come back.

    :param only: The partitions to put back; all that have no rows when empty.
    :raises CopyFileError: When the file is no whole copy, or an account of it is not named. Nothing is written then.
    """
    expected = _require_accounts(path, application)
    restored: Counter[str] = Counter()
    is_open: dict[tuple[str, str, str], bool] = {}
    for group in _groups(path):
        table = application.accounts[group.account].table(group.table)
        if group.place not in is_open:
            is_open[group.place] = group.partition in only if only else await _is_free(application, group, table)
        if is_open[group.place]:
            restored[group.table] += await _put_back(table, group.partition, group.writes)
            progress("rows put back", restored.total())
    left_alone = sorted({partition for (_, _, partition), taken in is_open.items() if not taken and not only})
    by_table = {table: restored[table] for table in _TABLES}
    return RestoreResult(str(path), by_table, expected - restored.total(), left_alone)


def _require_accounts(path: Path, application: Application) -> int:
    """Return how many rows a copy has, once it is known to be whole and where each of them lay."""
    rows = Counter(account for (account, _, _), _, _ in _rows(path))
    for account in rows:
        if account not in application.accounts:
            raise CopyFileError(f"{path}: name data account {account!r}, which it has rows of, in {FURTHER_ACCOUNTS}")
    return rows.total()


async def _is_free(application: Application, group: _Group, table: Table) -> bool:
    """Tell whether a partition has no row, and is none of a directory that was deleted since the copy."""
    deleted = await application.directory_store.is_deleted(group.partition)
    return not deleted and await _is_empty(table, group.partition)


async def _is_empty(table: Table, partition: str) -> bool:
    """Tell whether a partition has no row. A page may be empty and go on."""
    page = await table.query(partition, FIRST_KEY, END_KEY, select=("RowKey",), limit=1)
    while not page.rows and page.continuation is not None:
        page = await table.query(
            partition, FIRST_KEY, END_KEY, select=("RowKey",), limit=1, continuation=page.continuation
        )
    return not page.rows


async def _put_back(table: Table, partition: str, writes: list[Write]) -> int:
    """Return how many rows were missing. Where some are there, halves are tried until single rows tell which."""
    try:
        await table.commit(partition, writes)
    except RowExistsError:
        if len(writes) == 1:
            return await _revived(table, partition, writes[0])
        half = len(writes) // 2
        return sum([await _put_back(table, partition, part) for part in (writes[:half], writes[half:])])
    return len(writes)


async def _revived(table: Table, partition: str, write: Write) -> int:
    """Put back the row of a directory that was deleted since the copy, which only a partition that is named meets."""
    kept = await table.read(partition, write.key)
    if kept is None or kept.values.get("status") != DELETED or write.values.get("status") == DELETED:
        return 0
    await table.commit(partition, [replace(write.key, write.values, kept.etag)])
    return 1


def _groups(path: Path) -> Iterator[_Group]:
    group = _Group("", "", "")
    for place, entity, characters in _rows(path):
        if not group.takes(place, characters):
            if group.writes:
                yield group
            group = _Group(*place)
        row = decode_entity(entity)
        group.writes.append(insert(row.key, row.values))
        group.characters += characters
    if group.writes:
        yield group


def _rows(path: Path) -> Iterator[tuple[tuple[str, str, str], dict[str, Any], int]]:
    """Yield place, row and length of each line between the first and the last, which tells whether all are there."""
    count, last = 0, None
    for number, (line, length) in enumerate(_lines(path)):
        if number == 0 and line.get("format") != _FORMAT:
            raise CopyFileError(f"{path}: this is no copy of rows")
        if "row" in line:
            count += 1
            row = line["row"]
            yield (line["account"], line["table"], row["PartitionKey"]), row, length
        last = line.get("rows")
    if last != count:
        raise CopyFileError(f"{path}: this copy is not whole; its end is missing")


def _lines(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for text in file:
                yield json.loads(text), len(text)
    except (EOFError, ValueError) as error:
        raise CopyFileError(f"{path}: this copy is not whole, or no copy of rows") from error
    except OSError as error:
        raise CopyFileError(f"{path}: {error.strerror or error}") from error


def _new_file(path: Path) -> IO[str]:
    path.touch(mode=0o600, exist_ok=False)
    return gzip.open(path, "wt", encoding="utf-8")


def _write(file: IO[str], line: Mapping[str, Any]) -> None:
    file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")

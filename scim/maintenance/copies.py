"""A copy of every row in one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from scim.composed_stores import DIRECTORIES_TABLE, LOG_TABLE, RESOURCES_TABLE
from scim.composition import Application
from scim.maintenance.copy_file import (
    CopyFileError,
    mark_ended,
    moment_of,
    new_file,
    write_first,
    write_last,
    write_row,
)
from scim.maintenance.progress import Progress
from scim.maintenance.results import BackupResult

TABLES: Final = (DIRECTORIES_TABLE, RESOURCES_TABLE, LOG_TABLE)
_NOT_OURS: Final = ("odata.etag", "Timestamp", "Timestamp@odata.type")
"""What the service adds to a row, and makes anew."""


async def backup(application: Application, path: Path, progress: Progress) -> BackupResult:
    """Write every row of all tables of all data accounts to a new file that only its owner may read.

    It says when it was begun and done: what changed between is in it by half.

    :raises CopyFileError: When the file exists or cannot be written.
    """
    rows: Counter[str] = Counter()
    try:
        with new_file(path) as file:
            write_first(file)
            async for name, table, row in _stored(application):
                write_row(file, name, table, row)
                rows[table] += 1
                progress("rows copied", rows.total())
            write_last(file, rows.total())
        mark_ended(path)
    except OSError as error:
        raise CopyFileError(f"{path}: {error.strerror or error}") from error
    moment = moment_of(path)
    return BackupResult(str(path), {table: rows[table] for table in TABLES}, moment.begun, moment.ended)


async def _stored(application: Application) -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
    """Yield data account, table and row of everything there is."""
    for name, account in application.accounts.items():
        for table in TABLES if account is application.account else (RESOURCES_TABLE,):
            async for entity in account.all_rows(table):
                yield name, table, {key: value for key, value in entity.items() if key not in _NOT_OURS}

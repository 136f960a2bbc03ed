"""What every user of the table ``directories`` meets: outages, and others who write the same row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from scim.adapters.tables.table import (
    Row,
    RowChangedError,
    RowExistsError,
    RowMissingError,
    StorageUnavailableError,
    Table,
    Write,
    delete,
)
from scim.directories.errors import DirectoryStoreUnavailableError
from scim.resources.attempts import Attempts


@contextmanager
def outages() -> Iterator[None]:
    """Tell an outage of storage in the words of the directories' store."""
    try:
        yield
    except StorageUnavailableError as error:
        raise DirectoryStoreUnavailableError(str(error), retry_after=error.retry_after) from error


async def read_rows(table: Table, partition: str, key_range: tuple[str, str], wanted: int | None = None) -> list[Row]:
    """Return the rows of a key range, or so many of them. One storage request for each 1,000."""
    rows: list[Row] = []
    continuation: Mapping[str, str] | None = None
    while True:
        limit = 1000 if wanted is None else min(1000, wanted - len(rows))
        page = await table.query(partition, *key_range, limit=limit, continuation=continuation)
        rows += page.rows
        continuation = page.continuation
        if continuation is None or len(rows) == wanted:
            return rows


async def commit_any_state(table: Table, partition: str, writes: Sequence[Write]) -> Sequence[str]:
    """Return the new ETags of a commit where even writes that require no state meet others (412), as in the lists."""
    async for _ in Attempts():
        try:
            return await table.commit(partition, writes)
        except RowChangedError:
            continue
    raise DirectoryStoreUnavailableError("organizations and directories are being changed by others")


async def insert_once(table: Table, partition: str, *writes: Write) -> None:
    """Insert rows, unless they are there."""
    try:
        await table.commit(partition, writes)
    except RowExistsError:
        return  # ids are never used twice: the answer of an earlier attempt was lost


async def delete_once(table: Table, partition: str, key: str) -> None:
    """Delete a row, unless it is gone."""
    with suppress(RowMissingError):
        await commit_any_state(table, partition, [delete(key)])

"""The relay: moves outbox rows into the feed, numbered without gap, and updates what is derived from them.

One transaction, guarded by the head's state, does all of it for as many rows as fit; so any number of relays may run
at once, on any machines, with any clocks (docs/storage.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed

from scim.adapters.tables import keys
from scim.adapters.tables.backlog import Backlog, read_backlog
from scim.adapters.tables.directory_index import PREFIX, DirectoryIndex, index_of
from scim.adapters.tables.generation import first_generation
from scim.adapters.tables.index_writes import counted_index, index_writes
from scim.adapters.tables.outbox import read_tally
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.settled import AGAIN, expired, moved
from scim.adapters.tables.table import (
    MAX_TRANSACTION_BYTES,
    MAX_TRANSACTION_WRITES,
    Row,
    TransactionRefusedError,
    Value,
    Write,
    delete,
    insert,
)
from scim.resources.attempts import Attempts

MAX_BACKLOG = 500


@dataclass(frozen=True, slots=True)
class Relayed:
    """How many outbox rows were moved, and the index behind them."""

    moved: int
    index: DirectoryIndex


async def relay(partition: Partition) -> int:
    """Move all that was committed before into the feed, and return how many rows that were.

    One storage request for each 40 or so, and one to read up to 1000; a longer backlog takes 7 more for each 1000.
    """
    return (await relay_to_end(partition)).moved


async def relay_to_end(partition: Partition) -> Relayed:
    """Do what :func:`relay` does, and return the index as it was read or left, too, at no further cost."""
    count, index = 0, index_of(())
    async for _ in Attempts():
        backlog = await read_backlog(partition)
        index = backlog.index
        old: Sequence[Row] = _expired(backlog) if index.settled else ()
        try:
            async for rows in backlog.windows(partition):
                left = rows
                while left:
                    part = fitting(index, left)
                    index, old = await _move(partition, index, part, old)
                    count, left = count + len(part), left[len(part) :]
            while old:
                old = await _forget(partition, old)
        except TransactionRefusedError:  # Another relay was faster: let it go on, and look again.
            continue
        break
    return Relayed(count, index)


def _expired(backlog: Backlog) -> Sequence[Row]:
    head = [backlog.index.head] if backlog.index.head else []
    return expired(backlog.index.settled, [*backlog.waiting, *head])


async def _move(
    partition: Partition, index: DirectoryIndex, rows: Sequence[Row], old: Sequence[Row]
) -> tuple[DirectoryIndex, Sequence[Row]]:
    """Move rows into the feed and return the index behind them, which guards the next transaction.

    What is left of old settled rows is returned, too: as many as there was room for are deleted.
    """
    columns = {} if index.head else first_generation()
    after = counted_index(index, [read_tally(row.values) for row in rows], columns)
    writes = [*index_writes(index, after), *_feed_writes(index.number + 1, rows)]
    room = MAX_TRANSACTION_WRITES - len(writes)
    etags = await partition.commit([*writes, *(delete(row.key, row.etag) for row in old[:room])])
    return (changed(after, head=changed(after.head, etag=etags[0])) if after.head else after), old[room:]


def _feed_writes(first_number: int, rows: Sequence[Row]) -> Iterator[Write]:
    for number, row in enumerate(rows, first_number):
        values: dict[str, Value] = {**row.values, "operation": keys.last_id(row.key)}
        values.pop(AGAIN, None)
        yield moved(row)
        yield insert(keys.feed(number), values)


async def _forget(partition: Partition, old: Sequence[Row]) -> Sequence[Row]:
    """Delete settled rows that no late attempt can meet any more, and return what is left of them."""
    await partition.commit([delete(row.key, row.etag) for row in old[:MAX_TRANSACTION_WRITES]])
    return old[MAX_TRANSACTION_WRITES:]


def fitting(index: DirectoryIndex, rows: Sequence[Row]) -> Sequence[Row]:
    """Return the first of some outbox rows that one transaction can move: counted in writes and in bytes."""
    written, size = {keys.HEAD}, 4096
    for number, row in enumerate(rows):
        written |= set(written_keys(index, row))
        size += row_bytes(row)
        if number and (len(written) > MAX_TRANSACTION_WRITES or size > MAX_TRANSACTION_BYTES):
            return rows[:number]
    return rows


def written_keys(index: DirectoryIndex, row: Row) -> Iterator[str]:
    """Yield a name for each write that moving an outbox row may take, the head's apart.

    Rows that change the same thing yield the same name, since that is one write of a transaction.
    """
    yield row.key
    yield keys.feed(0) + row.key
    tally = read_tally(row.values)
    for name, prefix in PREFIX.items():
        for resource_id in (tally.created, tally.deleted):
            if resource_id.startswith(prefix):
                block = index.maps[name].blocks[index.maps[name].block_of(resource_id)]
                yield keys.page_map(name, block.first_id)
                yield f"{keys.page_map(name, block.first_id)} and a new block behind it"


def row_bytes(row: Row) -> int:
    """Return about how many bytes a row takes in a transaction, never fewer."""
    return 2048 + sum(2 * len(value.encode()) if isinstance(value, str) else 64 for value in row.values.values())

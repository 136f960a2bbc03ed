"""The relay: moves outbox rows into the feed, numbered without gap, and updates what is derived from them.

One transaction, guarded by the head's state, does all of it for as many rows as fit; so any number of relays may run
at once, on any machines, with any clocks (docs/storage.md).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence

from scim.adapters.tables import keys
from scim.adapters.tables.directory_index import LAST_COLUMNS, DirectoryIndex, read_index
from scim.adapters.tables.outbox import Tally, read_tally
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import (
    MAX_TRANSACTION_BYTES,
    MAX_TRANSACTION_WRITES,
    Int64,
    Row,
    TransactionRefusedError,
    Value,
    Write,
    delete,
    insert,
    replace,
)
from scim.resources.identifiers import ResourceName

MAX_BACKLOG = 500
BLOCK_SIZE: dict[ResourceName, int] = {"User": 500, "Group": 250}
"""How many resources the last block of a page map holds before a new one begins behind it."""
PREFIX: dict[ResourceName, str] = {"User": "usr_", "Group": "grp_"}
_LOST_RACES = 20


async def relay(partition: Partition) -> int:
    """Move all outbox rows into the feed and return how many. Two storage requests for each 40 or so."""
    moved, lost = 0, 0
    while True:
        index = await read_index(partition, whole_outbox=True)
        if not index.outbox or lost == _LOST_RACES:
            return moved
        rows = fitting(index)
        try:
            await partition.commit(relay_writes(index, rows))
            moved += len(rows)
        except TransactionRefusedError:  # Another relay was faster: look again.
            lost += 1
            await asyncio.sleep(random.uniform(0, 0.05))  # noqa: S311 - jitter, not a secret


def in_order(outbox: Sequence[Row]) -> list[Row]:
    """Return outbox rows in the order of their commits: by the service's timestamp, then by operation id."""
    return sorted(outbox, key=lambda row: (row.timestamp, row.key))


def fitting(index: DirectoryIndex) -> list[Row]:
    """Return the first outbox rows that one transaction can move: counted in writes and in bytes."""
    rows: list[Row] = []
    blocks: set[tuple[str, int]] = set()
    size = 4096
    for row in in_order(index.outbox):
        blocks |= set(_touched_blocks(index, read_tally(row.values)))
        size += row_bytes(row)
        # The head, two writes a row, and two a block: its new count and perhaps a new block behind it.
        if rows and (
            1 + 2 * (len(rows) + 1) + 2 * len(blocks) > MAX_TRANSACTION_WRITES or size > MAX_TRANSACTION_BYTES
        ):
            break
        rows.append(row)
    return rows


def row_bytes(row: Row) -> int:
    """Return about how many bytes a row takes in a transaction, never fewer."""
    return 2048 + sum(2 * len(value.encode()) if isinstance(value, str) else 64 for value in row.values.values())


def _touched_blocks(index: DirectoryIndex, tally: Tally) -> Iterator[tuple[str, int]]:
    for name, prefix in PREFIX.items():
        for resource_id in (tally.created, tally.deleted):
            if resource_id.startswith(prefix):
                yield name, index.maps[name].block_of(resource_id)


def relay_writes(index: DirectoryIndex, rows: Sequence[Row]) -> list[Write]:
    """Return the transaction that numbers outbox rows behind the head, and updates counts and page map."""
    tallies = [read_tally(row.values) for row in rows]
    writes = [_head_write(index, tallies)]
    for number, row in enumerate(rows, index.number + 1):
        values: dict[str, Value] = {**row.values, "operation": keys.last_id(row.key)}
        writes += [delete(row.key, row.etag), insert(keys.feed(number), values)]
    for name in PREFIX:
        writes += _map_writes(index, tallies, name)
    return writes


def _head_write(index: DirectoryIndex, tallies: Sequence[Tally]) -> Write:
    values: dict[str, Value] = {
        "number": Int64(index.number + len(tallies)),
        "users": index.counted("users") + sum(tally.users for tally in tallies),
        "active": index.counted("active") + sum(tally.active for tally in tallies),
        "groups": index.counted("groups") + sum(tally.groups for tally in tallies),
    }
    for name, column in LAST_COLUMNS.items():
        values[column] = max([index.last_id(name), *_created(tallies, name)])
    if index.head is None:
        return insert(keys.HEAD, values)
    return replace(keys.HEAD, values, index.head.etag)


def _created(tallies: Sequence[Tally], name: ResourceName) -> list[str]:
    return sorted(tally.created for tally in tallies if tally.created.startswith(PREFIX[name]))


def _map_writes(index: DirectoryIndex, tallies: Sequence[Tally], name: ResourceName) -> list[Write]:
    """Return the writes of the blocks that change; the last block ends when it is full, so that blocks stay small.

    It ends behind every id that was counted: ids of one moment, or of two machines, are not created in their order.
    """
    pages, highest = index.maps[name], index.last_id(name)
    counts = {block.first_id: block.count for block in pages.blocks}
    stored = {block.first_id: block.count for block in pages.blocks if pages.is_stored}
    first_ids = [block.first_id for block in pages.blocks]
    for resource_id in _created(tallies, name):
        if resource_id > highest and counts[first_ids[-1]] >= BLOCK_SIZE[name]:
            first_ids.append(resource_id)
            counts[resource_id] = 0
        counts[_holder(first_ids, resource_id)] += 1
        highest = max(highest, resource_id)
    for resource_id in (tally.deleted for tally in tallies if tally.deleted.startswith(PREFIX[name])):
        counts[_holder(first_ids, resource_id)] -= 1
    return list(_changed_blocks(stored, counts, name))


def _holder(first_ids: Sequence[str], resource_id: str) -> str:
    # A map that lost its first block must not keep events from the feed: a repair sets it right.
    return next((first_id for first_id in reversed(first_ids) if first_id <= resource_id), first_ids[0])


def _changed_blocks(stored: dict[str, int], counts: dict[str, int], name: ResourceName) -> Iterator[Write]:
    for first_id, count in counts.items():
        key = keys.page_map(name, first_id)
        if first_id not in stored:
            if count or (not first_id and len(counts) > 1):  # A map always has its first block.
                yield insert(key, {"count": count})
        elif count == 0 and first_id:
            yield delete(key)
        elif count != stored[first_id]:
            yield replace(key, {"count": count}, "*")

"""Setting head and page map to what there is, guarded against the relay and against everything that is counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from scim.adapters.tables import keys
from scim.adapters.tables.consistency.counts import (
    RESOURCE_NAMES,
    Counting,
    Measured,
    Progress,
    measure,
    no_progress,
    stored_map,
)
from scim.adapters.tables.consistency.derived import recount_derived
from scim.adapters.tables.consistency.readable import is_readable_index_row
from scim.adapters.tables.directory_index import LAST_COLUMNS
from scim.adapters.tables.generation import first_generation
from scim.adapters.tables.index_writes import map_writes
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.relay import relay
from scim.adapters.tables.table import (
    MAX_TRANSACTION_WRITES,
    Int64,
    Row,
    TransactionRefusedError,
    Value,
    Write,
    insert,
    merge,
    replace,
)

_ATTEMPTS: Final = 5
_BLOCKS_AT_ONCE: Final = 99


async def recount(partition: Partition, progress: Progress = no_progress) -> bool:
    """Set head, page map and what is derived to what there is, and return whether that could be done.

    It cannot while writes keep coming. Blocks that became too large are divided. A map of more than 99 changed blocks
    takes several transactions; pages by index are short until the last one.
    """
    for _ in range(_ATTEMPTS):
        await relay(partition)
        measured = await measure(partition, progress)
        if measured.is_steady and await _store(partition, measured):
            return await recount_derived(partition)
    return False


async def _store(partition: Partition, measured: Measured) -> bool:
    counting = measured.counting
    index, head_values = counting.index, _head_values(counting)
    changed = [
        write for name in RESOURCE_NAMES for write in map_writes(name, index.maps[name], stored_map(counting, name))
    ]
    said = {name: value for name, value in index.head.values.items() if name in head_values} if index.head else {}
    if not changed and (said == head_values if index.head else not any(head_values.values())):
        return True
    etag = index.head.etag if index.head else ""
    try:
        for start in range(0, max(1, len(changed)), _BLOCKS_AT_ONCE):
            # The head keeps what else it has: the feed's generation.
            first = {**head_values, **first_generation()}
            head_write = merge(keys.HEAD, head_values, etag) if etag else insert(keys.HEAD, first)
            etag = (await partition.commit([head_write, *changed[start : start + _BLOCKS_AT_ONCE]]))[0]
    except TransactionRefusedError:
        return False  # The relay came in between: what was counted is old.
    return True


def _head_values(counting: Counting) -> dict[str, Value]:
    """Return the head that holds what was counted once the outbox is relayed."""
    index, counted = counting.index, counting.totals()
    to_come = {name: current - index.counted(name) for name, current in index.current_counts().items()}
    values: dict[str, Value] = {"number": Int64(index.number)}
    values |= {name: count - to_come[name] for name, count in counted.items()}
    return values | {LAST_COLUMNS[name]: last_id for name, last_id in counting.last_ids.items()}


async def mend_index(partition: Partition, last_number: int) -> None:
    """Make head and page map readable, so that the relay works and they can be counted anew.

    :param last_number: The number of the last feed row, behind which the relay must go on.
    """
    rows = {row.key: row async for row in partition.rows((keys.HEAD, keys.OUTBOX_FIRST))}
    writes = [*_head_mending(rows.pop(keys.HEAD, None), last_number), *_map_mending(rows)]
    for start in range(0, len(writes), MAX_TRANSACTION_WRITES):
        try:
            await partition.commit(writes[start : start + MAX_TRANSACTION_WRITES])
        except TransactionRefusedError:
            return  # The relay, or another repair, came first: what is still wrong is found by the next look.


def _head_mending(head: Row | None, last_number: int) -> Iterator[Write]:
    readable = head is None or is_readable_index_row(head)
    known = int(str(head.values["number"])) if head and readable else 0
    if readable and known >= last_number:
        return
    values: dict[str, Value] = {"users": 0, "active": 0, "groups": 0}
    if head and readable:
        values = {}
    values["number"] = Int64(max(known, last_number))
    yield merge(keys.HEAD, values, head.etag) if head else insert(keys.HEAD, {**values, **first_generation()})


def _map_mending(blocks: Mapping[str, Row]) -> Iterator[Write]:
    for row in blocks.values():
        if not is_readable_index_row(row):
            yield replace(row.key, {"count": 0}, row.etag)
    for name in RESOURCE_NAMES:
        first = keys.page_map(name, "")
        if first not in blocks and any(key.startswith(first) for key in blocks):
            yield insert(first, {"count": 0})

"""Head and page map behind the changes that the relay moves, and the writes that store them. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from scim.adapters.tables import keys
from scim.adapters.tables.directory_index import LAST_COLUMNS, PREFIX, Block, DirectoryIndex, PageMap
from scim.adapters.tables.outbox import Tally
from scim.adapters.tables.table import Int64, Row, Value, Write, delete, insert, merge, replace
from scim.resources.identifiers import ResourceName

NOTHING: Mapping[str, Value] = MappingProxyType({})
BLOCK_SIZE: dict[ResourceName, int] = {"User": 500, "Group": 250}
"""How many resources the last block of a page map holds before a new one begins behind it."""


def counted_index(
    index: DirectoryIndex, tallies: Sequence[Tally], first_columns: Mapping[str, Value] = NOTHING
) -> DirectoryIndex:
    """Return the index with changes counted and numbered; its head has the ETag of the state before.

    :param first_columns: What a head has besides when there was none; later ones keep what theirs has.
    """
    values: dict[str, Value] = {
        **(index.head.values if index.head else first_columns),
        "number": Int64(index.number + len(tallies)),
        "users": index.counted("users") + sum(tally.users for tally in tallies),
        "active": index.counted("active") + sum(tally.active for tally in tallies),
        "groups": index.counted("groups") + sum(tally.groups for tally in tallies),
    }
    for name, column in LAST_COLUMNS.items():
        values[column] = max([index.last_id(name), *_created(tallies, name)])
    head = Row(keys.HEAD, index.head.etag if index.head else "", values)
    return DirectoryIndex(head, {name: _counted_map(index, tallies, name) for name in PREFIX})


def _created(tallies: Sequence[Tally], name: ResourceName) -> list[str]:
    return sorted(tally.created for tally in tallies if tally.created.startswith(PREFIX[name]))


def _counted_map(index: DirectoryIndex, tallies: Sequence[Tally], name: ResourceName) -> PageMap:
    """Return the map with changes counted; the last block ends when it is full, so that blocks stay small.

    It ends behind every id that was counted: ids of one moment, or of two machines, are not created in their order.
    """
    pages, highest = index.maps[name], index.last_id(name)
    counts = {block.first_id: block.count for block in pages.blocks}
    first_ids = list(counts)
    for resource_id in _created(tallies, name):
        if resource_id > highest and counts[first_ids[-1]] >= BLOCK_SIZE[name]:
            first_ids.append(resource_id)
            counts[resource_id] = 0
        counts[_holder(first_ids, resource_id)] += 1
        highest = max(highest, resource_id)
    for resource_id in (tally.deleted for tally in tallies if tally.deleted.startswith(PREFIX[name])):
        counts[_holder(first_ids, resource_id)] -= 1
    # A map always has its first block.
    blocks = [Block(first_id, count) for first_id, count in counts.items() if count or first_id == first_ids[0]]
    return PageMap(blocks, pages.is_stored or len(blocks) > 1 or blocks[0].count != 0)


def _holder(first_ids: Sequence[str], resource_id: str) -> str:
    # A map that lost its first block must not keep events from the feed: a repair sets it right.
    return first_ids[max(0, bisect_right(first_ids, resource_id) - 1)]


def index_writes(before: DirectoryIndex, after: DirectoryIndex) -> list[Write]:
    """Return the writes that lead from one index to another, the head first, in the state in which it was read."""
    values = after.head.values if after.head else {}
    # Merged: a newer version may keep more in the head.
    head = merge(keys.HEAD, values, before.head.etag) if before.head else insert(keys.HEAD, values)
    return [head, *(write for name in PREFIX for write in map_writes(name, before.maps[name], after.maps[name]))]


def map_writes(name: ResourceName, before: PageMap, after: PageMap) -> Iterator[Write]:
    """Yield the writes that lead from one page map to another."""
    stored, wanted = _counts(before), _counts(after)
    for first_id in sorted(stored.keys() | wanted.keys()):
        key, count = keys.page_map(name, first_id), wanted.get(first_id)
        if count is None:
            yield delete(key)
        elif first_id not in stored:
            yield insert(key, {"count": count})
        elif count != stored[first_id]:
            yield replace(key, {"count": count}, "*")


def _counts(pages: PageMap) -> dict[str, int]:
    return {block.first_id: block.count for block in pages.blocks} if pages.is_stored else {}

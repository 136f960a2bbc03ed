"""Counting a directory's resources by hand, and comparing with what head and page map say."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from scim.adapters.tables import keys
from scim.adapters.tables.consistency.readable import is_readable_index_row
from scim.adapters.tables.consistency.row_kind import kind_of
from scim.adapters.tables.consistency.violation import Violation
from scim.adapters.tables.directory_index import COLUMNS, PREFIX, Block, DirectoryIndex, PageMap, read_index
from scim.adapters.tables.index_writes import BLOCK_SIZE
from scim.adapters.tables.outbox import Tally, read_tally
from scim.adapters.tables.partition import Partition
from scim.resources.identifiers import ResourceName

Progress = Callable[[str, int], None]
"""Told what is being done, and how many rows of it are done."""

RESOURCE_NAMES: Final[tuple[ResourceName, ...]] = ("Group", "User")
_LOOKS: Final = 3


def no_progress(_doing: str, _rows: int) -> None:
    """Tell nobody."""


class Counting:
    """Counts resources as they are met in id order, block by block of a page map."""

    def __init__(self, index: DirectoryIndex) -> None:
        self.index = index
        self.active = 0
        self.last_ids: dict[ResourceName, str] = dict.fromkeys(RESOURCE_NAMES, "")
        self._first_ids = {name: [block.first_id for block in index.maps[name].blocks] for name in RESOURCE_NAMES}
        self._counts = {name: [0] * len(self._first_ids[name]) for name in RESOURCE_NAMES}
        self._inner: dict[ResourceName, list[list[str]]] = {
            name: [[] for _ in self._first_ids[name]] for name in RESOURCE_NAMES
        }

    def add(self, name: ResourceName, resource_id: str, *, active: bool = False) -> None:
        """Count a resource."""
        at = max(0, bisect_right(self._first_ids[name], resource_id) - 1)
        count = self._counts[name][at]
        if count and count % BLOCK_SIZE[name] == 0:
            self._inner[name][at].append(resource_id)
        self._counts[name][at] = count + 1
        self.last_ids[name] = resource_id
        self.active += active

    def totals(self) -> dict[str, int]:
        """Return users, active users and groups."""
        return {"users": sum(self._counts["User"]), "active": self.active, "groups": sum(self._counts["Group"])}

    def blocks(self, name: ResourceName) -> list[Block]:
        """Return the blocks of the page map with what was counted."""
        return [Block(*pair) for pair in zip(self._first_ids[name], self._counts[name], strict=True)]

    def small_blocks(self, name: ResourceName) -> list[Block]:
        """Return the blocks with what was counted, one of more than twice the usual size divided."""
        size, small = BLOCK_SIZE[name], list[Block]()
        for block, inner in zip(self.blocks(name), self._inner[name], strict=True):
            first_ids = [block.first_id, *(inner if block.count > 2 * size else ())]
            small += [Block(first_id, size) for first_id in first_ids[:-1]]
            small.append(Block(first_ids[-1], block.count - size * (len(first_ids) - 1)))
        return small

    def differences(self) -> Iterator[tuple[Violation, int]]:
        """Yield what head and page map say wrongly, each with how wrong it is."""
        said, counted = self.index.current_counts(), self.totals()
        wrong = [name for name in counted if said[name] != counted[name]]
        if wrong:
            parts = [f"{said[name]} {name} where there are {counted[name]}" for name in wrong]
            sentence = f"Head and outbox count {', '.join(parts)}."
            yield Violation("wrong_count", keys.HEAD, sentence), max(abs(said[name] - counted[name]) for name in wrong)
        for resource_name in RESOURCE_NAMES:
            yield from self._wrong_blocks(resource_name)
            created = [read_tally(row.values).created for row in self.index.outbox]
            ours = [each for each in created if each.startswith(PREFIX[resource_name])]
            if self.last_ids[resource_name] > max([self.index.last_id(resource_name), *ours]):
                sentence = f"The head does not know the last {resource_name}, where the page map may begin a block."
                yield Violation("wrong_page_map", keys.HEAD, sentence), 1

    def _wrong_blocks(self, name: ResourceName) -> Iterator[tuple[Violation, int]]:
        said = self.index.current_map(name).blocks
        if said[0].first_id:
            sentence = "The page map lacks its first block."
            yield Violation("wrong_page_map", keys.page_map(name, ""), sentence), said[0].count
        for block, counted in zip(said, self.blocks(name), strict=True):
            if block.count != counted.count:
                sentence = f"The block counts {block.count}; there are {counted.count} in it."
                key = keys.page_map(name, block.first_id)
                yield Violation("wrong_page_map", key, sentence), abs(block.count - counted.count)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was counted between two looks at the index."""

    counting: Counting
    after: DirectoryIndex

    @property
    def changes(self) -> int:
        """How many transactions were committed meanwhile."""
        return _committed(self.after) - _committed(self.counting.index)

    @property
    def is_steady(self) -> bool:
        """Whether nothing that was counted changed, and the relay moved nothing, meanwhile."""
        before = self.counting.index
        same_head = (before.head and before.head.etag) == (self.after.head and self.after.head.etag)
        return same_head and _counting_rows(before) == _counting_rows(self.after)


def _committed(index: DirectoryIndex) -> int:
    return index.number + len(index.outbox)


def _counting_rows(index: DirectoryIndex) -> set[str]:
    return {row.key for row in index.outbox if read_tally(row.values) != Tally()}


async def readable_index(partition: Partition) -> DirectoryIndex | None:
    """Return a directory's index, or None when a row of it cannot be read."""
    async for row in partition.rows((keys.HEAD, keys.OUTBOX_END), select=COLUMNS):
        if not is_readable_index_row(row):
            return None
    return await read_index(partition)


async def measure(partition: Partition, progress: Progress) -> Measured:
    """Return a count of all resources, reading keys only; one storage request for each 1000."""
    counting, done = Counting(await read_index(partition)), 0
    for name in RESOURCE_NAMES:
        async for row in partition.rows(keys.document_range(name), select=("RowKey", "active")):
            if kind_of(row.key) in ("user", "group"):
                counting.add(name, keys.last_id(row.key), active=row.values.get("active") is True)
            done += 1
            if done % 1000 == 0:
                progress("counting", done)
    return Measured(counting, await read_index(partition))


async def count_violations(partition: Partition, counting: Counting, progress: Progress) -> list[Violation]:
    """Return what head and page map say wrongly, counted again until nothing changes meanwhile.

    While writes keep coming, only what they cannot explain is reported, and that they came.
    """
    found = list(counting.differences())
    changes = 0
    for _ in range(_LOOKS if found else 0):
        measured = await measure(partition, progress)
        found, changes = list(measured.counting.differences()), measured.changes
        if not found or not changes:
            break
    unexplained = [violation for violation, size in found if not changes or size > changes]
    if not found or unexplained:
        return unexplained
    sentence = f"Counts differ by no more than the {changes} changes made while resources were counted."
    return [Violation("counted_during_writes", keys.HEAD, sentence)]


def stored_map(counting: Counting, name: ResourceName) -> PageMap:
    """Return the page map to store so that it holds what was counted once the outbox is relayed."""
    blocks = counting.small_blocks(name)
    if blocks[0].first_id:
        blocks.insert(0, Block("", 0))
    tallies = [read_tally(row.values) for row in counting.index.outbox]
    to_come = PageMap([Block(block.first_id, 0) for block in blocks]).adjusted(tallies, PREFIX[name]).blocks
    kept = [Block(block.first_id, block.count - change.count) for block, change in zip(blocks, to_come, strict=True)]
    blocks = [block for block in kept if block.count or not block.first_id]
    # The map of an empty directory is not stored.
    return PageMap(blocks, counting.index.maps[name].is_stored or any(block.count for block in blocks))

"""A directory's head: counts, page map and what the relay has not yet added to them, read in one query.

They lie in one key range (``e``, ``e!…``, ``e|…``), so that one storage request sees them in one state: own writes
included, exact at any size.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from scim.adapters.tables import keys
from scim.adapters.tables.outbox import Tally, read_tally
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.settled import SETTLED, is_settled
from scim.adapters.tables.table import Row
from scim.resources.attempts import Attempts
from scim.resources.errors import StorageUnavailableError
from scim.resources.identifiers import ResourceName
from scim.resources.values import parse_datetime

LAST_COLUMNS: Mapping[ResourceName, str] = {"User": "last_user", "Group": "last_group"}
"""The head's properties with the greatest id of each type that the relay has counted."""
_COUNTED = ("number", "users", "active", "groups", "created", "deleted", "count")
_GENERATION = ("generation", "renewed")
COLUMNS = ("RowKey", "Timestamp", "time", SETTLED, *_COUNTED, *_GENERATION, *LAST_COLUMNS.values())
"""All that head, page map and outbox add up, without the events, and since when operations are unfinished."""
PREFIX: Mapping[ResourceName, str] = {"User": "usr_", "Group": "grp_"}
"""What the ids of each type begin with."""
_FIRST_KEYS = {"User": keys.page_map("User", ""), "Group": keys.page_map("Group", "")}


@dataclass(frozen=True, slots=True)
class Block:
    """A part of the page map: so many resources from this id to the next block's first."""

    first_id: str
    count: int


@dataclass(frozen=True, slots=True)
class PageMap:
    """Where in id order the resources of one type lie; the first block begins before every id."""

    blocks: Sequence[Block]
    is_stored: bool = True
    """Whether there are rows of it; the map of an empty directory is one block that is not stored yet."""

    @property
    def total(self) -> int:
        """How many resources there are."""
        return sum(block.count for block in self.blocks)

    def locate(self, offset: int) -> tuple[str, int]:
        """Return the first id of the block that holds the resource at an offset, and how many come before it there."""
        for block in self.blocks:
            if offset < block.count:
                return block.first_id, offset
            offset -= block.count
        return self.blocks[-1].first_id, self.blocks[-1].count + offset

    def block_of(self, resource_id: str) -> int:
        """Return the index of the block that an id lies in."""
        return max(0, bisect_right([block.first_id for block in self.blocks], resource_id) - 1)

    def before(self, resource_id: str, wanted: int) -> str:
        """Return a first id from which at least so many resources lie before an id, or the very first."""
        index, found = self.block_of(resource_id), 0
        while index > 0 and found < wanted:
            index -= 1
            found += self.blocks[index].count
        return self.blocks[index].first_id

    def adjusted(self, tallies: Sequence[Tally], prefix: str) -> PageMap:
        """Return the map with creations and deletions that the relay has not yet added."""
        change: dict[int, int] = {}
        for tally in tallies:
            for resource_id, step in ((tally.created, 1), (tally.deleted, -1)):
                if resource_id.startswith(prefix):
                    index = self.block_of(resource_id)
                    change[index] = change.get(index, 0) + step
        if not change:
            return self
        blocks = [Block(block.first_id, block.count + change.get(at, 0)) for at, block in enumerate(self.blocks)]
        return PageMap(blocks, self.is_stored)


@dataclass(frozen=True, slots=True)
class DirectoryIndex:
    """What the head and the page map say, the outbox rows that are not yet in them, and what is unfinished."""

    head: Row | None
    maps: Mapping[ResourceName, PageMap]
    outbox: Sequence[Row] = field(default_factory=tuple)
    unfinished: Sequence[Row] = field(default_factory=tuple)
    """The rows of operations of several transactions that are under way, or were left by a crash."""
    settled: Sequence[Row] = field(default_factory=tuple)
    """The rows of operations that wait for nothing, kept for attempts that come late."""

    @property
    def number(self) -> int:
        """The number of the last feed row."""
        return self.counted("number")

    @property
    def generation(self) -> str:
        """The generation of the feed, empty for one that never had any."""
        return str(self.head.values.get("generation", "")) if self.head else ""

    @property
    def is_renewed(self) -> bool:
        """Whether the feed took the place of an earlier one, whose numbers it may give again."""
        return self.head is not None and "renewed" in self.head.values

    def counted(self, name: str) -> int:
        """Return a count as of the last relay."""
        return int(str(self.head.values.get(name, 0))) if self.head else 0

    def last_id(self, name: ResourceName) -> str:
        """Return the greatest id of a type that the relay has counted, empty when there is none."""
        return str(self.head.values.get(LAST_COLUMNS[name], "")) if self.head else ""

    def current_map(self, name: ResourceName) -> PageMap:
        """Return the page map of a type with all committed changes in it."""
        return self.maps[name].adjusted([read_tally(row.values) for row in self.outbox], PREFIX[name])

    @property
    def waiting_since(self) -> datetime | None:
        """Since when the oldest work of the background waits, in the outbox or unfinished; None when none does."""
        texts = [row.timestamp for row in self.outbox] + [str(row.values["time"]) for row in self.unfinished]
        return min((time for time in map(parse_datetime, texts) if time is not None), default=None)

    def current_counts(self) -> dict[str, int]:
        """Return users, active users and groups with all committed changes counted."""
        tallies = [read_tally(row.values) for row in self.outbox]
        return {
            "users": self.counted("users") + sum(tally.users for tally in tallies),
            "active": self.counted("active") + sum(tally.active for tally in tallies),
            "groups": self.counted("groups") + sum(tally.groups for tally in tallies),
        }


async def read_index(partition: Partition) -> DirectoryIndex:
    """Return a directory's index in one state. One storage request up to 1000 rows of page map and outbox together.

    Outbox rows come without their events.

    :raises StorageUnavailableError: When more rows than that kept being relayed while they were read.
    """
    async for _ in Attempts():  # The relay is at work: soon there are fewer.
        pages, rows, continuation = 0, list[Row](), None
        while pages == 0 or continuation is not None:
            page = await partition.page((keys.HEAD, keys.OUTBOX_END), select=COLUMNS, continuation=continuation)
            pages, continuation = pages + 1, page.continuation
            rows += page.rows
        index = index_of(rows)
        if pages == 1 or await _unchanged(partition, index):
            return index
    raise StorageUnavailableError("the directory's index kept changing while it was read", retry_after=1)


async def _unchanged(partition: Partition, index: DirectoryIndex) -> bool:
    """Tell whether the relay left the index alone while its pages were read, each of them a state of its own."""
    head = await partition.read(keys.HEAD, select=("RowKey",))
    return (head.etag if head else "") == (index.head.etag if index.head else "")


def index_of(rows: Sequence[Row]) -> DirectoryIndex:
    """Return the index that rows of head, page map and outbox are."""
    head = next((row for row in rows if row.key == keys.HEAD), None)
    maps: dict[ResourceName, PageMap] = {"User": _map(rows, "User"), "Group": _map(rows, "Group")}
    outbox: list[Row] = []
    settled: list[Row] = []
    for row in rows:
        if row.key.startswith(keys.OUTBOX_FIRST):
            (settled if is_settled(row) else outbox).append(row)
    unfinished = [row for row in rows if row.key.startswith(keys.UNFINISHED_FIRST)]
    return DirectoryIndex(head, maps, outbox, unfinished, settled)


def _map(rows: Sequence[Row], name: ResourceName) -> PageMap:
    prefix = _FIRST_KEYS[name]
    blocks = [
        Block(row.key.removeprefix(prefix), int(str(row.values["count"]))) for row in rows if row.key.startswith(prefix)
    ]
    return PageMap(blocks) if blocks else PageMap([Block("", 0)], is_stored=False)

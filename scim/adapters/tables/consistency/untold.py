"""Whether events tell of every resource that is there: in a copy made during writes they do not.

Looked at where a feed was put back, until a repair has said from when on events tell of all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from scim.adapters.tables import keys
from scim.adapters.tables.consistency.counts import RESOURCE_NAMES
from scim.adapters.tables.consistency.ledger import Sums
from scim.adapters.tables.consistency.readable import has_readable_events
from scim.adapters.tables.consistency.row_kind import kind_of
from scim.adapters.tables.consistency.violation import Violation
from scim.adapters.tables.generation import RENEWED, TOLD_FROM
from scim.adapters.tables.outbox import read_events
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import Row
from scim.resources.values import parse_datetime

_CLOCKS: Final = timedelta(minutes=10)
"""How far events may be from the order of their times, where older ones were deleted."""
_NEVER: Final = "~"


class ToldResources:
    """Adds up which resources events created and deleted, and which are there, in memory that does not grow.

    It is about resources that were made since a time, told by their ids, which begin with theirs.
    """

    def __init__(self, since: str) -> None:
        self.since = since
        self._sums = Sums()

    @property
    def is_balanced(self) -> bool:
        """Whether those that were created and not deleted by events are those that are there."""
        return not self._sums.unbalanced()

    def event_row(self, row: Row) -> None:
        """Take the events of an outbox or feed row that can be read."""
        if self.since == _NEVER:
            return
        for resource_id in _told_of(row, (".created", ".deleted")):
            self.resource(resource_id)

    def resource(self, resource_id: str) -> None:
        """Take a resource that is there."""
        if _made(resource_id) > self.since:
            self._sums.state(resource_id)


async def told_resources(partition: Partition) -> ToldResources:
    """Return what compares events and resources from when on the feed is to tell of all. One or two requests."""
    head = await partition.read(keys.HEAD, select=(RENEWED, TOLD_FROM))
    if head is None or RENEWED not in head.values:
        return ToldResources(_NEVER)
    first = await partition.first_rows((keys.FEED_FIRST, keys.FEED_END), 1)
    begin = parse_datetime(str(first.rows[0].values.get("time", ""))) if first.rows else None
    if begin is None:
        return ToldResources(_NEVER)
    if first.rows[0].key != keys.feed(1):
        begin += _CLOCKS
    told_from = parse_datetime(str(head.values.get(TOLD_FROM, "")))
    return ToldResources(_id_part(max(begin, told_from or begin)))


async def untold_violations(partition: Partition, told: ToldResources) -> list[Violation]:
    """Return whether resources are there whose creation no event tells; read again, since writes may go on.

    Where sums differ, one storage request for each 1,000 rows of users, groups and events.
    """
    if told.since == _NEVER or told.is_balanced:
        return []
    # Resources first: the event of each of them is in the outbox then, or was, and is in the feed.
    there = [each async for each in _resources(partition)]
    missing = {each for each in there if _made(each) > told.since}
    for first, end in ((keys.OUTBOX_FIRST, keys.OUTBOX_END), (keys.FEED_FIRST, keys.FEED_END)):
        async for row in partition.rows((first, end), page_size=200):
            missing.difference_update(_told_of(row, (".created",)))
    if not missing:
        return []
    sentence = (
        f"No event tells of the creation of {len(missing)} of {len(there)} resources: the rows are not of one moment, "
        "as those of a copy made during writes. Readers of events have to take everything anew."
    )
    return [Violation("untold_resources", keys.HEAD, sentence)]


async def _resources(partition: Partition) -> AsyncIterator[str]:
    for name in RESOURCE_NAMES:
        async for row in partition.rows(keys.document_range(name), select=("RowKey",)):
            if kind_of(row.key) in ("user", "group"):
                yield keys.last_id(row.key)


def _told_of(row: Row, endings: tuple[str, ...]) -> Iterator[str]:
    """Yield the resources of which a row's events of some types tell."""
    if not has_readable_events(row):
        return
    for event in read_events(row):
        data = event.get("data", {})
        if str(event["type"]).endswith(endings) and isinstance(data, dict):
            resource = data.get("resource", data)
            yield str(resource.get("id", ""))


def _made(resource_id: str) -> str:
    """Return the part of an id that sorts as the time does when it was made."""
    return resource_id.partition("_")[2][:12]


def _id_part(time: datetime) -> str:
    return f"{int(time.astimezone(UTC).timestamp() * 1000):012x}"

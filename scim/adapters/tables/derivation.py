"""Deriving from the feed: member counts, histories of resources, coverage of attribute paths.

The feed is numbered without gap, and a mark says how far it was derived. Each transaction moves the mark in the state
in which it was read, so any number of machines may derive at once, stop at any point, and count nothing twice.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from scim.adapters.tables import keys
from scim.adapters.tables.consistency.derived import recount_derived
from scim.adapters.tables.derived_rows import (
    DerivedState,
    coverage_writes,
    history_values,
    mark_write,
    members_in,
    read_state,
)
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.readable_events import GAP, events_in
from scim.adapters.tables.table import Row, TransactionRefusedError, Write, delete, insert, replace
from scim.events.rendering import document_before
from scim.events.resource_events import RESOURCE_EVENT_TYPES
from scim.resources.attempts import Attempts
from scim.resources.attribute_coverage import Coverage, covered
from scim.resources.derived import HistoryEntry
from scim.resources.identifiers import ResourceName, resource_name_of

_ROWS_AT_ONCE = 200
_log = logging.getLogger("scim.background")
_MAX_WRITES = 94
"""Below the limit of 100: mark, coverage of both types, and the three that one more event may add."""


async def derive(
    partition: Partition, *, last: int | None = None, recounted: Callable[[], object] = lambda: None
) -> int:
    """Derive all that the feed holds, and return how many events that were.

    Two storage requests for each 200 feed rows; for each 30 to 90 events one, and one for each group they are about.
    Where the feed cannot be derived from the mark on, all is counted anew and a line says so: what comes next was
    deleted, or what it says stands there already, as after a restore of rows that are not of one moment.

    :param last: The number of the feed's last row where it is known: then a feed without any row behind the mark is
        recognised as deleted, too.
    :param recounted: Told that all was counted anew.
    """
    derived, attempts, refused = 0, Attempts(), None
    while True:
        state = await read_state(partition)
        page = await partition.first_rows((keys.feed(state.number + 1), keys.FEED_END), _ROWS_AT_ONCE)
        # Where a transaction was refused and nobody moved the mark, it would be refused for ever.
        if _is_lost(state, page.rows, last) or refused == state:
            await _count_anew(partition, recounted)
            return derived
        if not page.rows:
            return derived
        try:
            derived += await _derive_rows(partition, state, page.rows)
        except TransactionRefusedError:  # Another machine was faster: look where it is.
            refused = state
            if not await attempts.again():
                return derived


def _is_lost(state: DerivedState, rows: Sequence[Row], last: int | None) -> bool:
    """Tell whether the feed does not go on behind the mark, although it should."""
    if rows:
        return rows[0].key != keys.feed(state.number + 1)
    return last is not None and state.number != last


async def _count_anew(partition: Partition, recounted: Callable[[], object]) -> None:
    """Count what there is and set the mark to the feed's end; where writes go on meanwhile, it is tried next time."""
    is_done = await recount_derived(partition, attempts=1)
    line = {"event": "derivation_recounted", "directory_id": partition.directory_id, "done": is_done}
    _log.warning(json.dumps(line, separators=(",", ":")))
    recounted()


async def _derive_rows(partition: Partition, state: DerivedState, rows: Sequence[Row]) -> int:
    """Derive the events of feed rows in as many transactions as they take; the rows begin behind the mark."""
    part, derived = _Part(dict(state.coverage)), 0
    for number, index, event in _events(partition, state, rows):
        if event is not None:
            if part.writes > _MAX_WRITES:
                state = await part.commit(partition, state)
                part = _Part(dict(state.coverage))
            part.add(number, index, event)
            derived += 1
        part.move(number, index)
    await part.commit(partition, state)
    return derived


def _events(
    partition: Partition, state: DerivedState, rows: Sequence[Row]
) -> Iterator[tuple[int, int, dict[str, Any] | None]]:
    """Yield the events behind the mark with their number and index; None at the end of each row, which may have none.

    The index is that of the event, from 1; at the end of a row it is 0: all of it is derived. Of what cannot be read
    nothing is derived: the check counts anew.
    """
    for row in rows:
        number = int(keys.last_id(row.key))
        skipped = state.index if number == state.number + 1 else 0
        for index, event in enumerate(events_in(row, partition.organization_id, partition.directory_id), 1):
            if index > skipped and event["type"] != GAP:
                yield number, index, event
        yield number, 0, None


Step = Literal["created", "deleted", "added", "removed"] | int
"""A number is of members that wait to be told of: they are counted with their group, and may leave before."""


@dataclass(slots=True)
class _Part:
    """What one transaction derives."""

    coverage: dict[ResourceName, Coverage]
    histories: dict[tuple[str, int], list[HistoryEntry]] = field(default_factory=lambda: defaultdict(list))
    """By resource and feed row; the key of the row has the place of its first event."""
    places: dict[tuple[str, int], int] = field(default_factory=dict)
    steps: list[tuple[str, Step]] = field(default_factory=list)
    """What happens to the member counts of groups, in order."""
    number: int = 0
    index: int = 0

    @property
    def writes(self) -> int:
        """How many writes it takes at most."""
        return len(self.histories) + len({group_id for group_id, _ in self.steps})

    def move(self, number: int, index: int) -> None:
        """Remember how far it came: a part of the row behind the last whole one, or a whole row."""
        self.number, self.index = (number - 1, index) if index else (number, 0)

    def add(self, number: int, index: int, event: Mapping[str, Any]) -> None:
        """Add an event; one of a type that a newer version tells changes nothing that is derived here."""
        kind, data = event["type"], event["data"]
        if kind not in RESOURCE_EVENT_TYPES:
            return
        if "group_id" in data:
            member_id = data.get("user_id") or data["member_group_id"]
            self.steps.append((data["group_id"], "added" if kind.endswith("_added") else "removed"))
            self.steps.append((data["group_id"], event.get("untold", 0)))
            self._tell(number, index, data["group_id"], HistoryEntry(event["timestamp"], kind, related=[member_id]))
            self._tell(number, index, member_id, HistoryEntry(event["timestamp"], kind, related=[data["group_id"]]))
            return
        resource = data.get("resource", data)
        entry = HistoryEntry(event["timestamp"], kind, changed=event.get("changed", ()))
        self._tell(number, index, resource["id"], entry)
        if kind == "group.created":
            self.steps += [(resource["id"], "created"), (resource["id"], event.get("untold", 0))]
        elif kind == "group.deleted":
            self.steps.append((resource["id"], "deleted"))
        # What the mappings changed in a profile is no change of the document.
        if "resource" in data and "omitted" not in event and event.get("reason") != "mapping":
            self._cover(kind, resource, event)

    def _tell(self, number: int, index: int, resource_id: str, entry: HistoryEntry) -> None:
        self.places.setdefault((resource_id, number), index)
        self.histories[resource_id, number].append(entry)

    def _cover(self, kind: str, resource: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        name = resource_name_of(resource["id"])
        action = kind.partition(".")[2]
        if name is None or action not in ("created", "updated", "deleted"):
            return
        before = {"created": {}, "deleted": resource}.get(action)
        if before is None:
            before = document_before(resource, event)
        after = {} if action == "deleted" else resource
        hour = f"{event['timestamp'][:13]}:00:00Z"
        self.coverage[name] = covered(self.coverage.get(name, {}), before, after, hour)

    async def commit(self, partition: Partition, state: DerivedState) -> DerivedState:
        """Store it and return the state behind it."""
        writes = [mark_write(state, number=self.number, index=self.index), *coverage_writes(state, self.coverage)]
        etags = await partition.commit([*writes, *await self._count_writes(partition), *self._history_writes()])
        rows = {write.key: Row(write.key, etag, write.values) for write, etag in zip(writes, etags, strict=False)}
        return DerivedState(self.number, self.index, self.coverage, {**state.rows, **rows})

    def _history_writes(self) -> Iterator[Write]:
        for (resource_id, number), entries in self.histories.items():
            place = self.places[resource_id, number]
            yield insert(keys.history(resource_id, number, place), history_values(entries[0].time, entries))

    async def _count_writes(self, partition: Partition) -> list[Write]:
        group_ids = list(dict.fromkeys(group_id for group_id, _ in self.steps))
        stored = await partition.read_many([keys.member_count(group_id) for group_id in group_ids])
        counts = {keys.last_id(key): members_in(row) for key, row in stored.items()}
        for group_id, step in self.steps:
            counts[group_id] = _stepped(counts.get(group_id), step)
        return [write for group_id in group_ids for write in _count_write(group_id, stored, counts.get(group_id))]


def _stepped(count: int | None, step: Step) -> int | None:
    """Return a member count after a step; None for a group that does not exist, or was never counted."""
    match step:
        case "created":
            return 0
        case "deleted":
            return None
        case _ if count is None:
            return None
        case "added":
            return count + 1
        case "removed":
            return count - 1
        case untold:
            return count + untold


def _count_write(group_id: str, stored: Mapping[str, Row], count: int | None) -> Iterator[Write]:
    key = keys.member_count(group_id)
    if count is None:
        if key in stored:
            yield delete(key)
    elif key not in stored:
        yield insert(key, {"members": count})
    elif stored[key].values.get("members") != count:
        yield replace(key, {"members": count}, "*")

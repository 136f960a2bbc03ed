"""The outbox: one row per transaction with its events and what they change in the counts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scim.adapters.tables import keys
from scim.adapters.tables.document_rows import joined_text, split_text
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.settled import SETTLED, is_settled
from scim.adapters.tables.table import Row, Value, Write, insert
from scim.events.event import Event
from scim.resources.identifiers import Operation

_MAX_EVENT_UNITS = 400_000
"""UTF-16 units of a row's events: with the key and other properties the row stays below 1 MiB."""


_LOOKED_AT = 20
"""Rows read at once to find the first that waits: those that wait for nothing are few, and rare."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What one transaction changes in the counts and in the page map."""

    users: int = 0
    active: int = 0
    groups: int = 0
    created: str = ""
    """The id of the resource it creates."""
    deleted: str = ""
    """The id of the resource it deletes."""


def outbox_insert(partition: Partition, operation: Operation, events: Sequence[Event], tally: Tally) -> Write:
    """Return the write that stores an operation's events with the change itself."""
    return insert(keys.outbox(operation.id), outbox_values(partition, operation, events, tally))


def outbox_values(
    partition: Partition, operation: Operation, events: Sequence[Event], tally: Tally
) -> dict[str, Value]:
    """Return the properties of an operation's outbox row."""
    listed = [event.as_json(operation, partition.directory_id, partition.organization_id) for event in events]
    values: dict[str, Value] = {**split_text(_bounded_json(listed)), "time": operation.time}
    counted = {"users": tally.users, "active": tally.active, "groups": tally.groups}
    values |= {name: count for name, count in counted.items() if count}
    values |= {name: value for name, value in (("created", tally.created), ("deleted", tally.deleted)) if value}
    return values


def _bounded_json(events: list[dict[str, Any]]) -> str:
    """Return events as JSON; what would not fit a row is left out, and the event says so."""
    text = _json(events)
    for reduce in (_without_previous, _with_one_resource):
        if _fits(text):
            break
        events = reduce(events)
        text = _json(events)
    return text


def _fits(text: str) -> bool:
    return len(text) <= _MAX_EVENT_UNITS // 2 or len(text.encode("utf-16-le")) // 2 <= _MAX_EVENT_UNITS


def _without_previous(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**event, "previous_attributes": {}, "omitted": "previous_attributes"}
        if event.get("previous_attributes")
        else event
        for event in events
    ]


def _with_one_resource(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep the resource in the first event that has it; others of the same change name it by id."""
    first = next(event for event in events if "resource" in event["data"])
    return [
        {**event, "data": {"id": event["data"]["resource"]["id"]}, "omitted": "resource"}
        if event is not first and "resource" in event["data"]
        else event
        for event in events
    ]


def _json(events: list[dict[str, Any]]) -> str:
    return json.dumps(events, ensure_ascii=False, separators=(",", ":"))


async def oldest_age_seconds(partition: Partition) -> float:
    """Return how long the first outbox row has waited for the relay, 0 when there is none. One storage request.

    The first by operation id is the oldest but for the differences between clocks.
    """
    key_range = (keys.OUTBOX_FIRST, keys.OUTBOX_END)
    async for row in partition.rows(key_range, select=("Timestamp", SETTLED), page_size=_LOOKED_AT):
        if not is_settled(row):
            waited = datetime.now(UTC) - datetime.fromisoformat(row.timestamp)
            return max(0.0, waited.total_seconds())
    return 0.0


def read_events(row: Row) -> list[dict[str, Any]]:
    """Return the events of an outbox or feed row."""
    events: list[dict[str, Any]] = json.loads(joined_text(row.values))
    return events


def read_tally(values: Mapping[str, Value]) -> Tally:
    """Return what an outbox row changes in the counts and in the page map.

    A number that cannot be read counts for nothing, so that it blocks no relay: the check finds and mends the counts.
    """
    return Tally(
        users=_count(values, "users"),
        active=_count(values, "active"),
        groups=_count(values, "groups"),
        created=str(values.get("created", "")),
        deleted=str(values.get("deleted", "")),
    )


def _count(values: Mapping[str, Value], name: str) -> int:
    try:
        return int(str(values.get(name, 0)))
    except ValueError:
        return 0

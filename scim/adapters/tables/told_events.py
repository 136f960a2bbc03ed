"""How an event is written: with its number in the feed of its organization, and as an entry of the audit log.

| PartitionKey | RowKey | holds |
|---|---|---|
| organization id | ``o`` | in the organization's row: the number of the last event |
| | ``f|{number}`` | an event |
| | ``a|{inverted microseconds}|{event id}`` | the same event as an entry of the audit log; the newest sorts first |
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from scim.adapters.tables import keys
from scim.adapters.tables.document_rows import split_text
from scim.adapters.tables.generation import GENERATION
from scim.adapters.tables.table import Int64, Row, Value, Write, insert, merge
from scim.directories.organization_events import OrganizationEvent

ORGANIZATION = "o"
"""The key of an organization's row in its own partition."""
AUDIT_FIRST, AUDIT_END = "a|", "a}"
KEYS_PARTITION = "keys"
"""Where API keys lie, with the audit log of those for all organizations."""
_LAST_MICROSECOND = 10**16 - 1
_NOBODY_DID = frozenset({"token.expiring"})
"""Types of events that tell of no change, and are in no audit log."""


def event_writes(
    events: Sequence[OrganizationEvent], organization: Row, values: Mapping[str, Value] | None = None
) -> list[Write]:
    """Return what gives events the next numbers, for one transaction in the partition of their organization.

    It holds while the organization's row is as it was read.

    :param values: What else is to be changed of that row.
    """
    last = last_number(organization)
    own = merge(ORGANIZATION, {**(values or {}), "number": Int64(last + len(events))}, organization.etag)
    generation = {name: value for name, value in organization.values.items() if name == GENERATION}
    told = [insert(keys.feed(each), {**_values(event), **generation}) for each, event in enumerate(events, last + 1)]
    return [own, *told, *(audit_insert(event) for event in events if event.type not in _NOBODY_DID)]


def audit_insert(event: OrganizationEvent) -> Write:
    """Return the entry of an event in the audit log."""
    by = event.actor
    about: dict[str, Value] = {"object_type": event.object_type, "object_id": event.object_id}
    who: dict[str, Value] = {"actor_type": by.type, "actor_id": by.id}
    return insert(f"a|{inverted(event.timestamp)}|{event.id}", {**_text(event), **who, **about})


def inverted(moment: datetime) -> str:
    """Return a time as text that sorts the newest first."""
    return f"{_LAST_MICROSECOND - int(moment.timestamp() * 1_000_000):016d}"


def moment_of(text: str) -> datetime:
    """Return the time of an inverted one."""
    return datetime.fromtimestamp((_LAST_MICROSECOND - int(text)) / 1_000_000, UTC)


def last_number(organization: Row) -> int:
    """Return the number of the last event of an organization, 0 before the first."""
    return int(str(organization.values.get("number", 0)))


def _values(event: OrganizationEvent) -> dict[str, Value]:
    return {**_text(event), "event": event.id, "time": datetime.now(UTC).isoformat()}


def _text(event: OrganizationEvent) -> dict[str, Value]:
    return split_text(json.dumps(event.as_json(), ensure_ascii=False, separators=(",", ":")))

"""Whether rows hold what the service can read, and whether they are late."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from scim.adapters.tables import keys
from scim.adapters.tables.consistency.row_kind import kind_of
from scim.adapters.tables.document_rows import joined_text
from scim.adapters.tables.mapped_attributes import MappedAttributes, matching_values
from scim.adapters.tables.readable_events import is_event
from scim.adapters.tables.settled import is_settled
from scim.adapters.tables.table import Row, Value
from scim.resources.identifiers import ResourceName
from scim.resources.values import parse_datetime

LATE_SECONDS: Final = 900
"""Three times the interval of the sweep, which does what a lost message or a crash left undone."""
_DOCUMENT_TEXTS: Final = ("version", "created", "modified")
_HEAD_NUMBERS: Final = ("number", "users", "active", "groups")
_TALLY_NUMBERS: Final = ("users", "active", "groups")
_TALLY_TEXTS: Final = ("created", "deleted")


def readable_document(name: ResourceName, row: Row) -> dict[str, Any] | None:
    """Return the document of a row, or None when the service could not read it."""
    if not all(isinstance(row.values.get(column), str) for column in _DOCUMENT_TEXTS):
        return None
    body = _json(joined_text(row.values))
    if not isinstance(body, dict) or body.get("id") != keys.last_id(row.key):
        return None
    unique = body.get("userName" if name == "User" else "displayName")
    has_emails = isinstance(body.get("emails", []), list | None)
    return body if isinstance(unique, str) and unique and has_emails else None


def lookups_of(name: ResourceName, row: Row, body: dict[str, Any]) -> tuple[str, ...]:
    """Return the keys of the lookup rows that a document's row accounts for: by its document, or by its own word.

    Which attributes are matching the directory's mappings say; the row keeps by which of them it is found.
    """
    resource_id = keys.last_id(row.key)
    found_by = str(row.values.get("matching", "")).split()
    return (*keys.lookups(name, resource_id, body), *keys.matching(found_by, resource_id))


def has_matching_of(attributes: MappedAttributes, row: Row, body: dict[str, Any]) -> bool:
    """Tell whether a user's row says that it is found by what the mappings say; yes while a change is on its way."""
    if not attributes.is_settled or not row.key.startswith("u|"):
        return True
    return set(str(row.values.get("matching", "")).split()) == set(matching_values(attributes, body))


def is_readable_index_row(row: Row) -> bool:
    """Tell whether a row of head, page map or outbox holds the numbers that are added up."""
    match kind_of(row.key):
        case "head":
            return _are_numbers(row.values, _HEAD_NUMBERS)
        case "block":
            return _are_numbers(row.values, ("count",))
        case _:
            present = [column for column in _TALLY_NUMBERS if column in row.values]
            texts = [row.values.get(column, "") for column in _TALLY_TEXTS]
            return _are_numbers(row.values, present) and all(isinstance(text, str) for text in texts)


def has_readable_events(row: Row) -> bool:
    """Tell whether an outbox or feed row holds a list of events and its time."""
    events = _json(joined_text(row.values))
    listed = isinstance(events, list) and all(map(is_event, events))
    return listed and parse_datetime(str(row.values.get("time", ""))) is not None


def is_late(row: Row) -> bool:
    """Tell whether an outbox row has waited for the relay for more than 15 minutes, by the service's timestamp."""
    if is_settled(row):
        return False
    written = parse_datetime(row.timestamp)
    return written is not None and (datetime.now(UTC) - written).total_seconds() > LATE_SECONDS


def _are_numbers(values: Mapping[str, Value], columns: tuple[str, ...] | list[str]) -> bool:
    numbers = [values.get(column) for column in columns]
    return all(isinstance(number, int) and not isinstance(number, bool) for number in numbers)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

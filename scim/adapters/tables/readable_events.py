"""The events of feed rows as readers take them: what cannot be read does not block what comes behind it. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from scim.adapters.tables.document_rows import joined_text
from scim.adapters.tables.table import Row
from scim.directories.organization_events import event_time

GAP: Final = "feed.gap"
"""The type of the event that stands where one cannot be read."""


def events_in(row: Row, organization_id: str, directory_id: str) -> list[dict[str, Any]]:
    """Return the events of a directory's feed row, each that cannot be read as one that says so, at its place."""
    listed = _json(row)
    if not isinstance(listed, list):
        return [gap_event(row, 1, organization_id, directory_id)]
    return [
        event if is_event(event) else gap_event(row, index, organization_id, directory_id)
        for index, event in enumerate(listed, 1)
    ]


def event_in(row: Row, organization_id: str) -> dict[str, Any]:
    """Return the event of a row of an organization's feed, or the one that says that it cannot be read."""
    event = _json(row)
    names = ("id", "type", "timestamp")
    is_readable = isinstance(event, dict) and all(isinstance(event.get(name), str) for name in names)
    return event if is_readable and isinstance(event.get("data"), dict) else gap_event(row, 1, organization_id, None)


def gap_event(row: Row, index: int, organization_id: str, directory_id: str | None) -> dict[str, Any]:
    """Return the event that stands for one that cannot be read: the same whenever it is read, with the same id."""
    place = f"{organization_id}|{directory_id or ''}|{row.key}|{index}"
    return {
        "id": f"evt_{hashlib.blake2b(place.encode(), digest_size=16).hexdigest()}",
        "type": GAP,
        "timestamp": _time_of(row),
        "organization_id": organization_id,
        "directory_id": directory_id,
        "data": {},
    }


def _json(row: Row) -> Any:
    try:
        return json.loads(joined_text(row.values))
    except (ValueError, RecursionError):
        return None


def is_event(event: Any) -> bool:
    """Tell whether an event has what rendering and derivation take of it."""
    if not isinstance(event, dict) or not isinstance(event.get("data"), dict):
        return False
    if not all(isinstance(event.get(name), str) for name in ("id", "type", "timestamp")):
        return False
    is_told_whole = "changed" not in event or (
        isinstance(event["changed"], list) and isinstance(event.get("previous_attributes"), dict)
    )
    return is_told_whole and _names_resources(event["data"])


def _names_resources(data: Mapping[str, Any]) -> bool:
    if "group_id" in data:
        return isinstance(data["group_id"], str) and isinstance(data.get("user_id", data.get("member_group_id")), str)
    resource = data.get("resource", data)
    return isinstance(resource, dict) and isinstance(resource.get("id"), str)


def _time_of(row: Row) -> str:
    """Return when the row was written, by itself or else by the service, as events state times."""
    for text in (str(row.values.get("time", "")), row.timestamp):
        try:
            moment = datetime.fromisoformat(text).astimezone(UTC)
        except ValueError:
            continue
        return event_time(moment)
    return "1970-01-01T00:00:00.000Z"

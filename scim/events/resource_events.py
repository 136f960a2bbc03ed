"""Which events a change of a resource makes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scim.events.event import Event
from scim.resources.identifiers import resource_name_of
from scim.resources.profile import is_active

Document = Mapping[str, Any]
RESOURCE_EVENT_TYPES = frozenset(
    {f"user.{verb}" for verb in ("created", "updated", "deactivated", "reactivated", "deleted")}
    | {f"group.{verb}" for verb in ("created", "updated", "deleted")}
    | {f"group.{member}_{verb}" for member in ("user", "group") for verb in ("added", "removed")}
)
"""The types of the events in a directory's feed. A newer version may have told others there."""
_KIND = {"User": "user", "Group": "group"}


def created_events(name: str, document: Document) -> list[Event]:
    """Return the event of a new resource."""
    return [Event(f"{_KIND[name]}.created", {"resource": dict(document)})]


def deleted_events(name: str, document: Document) -> list[Event]:
    """Return the event of a deleted resource, with what it was."""
    return [Event(f"{_KIND[name]}.deleted", {"resource": dict(document)})]


def updated_events(name: str, before: Document, after: Document) -> list[Event]:
    """Return the events of a changed resource; none when nothing but ``schemas`` differs.

    Losing or regaining access is an event of its own, beside ``user.updated`` when more changed.
    """
    changed = changed_attributes(before, after)
    events = []
    if name == "User" and is_active(before) != is_active(after):
        changed = tuple(attribute for attribute in changed if attribute != "active")
        kind = "user.reactivated" if is_active(after) else "user.deactivated"
        events.append(Event(kind, {"resource": dict(after)}))
    if changed:
        previous = {attribute: before[attribute] for attribute in changed if attribute in before}
        events.insert(0, Event(f"{_KIND[name]}.updated", {"resource": dict(after)}, changed, previous))
    return events


def mapping_events(document: Document, before: Mapping[str, Any], actor: Mapping[str, Any]) -> list[Event]:
    """Return the event of a user whose custom attributes are others because its directory's mappings are."""
    previous, changed = {"custom_attributes": dict(before)}, ("custom_attributes",)
    return [Event("user.updated", {"resource": dict(document)}, changed, previous, reason="mapping", actor=actor)]


def changed_attributes(before: Document, after: Document) -> tuple[str, ...]:
    """Return the names of the top-level attributes and extension URNs that differ, in alphabetical order."""
    return tuple(
        sorted(key for key in before.keys() | after.keys() if key != "schemas" and before.get(key) != after.get(key))
    )


def membership_events(group_id: str, added: Iterable[str], removed: Iterable[str]) -> list[Event]:
    """Return one event for each member that came or went, with ids only; nested groups have types of their own."""
    return [
        *(_membership_event(group_id, member_id, "added") for member_id in added),
        *(_membership_event(group_id, member_id, "removed") for member_id in removed),
    ]


def _membership_event(group_id: str, member_id: str, verb: str) -> Event:
    if resource_name_of(member_id) == "Group":
        return Event(f"group.group_{verb}", {"group_id": group_id, "member_group_id": member_id})
    return Event(f"group.user_{verb}", {"group_id": group_id, "user_id": member_id})

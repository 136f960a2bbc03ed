"""What an administrator reads of an event, of a history, and of an entry of the provisioning log. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from scim.directories.directory import Directory
from scim.events.rendering import rendered_event
from scim.resources.derived import HistoryEntry
from scim.resources.identifiers import resource_name_of
from scim.resources.log_words import words_of
from scim.resources.provisioning_log import ProvisioningLogEntry
from scim.resources.summary import summary_of

Result = Literal["done", "failed", "noted"]

_CHANGES: Mapping[str, str] = {
    "user.created": "User created",
    "user.updated": "User changed",
    "user.deactivated": "Access taken away",
    "user.reactivated": "Access given back",
    "user.deleted": "User deleted",
    "group.created": "Group created",
    "group.updated": "Group changed",
    "group.deleted": "Group deleted",
    "group.user_added": "Member added",
    "group.user_removed": "Member removed",
    "group.group_added": "Group added to a group",
    "group.group_removed": "Group removed from a group",
}
_OF_MEMBER: Mapping[str, str] = {
    "group.user_added": "Added to a group",
    "group.user_removed": "Removed from a group",
}
"""The same, told of the member."""
_MAX_RELATED = 5
"""Of many members that came together, no more are named."""


@dataclass(frozen=True, slots=True)
class ActivityEntry:
    """One line of the activity: what happened, to whom, with which result, why, and what to do."""

    time: datetime
    title: str
    result: Result
    resource_id: str = ""
    name: str = ""
    """What the user or group is called, where that is known without asking."""
    is_gone: bool = False
    """Whether this was the end of the user or group."""
    related: Sequence[str] = ()
    """Others that it is about: the members, or whoever has the value already."""
    more_related: int = 0
    detail: str = ""
    """Of a change: what changed. Of a problem: what the answer said."""
    cause: str = ""
    remedy: str = ""
    count: int = 1
    last: datetime | None = None
    """When it happened last, of what happened several times."""


def entry_of_event(directory: Directory, event: Mapping[str, Any]) -> ActivityEntry:
    """Return the line of an event of the feed."""
    kind, data = str(event["type"]), event["data"]
    moment = datetime.fromisoformat(str(event["timestamp"]))
    if kind not in _CHANGES:  # of a newer version, whose data may be anything
        return ActivityEntry(moment, kind, "done")
    if "group_id" in data:
        member = str(data.get("user_id") or data.get("member_group_id"))
        return ActivityEntry(moment, _title(kind), "done", str(data["group_id"]), related=(member,))
    document = data.get("resource", data)
    name = resource_name_of(str(document["id"])) or "User"
    called = summary_of(name, document).title if "resource" in data else ""
    changed = rendered_event(directory, event).get("changed", ())
    return ActivityEntry(
        moment,
        _title(kind),
        "done",
        str(document["id"]),
        called,
        is_gone=kind.endswith(".deleted"),
        detail=_list(changed),
    )


def entry_of_history(resource_id: str, entry: HistoryEntry) -> ActivityEntry:
    """Return the line of what happened to a resource."""
    own = resource_name_of(resource_id) == "User" and entry.type in _OF_MEMBER
    return ActivityEntry(
        datetime.fromisoformat(entry.time),
        _OF_MEMBER[entry.type] if own else _title(entry.type),
        "done",
        resource_id,
        is_gone=entry.type.endswith(".deleted"),
        related=tuple(entry.related[:_MAX_RELATED]),
        more_related=max(0, len(entry.related) - _MAX_RELATED),
        detail=_list([path.rpartition(":")[2] for path in entry.changed]),
    )


def entry_of_log(entry: ProvisioningLogEntry) -> ActivityEntry:
    """Return the line of an entry of the provisioning log."""
    found, words = entry.finding, words_of(entry.finding)
    return ActivityEntry(
        entry.first,
        words.title,
        "failed" if entry.is_problem else "noted",
        found.resource_id if resource_name_of(found.resource_id) else "",
        related=(found.related_id,) if resource_name_of(found.related_id) else (),
        detail=found.detail,
        cause=words.explanation,
        remedy=words.remedy,
        count=entry.count,
        last=entry.last if entry.count > 1 else None,
    )


def _title(kind: str) -> str:
    return _CHANGES.get(kind, kind)


def _list(names: Sequence[str]) -> str:
    shown = [name.replace("_", " ") for name in names]
    return ", ".join(shown)

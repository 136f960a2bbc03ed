"""The feed taken at its word: what a directory holds when its events happened once each, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scim.adapters.tables import keys
from scim.adapters.tables.document_rows import joined_text
from scim.adapters.tables.table import Row
from scim.resources.profile import is_active
from scim.resources.stored_document import StoredDocument

Document = dict[str, Any]
Event = Mapping[str, Any]


class HistoryError(AssertionError):
    """An event does not follow from those before it: one was lost, applied twice, or out of order."""


@dataclass(slots=True)
class Contents:
    """Users and groups by id, and who is in which group."""

    users: dict[str, Document] = field(default_factory=dict)
    groups: dict[str, Document] = field(default_factory=dict)
    memberships: set[tuple[str, str]] = field(default_factory=set)
    """Pairs of a group and a member."""


def stored_contents(rows: Iterable[Row]) -> Contents:
    """Return what the rows of a directory hold."""
    found = Contents()
    for row in rows:
        kind, _, rest = row.key.partition("|")
        if kind == "u":
            found.users[rest] = _document(row)
        elif kind == "g" and "|" not in rest:
            found.groups[rest] = _document(row)
        elif kind == "m":
            group_id, _, member_id = rest.partition("|")
            found.memberships.add((group_id, member_id))
    return found


def _document(row: Row) -> Document:
    return StoredDocument("User", keys.last_id(row.key), joined_text(row.values), "", "", "", "").document()


def told_contents(events: Iterable[Event]) -> Contents:
    """Return what a directory holds according to its events.

    :raises HistoryError: At the first event that cannot follow from those before it.
    """
    history = _History()
    for event in events:
        history.take(event)
    return history.contents


class _History:
    def __init__(self) -> None:
        self.contents = Contents()
        self._active: dict[str, bool] = {}
        self._ids: set[str] = set()

    def take(self, event: Event) -> None:
        """Apply one event."""
        _require(event["id"] not in self._ids, event, "was told before")
        self._ids.add(event["id"])
        name, _, verb = str(event["type"]).partition(".")
        if verb in ("user_added", "group_added", "user_removed", "group_removed"):
            self._membership(event, added=verb.endswith("added"))
        else:
            resources = self.contents.users if name == "user" else self.contents.groups
            getattr(self, f"_{verb}")(event, resources, event["data"]["resource"])

    def _created(self, event: Event, resources: dict[str, Document], resource: Document) -> None:
        _require(resource["id"] not in resources, event, "exists")
        resources[resource["id"]] = resource
        self._active[resource["id"]] = is_active(resource)

    def _updated(self, event: Event, resources: dict[str, Document], resource: Document) -> None:
        before = resources.get(resource["id"])
        _require(before is not None, event, "does not exist")
        for name in event["changed"]:
            _require((before or {}).get(name) == event["previous_attributes"].get(name), event, f"had another {name}")
        resources[resource["id"]] = resource

    def _deactivated(self, event: Event, resources: dict[str, Document], resource: Document) -> None:
        self._switch(event, resources, resource, active=False)

    def _reactivated(self, event: Event, resources: dict[str, Document], resource: Document) -> None:
        self._switch(event, resources, resource, active=True)

    def _switch(self, event: Event, resources: dict[str, Document], resource: Document, *, active: bool) -> None:
        _require(self._active.get(resource["id"]) is not active, event, "is so already")
        self._active[resource["id"]] = active
        resources[resource["id"]] = resource

    def _deleted(self, event: Event, resources: dict[str, Document], resource: Document) -> None:
        _require(resources.pop(resource["id"], None) == resource, event, "was not so, or not there")
        memberships = self.contents.memberships
        _require(
            event["type"] != "user.deleted" or all(member != resource["id"] for _, member in memberships),
            event,
            "is still a member",
        )
        memberships.difference_update([pair for pair in memberships if pair[0] == resource["id"]])

    def _membership(self, event: Event, *, added: bool) -> None:
        data = event["data"]
        pair = data["group_id"], data.get("user_id") or data["member_group_id"]
        _require(pair[0] in self.contents.groups, event, "has no group")
        _require((pair in self.contents.memberships) is not added, event, "is so already")
        (self.contents.memberships.add if added else self.contents.memberships.discard)(pair)


def _require(holds: bool, event: Event, sentence: str) -> None:
    if not holds:
        data = event["data"]
        raise HistoryError(f"{event['type']} of {data.get('resource', data)}: it {sentence}")

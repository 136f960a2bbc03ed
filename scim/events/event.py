"""A committed change, as the application learns of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scim.resources.identifiers import Operation, uuid7_hex


@dataclass(frozen=True, slots=True)
class Event:
    """One change of one resource.

    ``type`` is such as ``user.created``; ``data`` is the resource after the change (before it, for a deletion), or
    ids only for membership; ``changed`` lists attribute names; ``previous_attributes`` holds their values before.
    """

    type: str
    data: dict[str, Any]
    changed: tuple[str, ...] = ()
    previous_attributes: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    """``mapping`` where not the resource changed but what its directory maps; then the names are the profile's."""
    actor: Mapping[str, Any] | None = None
    """Who changed the mappings or put rows back, where that is the reason; else it was the identity provider."""
    untold: int = 0
    """How many more members of a new group wait to be told of since this event; for the service alone."""

    def as_json(self, operation: Operation, directory_id: str, organization_id: str) -> dict[str, Any]:
        """Return the event as it is stored and sent, with an id of its own and the operation's time."""
        event: dict[str, Any] = {
            "id": f"evt_{uuid7_hex()}",
            "type": self.type,
            "timestamp": operation.time,
            "organization_id": organization_id,
            "directory_id": directory_id,
            "data": self.data,
        }
        if self.changed:
            event |= {"changed": list(self.changed), "previous_attributes": self.previous_attributes}
        more = {"reason": self.reason, "actor": self.actor, "untold": self.untold}
        return event | {name: value for name, value in more.items() if value}

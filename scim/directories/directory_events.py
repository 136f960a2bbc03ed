"""What there is to tell of a directory. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from scim.directories.actor import UNKNOWN, Actor
from scim.directories.organization_events import ObjectType, event_json

DirectoryEventType = Literal[
    "directory.created",
    "directory.updated",
    "directory.enabled",
    "directory.disabled",
    "directory.attribute_mappings_changed",
    "directory.deleted",
]


@dataclass(frozen=True, slots=True)
class DirectoryEvent:
    """One thing that happened to a directory. The row keeps it, from the change itself until it has been told."""

    id: str
    type: DirectoryEventType
    organization_id: str
    directory_id: str
    timestamp: datetime
    data: Mapping[str, Any]
    """The directory after the change; of its mappings the revision, and the names that came, went and changed."""
    previous_attributes: Mapping[str, Any] = field(default_factory=dict)
    """Of an update: the values before."""
    actor: Actor = UNKNOWN
    """Who made the change."""

    @property
    def object_type(self) -> ObjectType:
        """What was changed: the directory, or its mappings."""
        return "attribute_mappings" if self.type == "directory.attribute_mappings_changed" else "directory"

    @property
    def object_id(self) -> str:
        """The directory's id, of its mappings, too."""
        return self.directory_id

    def as_json(self) -> dict[str, Any]:
        """Return the event as it is sent."""
        return event_json(self, self.data, self.previous_attributes)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that the directory's row holds."""
        return {
            "id": self.id,
            "type": self.type,
            "timestamp": self.timestamp.isoformat(),
            "data": dict(self.data),
            "previous_attributes": dict(self.previous_attributes),
            "actor": self.actor.to_json(),
        }

    @classmethod
    def from_json(cls, form: Mapping[str, Any], organization_id: str, directory_id: str) -> DirectoryEvent:
        """Return the event of its JSON form in a directory's row."""
        return cls(
            form["id"],
            form["type"],
            organization_id,
            directory_id,
            datetime.fromisoformat(form["timestamp"]),
            form["data"],
            form.get("previous_attributes", {}),
            Actor.from_json(form.get("actor")),
        )

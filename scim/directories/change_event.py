"""What there is to tell of organizations, of links to the portal and of API keys. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from scim.directories.actor import Actor
from scim.directories.organization import Organization
from scim.directories.organization_events import ObjectType, event_json
from scim.directories.portal_access import LinkUse
from scim.directories.portal_link import PortalLink
from scim.directories.times import utc_text

ChangeEventType = Literal[
    "organization.created",
    "organization.updated",
    "organization.deleted",
    "portal_link.created",
    "portal_link.redeemed",
    "portal_link.revoked",
    "api_key.created",
    "api_key.revoked",
    "service_key.rotated",
]


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """One thing that happened to an organization, a link or a key."""

    id: str
    type: ChangeEventType
    organization_id: str
    """Empty for what concerns the whole service."""
    object_type: ObjectType
    object_id: str
    timestamp: datetime
    actor: Actor
    data: Mapping[str, Any]
    """What was changed, without what opens anything."""
    previous_attributes: Mapping[str, Any] = field(default_factory=dict)
    directory_id: str | None = None
    """The only directory that a link opens."""

    def as_json(self) -> dict[str, Any]:
        """Return the event as it is stored and sent."""
        return event_json(self, self.data, self.previous_attributes)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form in which a row keeps it until it has been told."""
        return {
            "id": self.id,
            "type": self.type,
            "organization_id": self.organization_id,
            "object_type": self.object_type,
            "object_id": self.object_id,
            "timestamp": self.timestamp.isoformat(),
            "actor": self.actor.to_json(),
            "data": dict(self.data),
        }

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> ChangeEvent:
        """Return the event of its JSON form in a row; fields of a newer version are passed over."""
        known = {each.name: form[each.name] for each in fields(cls) if each.name in form}
        read = {"timestamp": datetime.fromisoformat(form["timestamp"]), "actor": Actor.from_json(form.get("actor"))}
        return cls(**{**known, **read})


def organization_event(
    kind: Literal["organization.created", "organization.deleted"], organization: Organization, at: datetime, by: Actor
) -> ChangeEvent:
    """Return the event of an organization's beginning or end: with its id alone, since it outlives the organization."""
    return ChangeEvent(
        id=event_id_of(organization.id, kind),
        type=kind,
        organization_id=organization.id,
        object_type="organization",
        object_id=organization.id,
        timestamp=at,
        actor=by,
        data={"organization": {"id": organization.id}},
    )


def updated_event(before: Organization, after: Organization, event_id: str, at: datetime, by: Actor) -> ChangeEvent:
    """Return the event of a changed organization."""
    old, new = _shown(before), _shown(after)
    return ChangeEvent(
        id=event_id,
        type="organization.updated",
        organization_id=after.id,
        object_type="organization",
        object_id=after.id,
        timestamp=at,
        actor=by,
        data={"organization": new},
        previous_attributes={name: value for name, value in old.items() if new[name] != value},
    )


def link_created(link: PortalLink, by: Actor) -> ChangeEvent:
    """Return the event of a new link."""
    return _link_event("portal_link.created", link, link.id, link.created, by)


def link_events(before: LinkUse, after: LinkUse, at: datetime, by: Callable[[], Actor]) -> list[ChangeEvent]:
    """Return the events of a link that was changed: the session that was made with it, and its end, and by whom."""
    events = []
    known = {session.id for session in before.sessions}
    for session in after.sessions:
        if session.id not in known:
            event = _link_event("portal_link.redeemed", after.link, session.id, session.created, session.actor)
            events.append(event)
    if after.link.revoked_at is not None and before.link.revoked_at is None:
        events.append(_link_event("portal_link.revoked", after.link, after.link.id, at, by()))
    return events


def _link_event(kind: ChangeEventType, link: PortalLink, about: str, at: datetime, by: Actor) -> ChangeEvent:
    told = {
        "id": link.id,
        "label": link.label,
        "directory_id": link.directory_id,
        "max_uses": link.max_uses,
        "expires_at": utc_text(link.expires_at),
    }
    return ChangeEvent(
        id=event_id_of(about, kind),
        type=kind,
        organization_id=link.organization_id,
        object_type="portal_link",
        object_id=link.id,
        timestamp=at,
        actor=by,
        data={"portal_link": told},
        directory_id=link.directory_id,
    )


def _shown(organization: Organization) -> dict[str, Any]:
    return {
        "id": organization.id,
        "name": organization.name,
        "external_id": organization.external_id,
        "mappings_by": organization.mappings_by,
    }


def event_id_of(about: str, kind: str) -> str:
    """Return the id that every telling of an event has."""
    return sha256(f"{about}|{kind}".encode()).hexdigest()[:32]

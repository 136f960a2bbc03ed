"""What there is to tell of the service's own keys. Pure."""

from __future__ import annotations

from datetime import datetime

from scim.directories.actor import Actor
from scim.directories.change_event import ChangeEvent, event_id_of
from scim.directories.service_keys import KeyRing


def rotation_event(ring: KeyRing, at: datetime, by: Actor, *, at_once: bool) -> ChangeEvent:
    """Return the event of a rotation that led to these keys: the number of the newest, and whether it signs at once."""
    newest = max(ring.keys, key=lambda key: key.number)
    return ChangeEvent(
        id=event_id_of(f"service_key|{newest.number}|{newest.made.isoformat()}", "service_key.rotated"),
        type="service_key.rotated",
        organization_id="",
        object_type="service_key",
        object_id=str(newest.number),
        timestamp=at,
        actor=by,
        data={"service_key": {"number": newest.number, "at_once": at_once}},
    )

"""What there is to tell of API keys. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from scim.directories.actor import Actor
from scim.directories.api_key import ApiKey
from scim.directories.change_event import ChangeEvent, event_id_of
from scim.directories.times import utc_text


def key_event(kind: Literal["api_key.created", "api_key.revoked"], key: ApiKey, at: datetime, by: Actor) -> ChangeEvent:
    """Return the event of a key's beginning or end, without what opens anything."""
    told = {
        "id": key.id,
        "name": key.name,
        "scopes": list(key.scopes),
        "organization_id": key.organization_id,
        "last_four": key.last_four,
        "expires_at": utc_text(key.expires_at) if key.expires_at else None,
        "created_by": key.created_by,
    }
    return ChangeEvent(
        id=event_id_of(key.id, kind),
        type=kind,
        organization_id=key.organization_id or "",
        object_type="api_key",
        object_id=key.id,
        timestamp=at,
        actor=by,
        data={"api_key": told},
    )

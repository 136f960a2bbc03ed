"""Events of organizations: what happens to directories and to their tokens, and who is told. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol


class OrganizationEvent(Protocol):
    """One thing that happened to a directory or to a token. Its id never changes, so telling it again is known."""

    @property
    def id(self) -> str:
        """32 hex digits."""
        ...

    @property
    def organization_id(self) -> str:
        """Whose event it is."""
        ...

    def as_json(self) -> dict[str, Any]:
        """Return the event as it is stored and sent."""
        ...


class AboutDirectory(Protocol):
    """What every event says."""

    @property
    def id(self) -> str:
        """32 hex digits."""
        ...

    @property
    def type(self) -> str:
        """Such as ``directory.created``."""
        ...

    @property
    def organization_id(self) -> str:
        """Whose event it is."""
        ...

    @property
    def directory_id(self) -> str:
        """What it is about."""
        ...

    @property
    def timestamp(self) -> datetime:
        """When it happened."""
        ...


class OrganizationEvents(Protocol):
    """Is told what happens in organizations."""

    async def tell(self, event: OrganizationEvent) -> None:
        """Keep an event; one whose id is known already changes nothing. What it raises makes it be told again."""
        ...


def event_json(event: AboutDirectory, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event in the form that events of users and groups have, too."""
    moment = event.timestamp.astimezone(UTC)
    return {
        "id": f"evt_{event.id}",
        "type": event.type,
        "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z",
        "organization_id": event.organization_id,
        "directory_id": event.directory_id,
        "data": dict(data),
    }

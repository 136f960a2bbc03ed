"""Events of organizations: what happens to them, to directories, tokens, links and keys, and who is told. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from scim.directories.actor import Actor, note_change

ObjectType = Literal[
    "organization", "directory", "attribute_mappings", "token", "portal_link", "api_key", "service_key"
]

_NO_WORD = re.compile(r"[^\w.-]")


class OrganizationEvent(Protocol):
    """One thing that happened. Its id never changes, so telling it again is known."""

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
        """Whose event it is; empty for what concerns the whole service."""
        ...

    @property
    def directory_id(self) -> str | None:
        """The directory that it is about, None where it is about none."""
        ...

    @property
    def object_type(self) -> ObjectType:
        """What was changed."""
        ...

    @property
    def object_id(self) -> str:
        """Its id: of a token the version, of mappings the directory's."""
        ...

    @property
    def actor(self) -> Actor:
        """Who made the change."""
        ...

    @property
    def timestamp(self) -> datetime:
        """When it happened."""
        ...

    def as_json(self) -> dict[str, Any]:
        """Return the event as it is stored and sent."""
        ...


class OrganizationEvents(Protocol):
    """Is told what happens in organizations."""

    async def tell(self, event: OrganizationEvent) -> None:
        """Keep an event; one whose id is known already changes nothing. What it raises makes it be told again."""
        ...


def note_event(event: OrganizationEvent) -> None:
    """Say in the log what an event tells of, without names."""
    about = {"organization_id": event.organization_id, "directory_id": event.directory_id or ""}
    note_change(event.type, f"{event.object_id}{_mappings(event)}", event.actor, **about)


def _mappings(event: OrganizationEvent) -> str:
    """Return which mappings came, went and changed, by their names, which are those of attributes."""
    mappings = event.as_json()["data"].get("attribute_mappings", {})
    named = {word: " ".join(map(_one_word, mappings.get(word, ()))) for word in ("added", "removed", "changed")}
    told = [f"{word} {names}" for word, names in named.items() if names]
    return f" ({'; '.join(told)})" if told else ""


def _one_word(name: str) -> str:
    """Return a name in which nothing looks like a further name, or like another change of the line."""
    return _NO_WORD.sub("_", name)


def event_json(
    event: OrganizationEvent, data: Mapping[str, Any], previous: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return an event in the form that events of users and groups have, too.

    :param previous: Of an update: the values before.
    """
    changed = {"changed": sorted(previous), "previous_attributes": dict(previous)} if previous else {}
    return {
        "id": f"evt_{event.id}",
        "type": event.type,
        "timestamp": event_time(event.timestamp),
        "organization_id": event.organization_id or None,
        "directory_id": event.directory_id,
        "actor": event.actor.to_json(),
        "data": dict(data),
        **changed,
    }


def event_time(moment: datetime) -> str:
    """Return a time as events have it: in UTC, with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"

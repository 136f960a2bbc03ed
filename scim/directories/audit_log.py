"""The audit log: who changed what, kept for a year. Its entries are the events that tell of changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

RETENTION_DAYS = 365
"""How long entries are kept."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change: the event that tells of it, and what was changed."""

    place: str
    """Where it stands in the log; all that is newer lies before it."""
    event: Mapping[str, Any]
    """As it was told, with its ``actor``."""
    object_type: str
    object_id: str

    @property
    def actor(self) -> Mapping[str, Any]:
        """Who made the change."""
        actor: Mapping[str, Any] = self.event["actor"]
        return actor


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries to return: all by default. Types and ids are compared exactly."""

    actor_type: str = ""
    actor_id: str = ""
    object_type: str = ""
    object_id: str = ""

    @property
    def is_open(self) -> bool:
        """Whether every entry is wanted."""
        return not (self.actor_type or self.actor_id or self.object_type or self.object_id)

    def accepts(self, entry: AuditEntry) -> bool:
        """Tell whether an entry is wanted. An id of an actor may be that of a link, too."""
        actor = entry.actor
        return (
            self.actor_type in ("", actor["type"])
            and self.actor_id in ("", actor["id"], actor["link_id"])
            and self.object_type in ("", entry.object_type)
            and self.object_id in ("", entry.object_id)
        )


EVERY_CHANGE = AuditFilter()


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries, newest first, and the place to go on behind; empty at the end of the log.

    A page may have fewer entries than asked for, or none, and still have a ``last``: what a filter leaves out was read.
    """

    entries: Sequence[AuditEntry]
    last: str


class AuditLog(Protocol):
    """Reads the audit log. Every method raises ``DirectoryStoreUnavailableError`` when storage does not answer."""

    async def of_organization(
        self, organization_id: str, after: str, limit: int, wanted: AuditFilter = EVERY_CHANGE
    ) -> AuditPage:
        """Return entries of an organization behind a place. One storage request."""
        ...

    async def of_service(self, after: str, limit: int, wanted: AuditFilter = EVERY_CHANGE) -> AuditPage:
        """Return entries of what concerns the whole service behind a place. Two storage requests."""
        ...


def retention_limit(now: datetime) -> datetime:
    """Return the time before which entries are no longer kept."""
    return now - timedelta(days=RETENTION_DAYS)

"""What is derived from a directory's events, some seconds behind them: member counts, histories, coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from scim.resources.attribute_coverage import Coverage
from scim.resources.identifiers import ResourceName


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One thing that happened to a user or group."""

    time: str
    type: str
    """The event's type, such as ``user.updated`` or ``group.user_added``."""
    changed: Sequence[str] = ()
    """Of an update: the SCIM attributes that differ."""
    related: Sequence[str] = ()
    """Of a membership: the ids on the other side."""


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """What happened to a resource, newest first, and where to go on, empty at the end."""

    entries: Sequence[HistoryEntry]
    last: str
    places: Sequence[str] = ()
    """Where to go on behind each entry."""


class DerivedReader(Protocol):
    """Reads what is derived of one directory. Any method may raise StorageUnavailableError."""

    async def member_counts(self, group_ids: Sequence[str]) -> Mapping[str, int]:
        """Return how many members groups have, those that are known; the ids are in order. One storage request."""
        ...

    async def history(self, resource_id: str, after: str, limit: int) -> HistoryPage:
        """Return what happened to a resource in the last 30 days. One storage request."""
        ...

    async def coverage(self) -> Mapping[ResourceName, Coverage]:
        """Return which attributes users and groups have. One storage request."""
        ...

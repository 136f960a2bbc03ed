"""The provisioning log: what failing and noteworthy SCIM requests did and why, never with a value of a resource."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

RETENTION_DAYS = 30
"""How long entries are kept."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be told of a request: why it failed, or what it did not do although it succeeded."""

    cause: str
    """One of :data:`scim.resources.log_words.CAUSES`."""
    attribute: str = ""
    """The attribute that it is about, as a SCIM path."""
    resource_id: str = ""
    """The user or group that the request was on."""
    related_id: str = ""
    """Another user or group that it is about, such as the one that has the userName already."""
    detail: str = ""
    """What the answer said, with every value left out."""


@dataclass(frozen=True, slots=True)
class ProvisioningLogEntry:
    """A finding, the request it was made in, and how often it was made within the hour of its first time."""

    finding: Finding
    method: str
    operation: str
    """Such as ``create``, ``patch`` or ``search``; ``unknown`` when it was refused before that was known."""
    resource_type: str
    """``User``, ``Group`` or empty."""
    status: int
    scim_type: str
    first: datetime
    last: datetime
    count: int = 1

    @property
    def is_problem(self) -> bool:
        """Whether the request failed."""
        return self.status >= 400  # noqa: PLR2004 - where the errors begin

    @property
    def hour(self) -> datetime:
        """The hour within which repeats are one entry."""
        return self.first.replace(minute=0, second=0, microsecond=0)

    @property
    def identity(self) -> tuple[Any, ...]:
        """What repeats have in common; the hour among it."""
        found = self.finding
        told = (found.cause, found.attribute, found.resource_id, found.related_id, found.detail)
        return (self.hour, *told, self.method, self.operation, self.resource_type, self.status, self.scim_type)

    def repeated(self, later: ProvisioningLogEntry) -> ProvisioningLogEntry:
        """Return this entry with a repeat counted in."""
        first, last = min(self.first, later.first), max(self.last, later.last)
        return replace(self, first=first, last=last, count=self.count + later.count)

    def of_cause(self) -> ProvisioningLogEntry:
        """Return what the many entries of one cause have in common."""
        return replace(self, finding=Finding(self.finding.cause))


@dataclass(frozen=True, slots=True)
class LogPosition:
    """A place in a directory's log: an entry and all that are newer lie before it."""

    key: str


@dataclass(frozen=True, slots=True)
class LogPage:
    """Entries, newest first, each with its place; ``last`` is where to go on, None at the end of the log.

    A page may have fewer entries than asked for, or none, and still have a ``last``: what a filter leaves out was read.
    """

    entries: Sequence[tuple[LogPosition, ProvisioningLogEntry]]
    last: LogPosition | None


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which entries to return: all by default."""

    problems_only: bool = False
    """Whether to leave out what is noteworthy of requests that succeeded."""
    resource_id: str = ""
    """The user or group that an entry must be about."""

    @property
    def is_open(self) -> bool:
        """Whether every entry is wanted."""
        return not self.problems_only and not self.resource_id

    def accepts(self, entry: ProvisioningLogEntry) -> bool:
        """Tell whether an entry is wanted."""
        about = (entry.finding.resource_id, entry.finding.related_id)
        return (entry.is_problem or not self.problems_only) and (not self.resource_id or self.resource_id in about)


EVERY_ENTRY = LogFilter()


class ProvisioningLogStore(Protocol):
    """Keeps the provisioning log of every directory. Every method may raise ``StorageUnavailableError``."""

    async def add(self, directory_id: str, entries: Sequence[ProvisioningLogEntry]) -> None:
        """Keep entries; a repeat within the hour of another, of whichever process, is counted in that one."""
        ...

    async def page(
        self, directory_id: str, after: LogPosition | None, limit: int, wanted: LogFilter = EVERY_ENTRY
    ) -> LogPage:
        """Return entries behind a place, newest first. One storage request."""
        ...

    def place_at(self, moment: datetime) -> LogPosition:
        """Return the place behind all entries that are newer than a time."""
        ...

    async def forget(self, directory_id: str, before: datetime) -> int:
        """Delete the entries of a directory that are older, and return how many rows that were."""
        ...


def retention_limit(now: datetime) -> datetime:
    """Return the time before which entries are no longer kept."""
    return now - timedelta(days=RETENTION_DAYS)

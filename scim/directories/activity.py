"""What a directory has been asked: the first time of each step of its setup, and counts of ten minutes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from scim.directories.directory import Directory

Signal = Literal[
    "authenticated",
    "connection_tested",
    "user_created",
    "user_email",
    "user_updated",
    "group_created",
    "members_added",
    "cycle_seen",
]
"""A step of the setup, as the requests of the identity provider show it; ``user_email``: a user came with an e-mail."""

LOOK_BACK = timedelta(hours=1)
"""How far back health and cycles look."""
LOADS_KEPT = timedelta(hours=3)
"""Longer than anybody looks back: the rows lie between others that are read together."""
_BURST_GAP = timedelta(minutes=5)
_CYCLE = (timedelta(minutes=30), timedelta(minutes=50))


@dataclass(frozen=True, slots=True)
class Load:
    """The requests of ten minutes."""

    window: datetime
    first: datetime
    last: datetime
    requests: int = 0
    failures: int = 0

    def plus(self, moment: datetime, *, failed: bool) -> Load:
        """Return the load with one more request."""
        first, last = min(self.first, moment), max(self.last, moment)
        return Load(self.window, first, last, self.requests + 1, self.failures + failed)


@dataclass(frozen=True, slots=True)
class LastTimes:
    """When something happened last, to about a minute; None when that is not known."""

    request: datetime | None = None
    """A request that was let in."""
    success: datetime | None = None
    change: datetime | None = None
    """A user, a group or a membership changed."""
    old_token: datetime | None = None
    """A token was refused that had been valid before."""

    def later(self, after: LastTimes) -> LastTimes:
        """Return these times, with those of ``after`` where it has any."""
        return LastTimes(
            after.request or self.request,
            after.success or self.success,
            after.change or self.change,
            after.old_token or self.old_token,
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """A signal that was seen: when first, and on which user or group, empty for none."""

    time: datetime
    resource_id: str = ""


@dataclass(frozen=True, slots=True)
class DirectoryActivity:
    """What a directory has been asked of late."""

    loads: Sequence[Load] = ()
    """Those of the last hour; several of one window when several processes answered."""
    last: LastTimes = LastTimes()
    seen: Mapping[Signal, Seen] = field(default_factory=dict)
    uses: Mapping[str, datetime] = field(default_factory=dict)
    """When each version of its token was last used, to the minute."""


class ActivityStore(Protocol):
    """Keeps the activity of directories. Every method raises ``DirectoryStoreUnavailableError``."""

    async def record(self, directory_id: str, load: Load, last: LastTimes) -> None:
        """Keep the load of this process so far, unless the directory is gone; what is None of ``last`` stays."""
        ...

    async def mark_seen(self, directory_id: str, signal: Signal, seen: Seen) -> None:
        """Keep that a signal was seen, unless it was seen before or the directory is gone."""
        ...

    async def activity(self, directory_id: str, now: datetime) -> DirectoryActivity:
        """Return the activity of the last hour. One storage request."""
        ...

    async def with_directory(self, directory_id: str, now: datetime) -> tuple[Directory, DirectoryActivity] | None:
        """Return a directory and its activity, None where there is no such directory. One storage request."""
        ...

    async def forget(self, directory_id: str, before: datetime) -> int:
        """Delete loads that are older, and return how many rows that were."""
        ...


def window_of(moment: datetime) -> datetime:
    """Return the beginning of the ten minutes that a time lies in."""
    return moment.replace(minute=moment.minute // 10 * 10, second=0, microsecond=0)


def second_cycle(loads: Iterable[Load]) -> datetime | None:
    """Return when a scheduled cycle began: behind another burst of requests by 30 to 50 minutes; None without one.

    Entra ID begins a cycle every 40 minutes. Whoever tries something by hand does so at other distances.
    """
    begins: list[datetime] = []
    end: datetime | None = None
    for load in sorted(loads, key=lambda load: load.first):
        if end is None or load.first - end > _BURST_GAP:
            begins.append(load.first)
        end = load.last if end is None else max(end, load.last)
    shortest, longest = _CYCLE
    for index, begin in enumerate(begins):
        if any(shortest <= begin - earlier <= longest for earlier in begins[:index]):
            return begin
    return None

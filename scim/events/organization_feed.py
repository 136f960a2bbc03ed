"""All events of an organization: its own, and those of its directories, each feed in its order."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from scim.directories.directory import Directory
from scim.events.feed import FeedCursor, FeedPage

MAX_DIRECTORIES = 50
"""A cursor holds a position for each directory; beyond this, directories are read one by one."""
_AT_ONCE = 8
_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_OWN = re.compile(r"(\d{1,18})(?:@([0-9a-z]{1,16}))?", re.ASCII)


class TooManyDirectoriesError(Exception):
    """The organization has more directories than one cursor holds."""


class DirectoryFeed(Protocol):
    """Reads the events of a directory."""

    async def __call__(self, directory: Directory, after: FeedCursor, limit: int) -> FeedPage:
        """Return events behind a cursor.

        :raises CursorExpiredError: When they are no longer kept.
        """
        ...


class OwnFeed(Protocol):
    """Reads the events of an organization itself: of directories and tokens, not of users and groups."""

    async def __call__(self, organization_id: str, after: FeedCursor, limit: int) -> FeedPage:
        """Return events behind a cursor.

        :raises CursorExpiredError: When they are no longer kept.
        """
        ...


@dataclass(frozen=True, slots=True)
class OrganizationCursor:
    """A place in each feed of an organization."""

    own: FeedCursor = field(default_factory=FeedCursor)
    last: str = ""
    """The directory that gave the last event: the next page begins behind it, so that none waits for another."""
    positions: Mapping[str, FeedCursor] = field(default_factory=dict)

    def encoded(self) -> str:
        """Return the cursor as text."""
        places = (f"{each.removeprefix('dir_')}={place.encoded()}" for each, place in self.positions.items())
        own = f"@{self.own.generation}" if self.own.generation else ""
        return ",".join([f"{self.own.number}{own}", self.last.removeprefix("dir_"), *places])

    @classmethod
    def decoded(cls, text: str) -> OrganizationCursor | None:
        """Return the cursor of its text, the first one of an empty text, None when it is none."""
        first, _, rest = (text or "0,").partition(",")
        last, *places = rest.split(",")
        own, positions = _OWN.fullmatch(first), _positions(places)
        if own is None or positions is None or (last and not _ID.fullmatch(last)):
            return None
        return cls(FeedCursor(int(own[1]), 0, own[2] or ""), f"dir_{last}" if last else "", positions)


def _positions(places: Sequence[str]) -> dict[str, FeedCursor] | None:
    """Return the positions in directories of their texts, None when any is none or they are too many."""
    found: dict[str, FeedCursor] = {}
    for place in places:
        directory, _, text = place.partition("=")
        position = FeedCursor.decoded(text) if text and _ID.fullmatch(directory) else None
        if position is None:
            return None
        found[f"dir_{directory}"] = position
    return found if len(places) <= MAX_DIRECTORIES else None


@dataclass(frozen=True, slots=True)
class OrganizationPage:
    """Events, each with its directory, None for those of the organization itself; and where to go on."""

    events: Sequence[tuple[Directory | None, dict[str, Any]]]
    cursor: OrganizationCursor
    has_more: bool


@dataclass(frozen=True, slots=True)
class OrganizationEventReader:
    """Reads the feeds of an organization as one. Events of one directory come in their order."""

    own_feed: OwnFeed
    feed_of: DirectoryFeed

    async def read(
        self, organization_id: str, directories: Sequence[Directory], after: OrganizationCursor, limit: int
    ) -> OrganizationPage:
        """Return up to ``limit`` events behind a cursor: the organization's own first, then directory by directory.

        :param directories: The organization's directories; a cursor forgets those that are gone.
        :raises TooManyDirectoriesError: When they are more than 50.
        :raises CursorExpiredError: When events of any of them behind the cursor were deleted after 30 days.
        """
        if len(directories) > MAX_DIRECTORIES:
            raise TooManyDirectoriesError
        own = await self.own_feed(organization_id, after.own, limit)
        events: list[tuple[Directory | None, dict[str, Any]]] = [(None, event) for _, event in own.events]
        positions = {each.id: after.positions[each.id] for each in directories if each.id in after.positions}
        waiting, more, last = _in_turn(directories, after.last), own.has_more, after.last
        while waiting and len(events) < limit:
            now, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
            pages = await self._pages(now, positions, limit - len(events))
            for directory, page in zip(now, pages, strict=True):
                taken = page.events[: limit - len(events)]
                more = more or page.has_more or len(taken) < len(page.events)
                events += [(directory, event) for _, event in taken]
                if taken:
                    positions[directory.id], last = taken[-1][0], directory.id
                elif not page.events:
                    positions[directory.id] = page.end
        cursor = OrganizationCursor(own.end, last, positions)
        return OrganizationPage(events, cursor, has_more=more or bool(waiting))

    async def _pages(
        self, directories: Sequence[Directory], positions: Mapping[str, FeedCursor], limit: int
    ) -> Sequence[FeedPage]:
        reads = [self.feed_of(each, positions.get(each.id, FeedCursor()), limit) for each in directories]
        return await asyncio.gather(*reads)


def _in_turn(directories: Sequence[Directory], last: str) -> list[Directory]:
    """Return directories that can be read in the order of their ids, those behind the last one first."""
    readable = sorted((each for each in directories if each.deletion is None), key=lambda each: each.id)
    return [each for each in readable if each.id > last] + [each for each in readable if each.id <= last]

"""What pages about a directory need of storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from scim.directories.activity import DirectoryActivity
from scim.directories.directory import Directory
from scim.directories.health import Standing
from scim.events.feed import FeedCursor, FeedWindow
from scim.resources.identifiers import ResourceName
from scim.resources.summary import Summary, SummaryPage

SEARCHED_ROWS = 5_000
"""How many rows a search for a part of a text reads at most; users have one each, groups two."""


class DirectoryReading(Protocol):
    """Reads one directory for one page; what several parts of the page need is read once.

    Counts, page map and outbox are the *index*: one storage request for all methods together.
    Any method may raise ``StorageUnavailableError``.
    """

    @property
    def directory(self) -> Directory:
        """The directory as it was read."""
        ...

    @property
    def activity(self) -> DirectoryActivity:
        """What the directory was asked, as it was read with it."""
        ...

    async def standing(self) -> Standing:
        """Return all that the directory's health follows from. The index."""
        ...

    async def page(self, name: ResourceName, offset: int, count: int) -> SummaryPage:
        """Return a part of a list, in id order, with memberships counted. The index, and 2 storage requests."""
        ...

    async def find(self, name: ResourceName, text: str) -> SummaryPage | None:
        """Return all that have a part of a text; None where there are too many. The index, and at most 5."""
        ...

    async def named(self, name: ResourceName, ids: Sequence[str]) -> Mapping[str, Summary]:
        """Return the existing ones of some resources by id. One storage request where they lie close together."""
        ...

    async def events_before(self, place: FeedCursor | None, rows: int) -> FeedWindow:
        """Return events before a place, or the newest, out of so many feed rows; what waits is relayed first.

        The index and one storage request, and some when changes wait.
        """
        ...

    async def place_at(self, moment: datetime) -> FeedCursor:
        """Return the place before which the events up to a time lie. A storage request for each halving of the feed."""
        ...

    async def groups_of(self, user_id: str) -> Sequence[str]:
        """Return the ids of the groups that a user is in, at most 1,000. One storage request."""
        ...

    async def member_ids(self, group_id: str, after: str, limit: int) -> tuple[Sequence[str], str]:
        """Return ids of members behind one, and the id to go on behind, empty at the end. One storage request."""
        ...


class DirectoryReadings(Protocol):
    """Opens directories to be read for pages, and tells how they stand."""

    async def open(self, directory_id: str) -> DirectoryReading | None:
        """Return what reads a directory, None where there is none of this id. One storage request."""
        ...

    async def standing_of(self, directory: Directory) -> Standing:
        """Return all that the health of a directory just read follows from. 2 storage requests."""
        ...

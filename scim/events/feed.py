"""Reading the feed of a directory: cursors and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class CursorExpiredError(Exception):
    """Events behind the cursor were deleted after the retention, or the cursor is none of this feed."""


@dataclass(frozen=True, slots=True, order=True)
class FeedCursor:
    """A place in a feed: everything up to an event of a numbered row; index 0 means the whole row."""

    number: int = 0
    index: int = 0


@dataclass(frozen=True, slots=True)
class FeedWindow:
    """Events, newest first, each with its place: row and 1-based index."""

    events: Sequence[tuple[FeedCursor, dict[str, Any]]]
    end: FeedCursor | None
    """The place before which older ones lie, None where there are none."""


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Events in order, each with the cursor behind it, and whether there are more."""

    events: Sequence[tuple[FeedCursor, dict[str, Any]]]
    has_more: bool

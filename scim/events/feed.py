"""Reading the feed of a directory: cursors and pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_PLACE = re.compile(r"(\d{1,18})\.(\d{1,6})(?:@([0-9a-z]{1,16}))?", re.ASCII)
NO_FEED_YET = "none"
"""What a cursor names as its generation when its feed had none yet: nothing had happened."""


class CursorExpiredError(Exception):
    """Events behind the cursor were deleted after the retention, or the cursor is none of this feed's generation."""


@dataclass(frozen=True, slots=True, order=True)
class FeedCursor:
    """A place in a feed: everything up to an event of a numbered row; index 0 means the whole row.

    The cursor without anything in it is before all that is kept, wherever that begins.
    """

    number: int = 0
    index: int = 0
    generation: str = field(default="", compare=False)
    """The generation of the feed that the number is of; empty for a feed that never had one."""

    @property
    def is_start(self) -> bool:
        """Whether it is before all that is kept: then nothing before that is missed."""
        return not (self.number or self.index or self.generation)

    def encoded(self) -> str:
        """Return the place as text."""
        generation = f"@{self.generation}" if self.generation else ""
        return f"{self.number}.{self.index}{generation}"

    @classmethod
    def decoded(cls, text: str) -> FeedCursor | None:
        """Return the place of its text, the start for an empty one, None when it is none."""
        match = _PLACE.fullmatch(text or "0.0")
        return cls(int(match[1]), int(match[2]), match[3] or "") if match else None


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
    end: FeedCursor
    """Where to go on: behind the last event, or behind all that there was when there were none."""

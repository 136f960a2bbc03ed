"""The forms that the rows of a directory have had, and how a directory is brought from one to the next. Pure.

A directory's row says in which form its rows are, since every request reads that row and a creation reads no other.
A new format takes two releases: the first reads it, and the next one writes it. Then whoever goes back by one release
meets rows that it can read (docs/decisions/0040).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from scim.directories.staleness import MARGIN

WRITTEN_FORMAT: Final = 1
"""The form in which this version writes rows.

0: what was written before rows said their format. Documents may have no columns for lists, and what users are found
by no lookup row: their leading e-mail address, and what the directory calls matching.
1: documents have columns for lists, and every value that is looked up has its lookup row.
"""
LIST_COLUMNS_SINCE: Final = 1
"""From which format on every document has columns for lists."""
ALL_LOOKUPS_SINCE: Final = 1
"""From which format on every value that is looked up has its lookup row."""
READABLE_FORMATS: Final = range(WRITTEN_FORMAT + 1)
"""The forms that this version reads, serves and changes."""


@dataclass(frozen=True, slots=True)
class FormatUpgrade:
    """How far the rows of a directory are on their way to its format."""

    reached: int
    """The format that all of its rows have at least."""
    raised: datetime | None = None
    """A time by storage's clock at which the directory's row had the new format; None until that was noted."""
    after: str = ""
    """The last row of the step under way that is done."""
    rewritten: int = 0
    """How many rows were rewritten."""

    @property
    def not_before(self) -> datetime | None:
        """Return when rows may be rewritten: no process knows the directory's row as it was before any more."""
        return self.raised and self.raised + MARGIN

    def advanced(self, after: str, rewritten: int) -> FormatUpgrade:
        """Return the upgrade with more rows done; itself when another machine has done them."""
        return replace(self, after=after, rewritten=self.rewritten + rewritten) if after > self.after else self

    def stepped(self) -> FormatUpgrade:
        """Return the upgrade at the beginning of its next step."""
        return replace(self, reached=self.reached + 1, after="")

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that the directory's row holds."""
        return {
            "reached": self.reached,
            "raised": self.raised and self.raised.isoformat(),
            "after": self.after,
            "rewritten": self.rewritten,
        }

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> FormatUpgrade:
        """Return the upgrade of its JSON form."""
        raised = datetime.fromisoformat(form["raised"]) if form["raised"] else None
        return cls(form["reached"], raised, form["after"], form["rewritten"])

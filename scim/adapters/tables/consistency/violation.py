"""What can be wrong with the rows of a directory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal[
    "unknown_row",
    "unreadable_document",
    "missing_version",
    "missing_anchor",
    "orphaned_version",
    "orphaned_anchor",
    "wrong_active",
    "wrong_summary",
    "wrong_matching",
    "missing_lookup",
    "foreign_lookup",
    "duplicate_value",
    "half_membership",
    "dangling_membership",
    "wrong_count",
    "wrong_page_map",
    "wrong_member_count",
    "wrong_coverage",
    "not_derived",
    "feed_gap",
    "untold_resources",
    "restore_broke_off",
    "unlisted_directory",
    "listed_without_directory",
    "not_in_organization",
    "lost_organization",
    "unlisted_organization",
    "feed_beyond_head",
    "told_twice",
    "unreadable_index",
    "unreadable_events",
    "unfinished_of_existing_group",
    "late_outbox",
    "late_operation",
    "counted_during_writes",
    "incomplete",
    "older_format",
]

_WARNINGS: Final[frozenset[Kind]] = frozenset(
    {"late_outbox", "late_operation", "counted_during_writes", "incomplete", "older_format"},
)


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """One thing that is wrong: its kind, the row it is about, and a sentence with ids and hashes only."""

    kind: Kind
    key: str
    """The key of the row that is wrong, or that is missing."""
    sentence: str

    @property
    def is_warning(self) -> bool:
        """Whether the data are right, but late or not looked at in full."""
        return self.kind in _WARNINGS

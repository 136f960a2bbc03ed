"""What the commands found or did, as text for people and as JSON for programs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from scim.adapters.tables.consistency.violation import Violation
from scim.directories.row_format import WRITTEN_FORMAT

_MOST_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found, or a repair left and mended."""

    directory_id: str
    rows: int
    counts: Mapping[str, int]
    found: list[Violation]
    mended: list[Violation] | None = None
    """None when no repair was asked for."""

    @property
    def exit_code(self) -> int:
        """1 when something is wrong; a warning alone is not."""
        return int(any(not violation.is_warning for violation in self.found))

    def as_json(self) -> dict[str, Any]:
        """Return the result for programs."""
        result = {
            "directory_id": self.directory_id,
            "rows": self.rows,
            "counts": dict(self.counts),
            "violations": [asdict(violation) for violation in self.found if not violation.is_warning],
            "warnings": [asdict(violation) for violation in self.found if violation.is_warning],
        }
        return result if self.mended is None else {**result, "mended": [asdict(each) for each in self.mended]}

    def lines(self) -> Iterator[str]:
        """Yield the result for people."""
        counted = ", ".join(f"{count:,} {name}" for name, count in self.counts.items())
        yield f"{self.directory_id}: {self.rows:,} rows, {counted or 'no readable counts'}"
        if self.mended is not None:
            yield from _listed("mended", self.mended)
        yield from _listed("violations", [violation for violation in self.found if not violation.is_warning])
        yield from _listed("warnings", [violation for violation in self.found if violation.is_warning])


def _listed(title: str, violations: list[Violation]) -> Iterator[str]:
    yield f"{title}: {len(violations):,}" if violations else f"{title}: none"
    for violation in violations[:_MOST_SHOWN]:
        yield f"  {violation.kind}  {violation.key}  {violation.sentence}"
    if len(violations) > _MOST_SHOWN:
        yield f"  … and {len(violations) - _MOST_SHOWN:,} more; --json lists all"


@dataclass(frozen=True, slots=True)
class SeedResult:
    """What was stored."""

    directory_id: str
    users: int
    groups: Mapping[str, int]
    """The members of each group, by its id."""
    rows: int
    seconds: float
    is_counted: bool
    """Whether head and page map could be set to what there is; not while others kept writing."""
    token: str | None = field(default=None, repr=False)
    """The token of a directory that was created for it."""

    @property
    def exit_code(self) -> int:
        """1 when a repair has yet to set the counts."""
        return int(not self.is_counted)

    def as_json(self) -> dict[str, Any]:
        """Return the result for programs."""
        result = {**asdict(self), "rows_per_second": round(self.rows / self.seconds)}
        return {name: value for name, value in result.items() if value is not None}

    def lines(self) -> Iterator[str]:
        """Yield the result for people."""
        rate = round(self.rows / self.seconds)
        yield f"{self.directory_id}: {self.rows:,} rows in {self.seconds:.1f} s ({rate:,} rows/s)"
        yield f"users: {self.users:,}"
        yield from (f"group {group_id}: {members:,} members" for group_id, members in self.groups.items())
        if self.token:
            yield f"token: {self.token}"
        if not self.is_counted:
            yield "Others kept writing, so counts are not set yet: run check --repair."


@dataclass(frozen=True, slots=True)
class RelayResult:
    """What the relay moved."""

    directory_id: str
    relayed: int
    exit_code: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the result for programs."""
        return {"directory_id": self.directory_id, "relayed": self.relayed}

    def lines(self) -> Iterable[str]:
        """Return the result for people."""
        return [f"{self.directory_id}: {self.relayed:,} transactions relayed"]


@dataclass(frozen=True, slots=True)
class BackupResult:
    """What was copied."""

    file: str
    rows: Mapping[str, int]
    """By table."""
    begun: str
    ended: str
    exit_code: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the result for programs."""
        return {"file": self.file, "rows": dict(self.rows), "begun": self.begun, "ended": self.ended}

    def lines(self) -> Iterator[str]:
        """Yield the result for people."""
        yield f"{self.file}: {sum(self.rows.values()):,} rows, from {self.begun} to {self.ended}"
        yield from (f"{table}: {count:,}" for table, count in self.rows.items())


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What was missing and is back."""

    file: str
    restored: Mapping[str, int]
    """By table."""
    left_out: int
    """Rows of the copy that were not written: they are there, or their partition has gone on."""
    left_alone: Sequence[str]
    """Partitions that had rows, or were deleted on purpose."""
    begun: str
    ended: str
    """Between when the copy was made; empty in one of an earlier version."""
    directories: Sequence[str]
    """Those of which rows came back."""
    exit_code: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the result for programs."""
        shown = {"file": self.file, "restored": dict(self.restored), "left_out": self.left_out}
        times = {"copy_begun": self.begun, "copy_ended": self.ended}
        return {**shown, "left_alone": list(self.left_alone), **times, "directories": list(self.directories)}

    def lines(self) -> Iterator[str]:
        """Yield the result for people."""
        yield f"{sum(self.restored.values()):,} rows put back, {self.left_out:,} left out"
        yield from (f"{table}: {count:,}" for table, count in self.restored.items())
        if self.begun and self.ended:
            yield f"copy made from {self.begun} to {self.ended}"
        if self.directories:
            yield f"directories that came back: {len(self.directories):,}; run check --repair for each"
        yield from (f"has rows or was deleted, left alone: {each}" for each in self.left_alone[:_MOST_SHOWN])
        if len(self.left_alone) > _MOST_SHOWN:
            yield f"… and {len(self.left_alone) - _MOST_SHOWN:,} more; --json lists all"


@dataclass(frozen=True, slots=True)
class UpgradeResult:
    """What became of the directories."""

    upgraded: Sequence[str]
    """Those whose rows were brought to the newest format."""
    unchanged: int
    """How many had it."""
    rewritten: int
    """How many rows were rewritten."""
    refused: Mapping[str, str]
    """Those that a newer version wrote, each with the reason."""

    @property
    def exit_code(self) -> int:
        """1 when a directory could not be upgraded."""
        return int(bool(self.refused))

    def as_json(self) -> dict[str, Any]:
        """Return the result for programs."""
        return {
            "format": WRITTEN_FORMAT,
            "upgraded": list(self.upgraded),
            "unchanged": self.unchanged,
            "rewritten": self.rewritten,
            "refused": dict(self.refused),
        }

    def lines(self) -> Iterator[str]:
        """Yield the result for people."""
        yield f"format {WRITTEN_FORMAT}: {len(self.upgraded):,} directories upgraded, {self.unchanged:,} had it"
        yield f"rows rewritten: {self.rewritten:,}"
        yield from (f"not upgraded: {reason}" for reason in self.refused.values())


Result = CheckResult | UpgradeResult | SeedResult | RelayResult | BackupResult | RestoreResult

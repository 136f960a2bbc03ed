"""What a closer look at one thing finds, and what mends it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scim.adapters.tables.consistency.violation import Violation
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import Row, Write, merge

LOOKS: Final = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """A violation seen in one state of its rows, and the writes that mend it in that state and in no other.

    There are none where what would be right cannot be told from the rows, or where more than these rows is needed.
    """

    violation: Violation
    writes: Sequence[Write] = ()


def touch(row: Row) -> Write:
    """Return the write that changes nothing but the state of a row, and fails in another state than this."""
    return merge(row.key, {}, row.etag)


async def steady_rows(partition: Partition, wanted: Sequence[str]) -> dict[str, Row] | None:
    """Return the existing ones of some rows as they were at one moment, or None when they keep changing.

    Rows are read one by one: two looks in a row that see the same have seen one state.
    """
    rows = await partition.read_many(wanted)
    for _ in range(LOOKS):
        again = await partition.read_many(wanted)
        if _etags(again) == _etags(rows):
            return again
        rows = again
    return None


def _etags(rows: Mapping[str, Row]) -> dict[str, str]:
    return {key: row.etag for key, row in rows.items()}


def one_write_a_row(findings: Iterable[Finding]) -> list[Write]:
    """Return the writes of findings that were seen together as one transaction; a row touched twice is touched once."""
    writes: dict[str, Write] = {}
    for finding in findings:
        for write in finding.writes:
            if write.values or write.kind != "merge" or write.key not in writes:
                writes[write.key] = write
    return list(writes.values())

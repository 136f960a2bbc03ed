"""Mending what is wrong in a directory, where what would be right can be told from the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scim.adapters.tables.consistency.check import Examination, examine
from scim.adapters.tables.consistency.counts import Progress, no_progress, readable_index
from scim.adapters.tables.consistency.derived import recount_derived
from scim.adapters.tables.consistency.finding import one_write_a_row
from scim.adapters.tables.consistency.inspection import inspect
from scim.adapters.tables.consistency.recount import mend_index, recount
from scim.adapters.tables.consistency.retelling import retell
from scim.adapters.tables.consistency.violation import Violation
from scim.adapters.tables.partition import Partition, in_parallel
from scim.adapters.tables.relay import relay
from scim.adapters.tables.table import TransactionRefusedError
from scim.adapters.tables.unfinished import finish_operations
from scim.resources.attempts import Attempts

_ROUNDS: Final = 20
_CASES_AT_ONCE: Final = 500
_MENDED_BY_COUNTING: Final = (
    "wrong_count",
    "wrong_page_map",
    "unreadable_index",
    "feed_beyond_head",
    "counted_during_writes",
)
_MENDED_BY_DERIVING: Final = ("wrong_member_count", "wrong_coverage", "not_derived")


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair mended, and what is still wrong after it."""

    mended: list[Violation]
    """Without unreadable events: the relay only moves them into the feed."""
    left: list[Violation]
    rows: int
    """How many rows there are after it."""


async def repair_directory(partition: Partition, progress: Progress = no_progress) -> Repair:
    """Mend what is unambiguous in a directory, and return what was mended and what is left.

    Every step is one transaction that holds only in the state it was decided in, so that other writes may go on;
    what they came in between is decided anew.
    """
    found = await examine(partition, progress)
    seen = {_name(violation): violation for violation in found.violations}
    for _ in range(_ROUNDS):
        if not found.violations:
            break
        await _mend(partition, found, progress)
        before, found = found, await examine(partition, progress)
        seen = {_name(violation): violation for violation in found.violations} | seen
        if found.violations == before.violations:
            break
    if not found.violations:
        await retell(partition)  # Where nothing was wrong it is noted that events and rows agree.
    left = {_name(violation) for violation in found.violations}
    mended = [seen[name] for name in seen.keys() - left if seen[name].kind != "unreadable_events"]
    return Repair(sorted(mended), found.violations, found.rows)


def _name(violation: Violation) -> tuple[str, str]:
    return violation.kind, violation.key


async def _mend(partition: Partition, found: Examination, progress: Progress) -> None:
    resources = [case for case in found.cases if case.startswith(("u|", "g|"))]
    others = [case for case in found.cases if not case.startswith(("u|", "g|"))]
    for cases in (resources, others):  # A membership is completed by way of anchors, which its resources must have.
        await _mend_cases(partition, cases, progress)
    await mend_index(partition, found.last_number)
    if await readable_index(partition) is None:
        return
    await relay(partition)
    if await finish_operations(partition):
        await relay(partition)
    if any(violation.kind in _MENDED_BY_COUNTING for violation in found.violations):
        await recount(partition, progress)
    if any(violation.kind in _MENDED_BY_DERIVING for violation in found.violations):
        await recount_derived(partition)
    await retell(partition)


async def _mend_cases(partition: Partition, cases: Sequence[str], progress: Progress) -> None:
    for start in range(0, len(cases), _CASES_AT_ONCE):
        part = cases[start : start + _CASES_AT_ONCE]
        await in_parallel(part, lambda case: _mend_case(partition, case))
        progress("mending", start + len(part))


async def _mend_case(partition: Partition, case: str) -> None:
    """Mend what a closer look finds, looking again when the transaction finds another state."""
    async for _ in Attempts():
        writes = one_write_a_row(await inspect(partition, case))
        if not writes:
            return
        try:
            await partition.commit(writes)
        except TransactionRefusedError:
            continue
        return

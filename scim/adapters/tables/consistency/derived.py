"""Checking and setting anew what is derived from the feed: member counts and coverage. Histories are what was told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from scim.adapters.tables import keys
from scim.adapters.tables.consistency.readable import readable_document
from scim.adapters.tables.consistency.row_kind import kind_of
from scim.adapters.tables.consistency.violation import Violation
from scim.adapters.tables.derived_rows import (
    RESOURCE_NAMES,
    UNREADABLE,
    DerivedState,
    coverage_writes,
    mark_write,
    members_in,
    read_state,
)
from scim.adapters.tables.directory_index import read_index
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.relay import relay
from scim.adapters.tables.table import TransactionRefusedError, Write, delete, insert, replace
from scim.resources.attribute_coverage import MAX_PATHS, Coverage, covered
from scim.resources.identifiers import ResourceName

_ATTEMPTS: Final = 5
_COUNTS_AT_ONCE: Final = 90


@dataclass(frozen=True, slots=True)
class Derived:
    """What was counted of a directory, as of a number of its feed."""

    number: int
    members: Mapping[str, int]
    coverage: Mapping[ResourceName, Coverage]


async def derived_violations(partition: Partition) -> list[Violation]:
    """Return what is wrong with member counts and coverage; nothing is told of them while changes wait or go on."""
    state = await read_state(partition)
    if await _is_stuck(partition, state):
        return [Violation("not_derived", keys.DERIVED, "The feed does not go on behind what was derived last.")]
    if (state.number, state.index) != (await _settled_number(partition), 0):
        return []
    counted = await _count(partition)
    if counted is None or counted.number != state.number:
        return []
    stored = await _stored_counts(partition)
    said, there = stored.items(), counted.members.items()
    wrong = sorted({group_id for group_id, _ in said ^ there})
    return [
        *(_wrong_count(group_id, stored.get(group_id), counted.members.get(group_id)) for group_id in wrong),
        *(_wrong_coverage(name) for name in RESOURCE_NAMES if _differs(name, state, counted)),
    ]


def _wrong_count(group_id: str, said: int | None, there: int | None) -> Violation:
    sentence = f"The group's count says {said} members; there are {there}."
    return Violation("wrong_member_count", keys.member_count(group_id), sentence)


def _wrong_coverage(name: ResourceName) -> Violation:
    sentence = f"The coverage of {name}s counts other paths or other numbers than there are."
    return Violation("wrong_coverage", keys.coverage(name), sentence)


def _differs(name: ResourceName, state: DerivedState, counted: Derived) -> bool:
    said, there = state.coverage.get(name, {}), counted.coverage.get(name, {})
    if len(there) >= MAX_PATHS or len(said) >= MAX_PATHS:
        return False  # Which paths are counted depends on their order.
    return {path: known.count for path, known in said.items()} != {path: known.count for path, known in there.items()}


async def _is_stuck(partition: Partition, state: DerivedState) -> bool:
    """Tell whether the feed does not go on behind the mark; the head is read between, so that a relay changes nothing.

    A mark is never beyond a head that was read after it, and rows up to a head that was read before them are there.
    """
    head = await partition.read(keys.HEAD, select=("number",))
    number = int(str(head.values.get("number", 0))) if head else 0
    page = await partition.first_rows((keys.feed(state.number + 1), keys.FEED_END), 1)
    if page.rows:
        return page.rows[0].key != keys.feed(state.number + 1)
    return state.number != number


async def _settled_number(partition: Partition) -> int | None:
    """Return the feed's last number when nothing waits to be relayed or finished, else None."""
    index = await read_index(partition)
    unfinished = await partition.first_rows((keys.UNFINISHED_FIRST, keys.UNFINISHED_END), 1)
    return None if index.outbox or unfinished.rows else index.number


async def _count(partition: Partition) -> Derived | None:
    """Return what there is, or None when it changed while it was counted."""
    number = await _settled_number(partition)
    if number is None:
        return None
    members = {group_id: count async for group_id, count in _members(partition)}
    coverage = {name: await _coverage(partition, name) for name in RESOURCE_NAMES}
    return Derived(number, members, coverage) if await _settled_number(partition) == number else None


async def _members(partition: Partition) -> AsyncIterator[tuple[str, int]]:
    """Yield each group with the number of its members; both kinds of rows are read once, in the order of groups."""
    rows = partition.rows(("m|", "m}"), select=("RowKey",))
    current = await anext(rows, None)
    async for row in partition.rows(keys.document_range("Group"), select=("RowKey",)):
        if kind_of(row.key) != "group":
            continue
        count, (first, end) = 0, keys.member_range(keys.last_id(row.key))
        while current is not None and current.key < end:
            count += current.key >= first
            current = await anext(rows, None)
        yield keys.last_id(row.key), count


async def _coverage(partition: Partition, name: ResourceName) -> Coverage:
    coverage: Coverage = {}
    async for row in partition.rows(keys.document_range(name)):
        document = readable_document(name, row) if kind_of(row.key) in ("user", "group") else None
        if document is not None:
            coverage = covered(coverage, {}, document, f"{str(row.values['modified'])[:13]}:00:00Z")
    return coverage


async def _stored_counts(partition: Partition) -> dict[str, int]:
    rows = partition.rows((keys.MEMBER_COUNTS_FIRST, keys.MEMBER_COUNTS_END))
    counts = {keys.last_id(row.key): members_in(row) async for row in rows}
    return {group_id: UNREADABLE if count is None else count for group_id, count in counts.items()}


async def recount_derived(partition: Partition, *, attempts: int = _ATTEMPTS) -> bool:
    """Set member counts and coverage to what there is; return whether that could be done: not while writes go on.

    Each transaction moves the mark in the state in which it was read, so it holds only while nobody else derives.
    """
    for _ in range(attempts):
        await relay(partition)
        state, counted = await read_state(partition), await _count(partition)
        if counted is not None and await _store(partition, state, counted):
            return True
    return False


async def _store(partition: Partition, state: DerivedState, counted: Derived) -> bool:
    writes = list(_count_writes(await _stored_counts(partition), counted.members))
    coverage = {name: known for name, known in counted.coverage.items() if _differs(name, state, counted)}
    if not writes and not coverage and (state.number, state.index) == (counted.number, 0):
        return True
    try:
        for start in range(0, max(1, len(writes)), _COUNTS_AT_ONCE):
            part = writes[start : start + _COUNTS_AT_ONCE]
            mark = mark_write(state, number=counted.number)
            await partition.commit([mark, *coverage_writes(state, coverage), *part])
            state = await read_state(partition)
    except TransactionRefusedError:
        return False
    return True


def _count_writes(stored: Mapping[str, int], counted: Mapping[str, int]) -> Iterable[Write]:
    for group_id in sorted(stored.keys() | counted.keys()):
        key, count = keys.member_count(group_id), counted.get(group_id)
        if count is None:
            yield delete(key)
        elif group_id not in stored:
            yield insert(key, {"members": count})
        elif stored[group_id] != count:
            yield replace(key, {"members": count}, "*")

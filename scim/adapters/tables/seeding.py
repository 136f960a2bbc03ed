"""Filling a directory fast, for measurements: rows as the service writes them, without events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from scim.adapters.tables import keys
from scim.adapters.tables.groups import group_inserts
from scim.adapters.tables.large_groups import STAGING
from scim.adapters.tables.memberships import Members, member_writes
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import MAX_TRANSACTION_WRITES, RowExistsError, Write, delete, insert
from scim.adapters.tables.users import user_inserts
from scim.resources.identifiers import begin_operation
from scim.resources.membership import Member

_AT_ONCE: Final = 8
_MEMBERS_PER_TRANSACTION: Final = MAX_TRANSACTION_WRITES // 2

Written = Callable[[int], None]
"""Told how many rows a transaction wrote."""


async def seed_users(partition: Partition, documents: Iterable[dict[str, Any]], written: Written) -> None:
    """Store new users with everything that belongs to them, except events; counts are to be set afterwards.

    :raises RowExistsError: When a userName is taken.
    """
    inserts = (user_inserts(document, begin_operation(), partition.attributes) for document in documents)
    await _insert_all(partition, _transactions(inserts), written)


async def seed_group(
    partition: Partition, document: dict[str, Any], member_ids: Sequence[str], written: Written
) -> None:
    """Store a new group with any number of existing members, except events; counts are to be set afterwards.

    Until it is complete, readers do not see it, and the sweep removes what a crash leaves of it.

    :raises RowExistsError: When its name is taken.
    """
    group_id, operation = str(document["id"]), begin_operation()
    mark = keys.unfinished(group_id)
    await partition.commit([insert(mark, {"kind": STAGING, "time": operation.time})])
    await _insert_all(partition, _membership_inserts(group_id, member_ids), written)
    inserts = group_inserts(document, operation)
    await partition.commit([*inserts, delete(mark)])
    written(len(inserts))


def _membership_inserts(group_id: str, member_ids: Sequence[str]) -> Iterator[list[Write]]:
    for start in range(0, len(member_ids), _MEMBERS_PER_TRANSACTION):
        part = [Member(member_id) for member_id in member_ids[start : start + _MEMBERS_PER_TRANSACTION]]
        # Touching the anchors would guard against deleting the members meanwhile, which nobody does to seeded ones.
        yield [write for write in member_writes(group_id, Members(part)) if write.kind == "insert"]


def _transactions(inserts: Iterable[list[Write]]) -> Iterator[list[Write]]:
    """Yield the writes of several resources together, as many as fit a transaction."""
    together: list[Write] = []
    for writes in inserts:
        if len(together) + len(writes) > MAX_TRANSACTION_WRITES:
            yield together
            together = []
        together += writes
    if together:
        yield together


async def _insert_all(partition: Partition, transactions: Iterable[list[Write]], written: Written) -> None:
    remaining = iter(transactions)

    async def work() -> None:
        for writes in remaining:
            await _insert(partition, writes)
            written(len(writes))

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))


async def _insert(partition: Partition, writes: Sequence[Write]) -> None:
    try:
        await partition.commit(writes)
    except RowExistsError as refused:
        if not refused.uncertain or not await _is_ours(partition, writes):
            raise


async def _is_ours(partition: Partition, writes: Sequence[Write]) -> bool:
    """Tell whether a transaction of new ids was stored by an earlier attempt, whose answer was lost."""
    return await partition.read(writes[-1].key) is not None

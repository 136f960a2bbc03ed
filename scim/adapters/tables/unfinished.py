"""Operations of several transactions that are under way or were left by a crash: hidden from readers, and finished."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from math import inf

from scim.adapters.tables import keys
from scim.adapters.tables.deletions import CLEARING, LEAVING, delete_user, leave_groups
from scim.adapters.tables.large_groups import ANNOUNCING, STAGING, announce_members
from scim.adapters.tables.memberships import membership_removal
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import Row, RowMissingError, TransactionRefusedError, delete, merge
from scim.adapters.tables.users import read_user
from scim.resources.attempts import Attempts
from scim.resources.errors import LostRaceError, ResourceMissingError
from scim.resources.values import parse_datetime

PATIENCE = {CLEARING: 0, ANNOUNCING: 120, LEAVING: 120, STAGING: 600}
"""Seconds after which an operation counts as left by a crash: a request has 20 s, and clocks differ."""
_MEMBERSHIPS_PER_STEP = 45


async def hidden_groups(partition: Partition) -> frozenset[str]:
    """Return the groups that are not there yet or not there any more, but have membership rows. One storage request."""
    return frozenset(
        [
            keys.last_id(row.key)
            async for row in partition.rows((keys.UNFINISHED_FIRST, keys.UNFINISHED_END))
            if row.values["kind"] in (STAGING, CLEARING)
        ]
    )


async def visible_groups(partition: Partition, group_ids: Iterable[str]) -> list[str]:
    """Return the ids without those of hidden groups. No storage request when there are none."""
    listed = list(group_ids)
    if not any(group_id.startswith("grp_") for group_id in listed):
        return listed
    hidden = await hidden_groups(partition)
    return [group_id for group_id in listed if group_id not in hidden]


async def finish_operations(partition: Partition) -> list[str]:
    """Finish what deletions left to the background and what crashes left half done; return the resources concerned.

    Safe to run on several machines at once, and to stop at any point.
    """
    finished = []
    async for row in partition.rows((keys.UNFINISHED_FIRST, keys.UNFINISHED_END)):
        # One of an unknown kind is left to the later version of this service that began it.
        if age(row) >= PATIENCE.get(str(row.values["kind"]), inf):
            await _finish(partition, row)
            finished.append(keys.last_id(row.key))
    return finished


def age(row: Row) -> float:
    """Return the seconds since an unfinished operation began."""
    started = parse_datetime(str(row.values["time"]))
    return (datetime.now(UTC) - started).total_seconds() if started else 0.0


async def _finish(partition: Partition, row: Row) -> None:
    resource_id, kind = keys.last_id(row.key), row.values["kind"]
    if kind == ANNOUNCING:
        await announce_members(partition, resource_id)
    elif kind == LEAVING:
        await _finish_leaving(partition, row)
    elif await _take(partition, row) and await _clear(partition, resource_id):
        await _forget(partition, row.key, CLEARING)


async def _finish_leaving(partition: Partition, row: Row) -> None:
    user = await read_user(partition, keys.last_id(row.key))
    if user is not None:
        try:
            await delete_user(partition, user)
        except (LostRaceError, ResourceMissingError):
            return  # Another request is at it; what it leaves is found by the next sweep.
    await _forget(partition, row.key, LEAVING)


async def _take(partition: Partition, row: Row) -> bool:
    """Make sure that a hidden group never comes to be seen; return False when whoever makes it went on meanwhile.

    Its age alone does not say that its maker is gone: clocks differ.
    """
    if row.values["kind"] == STAGING:
        try:
            await partition.commit([merge(row.key, {"kind": CLEARING}, row.etag)])
        except TransactionRefusedError:  # Perhaps by our own write, whose answer was lost.
            mark = await partition.read(row.key, select=("kind",))
            return mark is not None and mark.values["kind"] == CLEARING
    return True


async def _forget(partition: Partition, mark: str, kind: str) -> None:
    """Take the mark from what is finished; its state may have changed, since whoever relies on it touches it."""
    async for _ in Attempts():
        row = await partition.read(mark)
        if row is None or row.values["kind"] != kind:
            return
        try:
            await partition.commit([delete(row.key, row.etag)])
        except TransactionRefusedError:
            continue
        return


async def _clear(partition: Partition, group_id: str) -> bool:
    """Remove a hidden group's memberships: of its members, and of itself in other groups. Return whether all are gone.

    What cannot be removed now stays hidden, since the group stays marked, until the next sweep.
    """
    is_clear = True
    async for member_ids in _batches(partition, keys.member_range(group_id), _MEMBERSHIPS_PER_STEP):
        is_clear &= await _remove_memberships(partition, group_id, member_ids)
    async for _ in Attempts():
        parents = [keys.last_id(row.key) async for row in partition.rows(keys.group_range_of(group_id))]
        if not parents:
            return is_clear
        await leave_groups(partition, group_id, parents)
    return False


async def _batches(partition: Partition, key_range: tuple[str, str], size: int) -> AsyncIterator[list[str]]:
    batch: list[str] = []
    async for row in partition.rows(key_range, select=("RowKey",)):
        batch.append(keys.last_id(row.key))
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


async def _remove_memberships(partition: Partition, group_id: str, member_ids: list[str]) -> bool:
    async for _ in Attempts():
        writes = [write for member_id in member_ids for write in membership_removal(group_id, member_id)]
        if not writes:
            return True
        try:
            await partition.commit(writes)
        except RowMissingError:  # A deleted user took its membership along.
            found = await partition.read_many([keys.membership(group_id, m) for m in member_ids])
            member_ids = [keys.last_id(key) for key in found]
        except TransactionRefusedError:
            continue
        else:
            return True
    return False

"""Deleting users and groups: free at once, the rows of many memberships removed step by step."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from scim.adapters.tables import keys
from scim.adapters.tables.groups import read_group
from scim.adapters.tables.large_groups import announce_members
from scim.adapters.tables.memberships import membership_removal, version_merge
from scim.adapters.tables.outbox import Tally, outbox_insert
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import Row, RowExistsError, TransactionRefusedError, Write, delete, insert
from scim.adapters.tables.users import read_user, user_removal
from scim.events.event import Event
from scim.events.resource_events import deleted_events, membership_events
from scim.resources.errors import LostRaceError, ResourceMissingError
from scim.resources.identifiers import Operation, begin_operation
from scim.resources.stored_document import StoredDocument

LEAVING, CLEARING = "user_leaving", "group_clearing"
GROUPS_PER_DELETION = 20
_GROUPS_PER_STEP = 30
_ATTEMPTS = 8


async def delete_user(partition: Partition, user: StoredDocument) -> None:
    """Delete a user and take it out of its groups; up to 20 of them in one transaction. 2 storage requests.

    The anchor's state guards the transaction, so a membership added meanwhile makes it look again.

    :param user: The user as read.
    :raises LostRaceError: When the user changed since it was read, or memberships kept coming.
    :raises ResourceMissingError: When another request deleted it.
    """
    for attempt in range(_ATTEMPTS):
        anchor, group_ids = await _memberships(partition, user.id)
        if anchor is None:
            raise ResourceMissingError(user.id)
        if len(group_ids) > GROUPS_PER_DELETION:
            await _begin_leaving(partition, user.id)
            await leave_groups(partition, user.id, group_ids[GROUPS_PER_DELETION:])
            continue
        if await _commit_deletion(partition, user, anchor.etag, group_ids):
            return
        await asyncio.sleep(random.uniform(0.005, 0.02) * 2**attempt)  # noqa: S311 - jitter, not a secret
        await _require_unchanged(partition, user)
    raise LostRaceError


async def _memberships(partition: Partition, resource_id: str) -> tuple[Row | None, list[str]]:
    rows = [row async for row in partition.rows(keys.anchor_range(resource_id))]
    anchor = next((row for row in rows if row.key == keys.anchor(resource_id)), None)
    return anchor, [keys.last_id(row.key) for row in rows if row is not anchor]


async def _begin_leaving(partition: Partition, user_id: str) -> None:
    row = {"kind": LEAVING, "time": begin_operation().time}
    try:
        await partition.commit([insert(keys.unfinished(user_id), row)])
    except RowExistsError:
        return  # A repeated DELETE goes on where the first one stopped.


async def leave_groups(partition: Partition, member_id: str, group_ids: Sequence[str]) -> None:
    """Remove memberships in steps of 30, each with its events."""
    operation = begin_operation()
    for start in range(0, len(group_ids), _GROUPS_PER_STEP):
        step = group_ids[start : start + _GROUPS_PER_STEP]
        existing = await _existing_groups(partition, step)
        writes = _leaving_writes(member_id, step, existing, operation)
        events = [event for group_id in existing for event in membership_events(group_id, (), [member_id])]
        try:
            await partition.commit([*writes, outbox_insert(partition, operation, events, Tally())])
        except TransactionRefusedError:
            return  # Someone else changed these memberships: the caller reads them again.
        operation = begin_operation(after=operation.id)


async def _existing_groups(partition: Partition, group_ids: Sequence[str]) -> list[str]:
    """Return the groups that are not deleted: memberships of deleted ones linger until the background removes them."""
    versions = [keys.group_version(group_id) for group_id in group_ids]
    found = await partition.read_many(versions, select=("version",))
    return [group_id for group_id in group_ids if keys.group_version(group_id) in found]


def _leaving_writes(
    member_id: str, group_ids: Sequence[str], existing: Sequence[str], operation: Operation
) -> list[Write]:
    writes = [version_merge(group_id, operation) for group_id in existing]
    for group_id in group_ids:
        writes += membership_removal(group_id, member_id)
    return writes


async def _commit_deletion(
    partition: Partition, user: StoredDocument, anchor_etag: str, group_ids: Sequence[str]
) -> bool:
    """Return whether the user is deleted; false when its memberships changed meanwhile."""
    existing = await _existing_groups(partition, group_ids) if group_ids else []
    operation = begin_operation(after=user.version)
    events = [event for group_id in existing for event in membership_events(group_id, (), [user.id])]
    events += deleted_events("User", user.document())
    writes = [
        *user_removal(partition, user, anchor_etag, operation, events),
        *_leaving_writes(user.id, group_ids, existing, operation),
    ]
    try:
        await partition.commit([*writes, *await _unfinished_removal(partition, user.id, group_ids)])
    except TransactionRefusedError as refused:
        # A delete that finds nothing after a lost answer succeeded.
        return refused.uncertain and await partition.read(keys.anchor(user.id)) is None
    return True


async def _unfinished_removal(partition: Partition, user_id: str, group_ids: Sequence[str]) -> list[Write]:
    """Return the write that ends the leaving of many groups; only a user with memberships can be under way."""
    if not group_ids or await partition.read(keys.unfinished(user_id)) is None:
        return []
    return [delete(keys.unfinished(user_id))]


async def _require_unchanged(partition: Partition, user: StoredDocument) -> None:
    current = await read_user(partition, user.id)
    if current is None:
        raise ResourceMissingError(user.id)
    if current.etag != user.etag:
        raise LostRaceError


async def delete_group(partition: Partition, group: StoredDocument, *, guarded: bool) -> None:
    """Delete a group in one transaction, whatever its size: its name is free at once. 1 storage request.

    Membership rows go in the background; readers hide groups that are marked unfinished.

    :param group: The group as read; its members must be unchanged too when ``guarded``.
    :raises LostRaceError: When it changed since it was read.
    """
    if await _commit_group_deletion(partition, group, guarded=guarded):
        return
    await announce_members(partition, group.id)
    if not await _commit_group_deletion(partition, group, guarded=guarded):
        raise LostRaceError


async def _commit_group_deletion(partition: Partition, group: StoredDocument, *, guarded: bool) -> bool:
    """Return whether the group is deleted; false while its creation is still being announced."""
    operation, document = begin_operation(after=group.version), group.document()
    events: list[Event] = deleted_events("Group", document)
    writes = [
        delete(keys.document(group.id), group.etag),
        delete(keys.group_version(group.id), group.members_etag if guarded else "*"),
        delete(keys.anchor(group.id)),
        *(delete(key) for key in keys.lookups("Group", group.id, document)),
        insert(keys.unfinished(group.id), {"kind": CLEARING, "time": operation.time}),
        outbox_insert(partition, operation, events, Tally(groups=-1, deleted=group.id)),
    ]
    try:
        await partition.commit(writes)
    except TransactionRefusedError as refused:
        if refused.uncertain and await read_group(partition, group.id) is None:
            return True
        if writes[refused.index].key == keys.unfinished(group.id):
            return False
        raise LostRaceError from refused
    return True

"""Deleting users and groups: free at once, the rows of many memberships removed step by step."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from scim.adapters.tables import keys
from scim.adapters.tables.large_groups import STAGING, announce_members
from scim.adapters.tables.memberships import membership_removal, version_merge
from scim.adapters.tables.outbox import Tally, outbox_insert
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import (
    Row,
    RowExistsError,
    TransactionRefusedError,
    Write,
    delete,
    insert,
    merge,
)
from scim.adapters.tables.users import read_user, user_removal
from scim.events.event import Event
from scim.events.resource_events import deleted_events, membership_events
from scim.resources.attempts import Attempts
from scim.resources.errors import LostRaceError, ResourceMissingError, StorageUnavailableError
from scim.resources.identifiers import Operation, begin_operation
from scim.resources.stored_document import StoredDocument

LEAVING, CLEARING = "user_leaving", "group_clearing"
GROUPS_PER_DELETION = 20
_GROUPS_PER_STEP = 30


async def delete_user(partition: Partition, user: StoredDocument) -> None:
    """Delete a user and take it out of its groups; up to 20 of them in one transaction. 2 storage requests.

    The anchor's state guards the transaction, so a membership added meanwhile makes it look again. Once the first of
    many groups is left there is no way back: the user is deleted, even when another request changes it meanwhile.

    :param user: The user as read.
    :raises LostRaceError: When the user changed since it was read, or memberships kept coming.
    :raises ResourceMissingError: When another request deleted it.
    :raises StorageUnavailableError: Also when memberships kept coming after groups were left.
    """
    leaving = False
    async for _ in Attempts():
        anchor, group_ids = await _memberships(partition, user.id)
        if anchor is None:
            _require_begun(user.id, begun=leaving)
            return
        if len(group_ids) > GROUPS_PER_DELETION:
            if not leaving:
                user, leaving = await _begin_leaving(partition, user), True
            await leave_groups(partition, user.id, group_ids[GROUPS_PER_DELETION:])
            continue
        if await _commit_deletion(partition, user, anchor.etag, group_ids):
            return
        current = await read_user(partition, user.id)
        if current is None:
            _require_begun(user.id, begun=leaving)
            return
        if current.etag != user.etag and not leaving:
            raise LostRaceError
        user = current
    raise StorageUnavailableError("memberships kept coming", retry_after=1) if leaving else LostRaceError()


def _require_begun(user_id: str, *, begun: bool) -> None:
    """Accept that a user is gone when its deletion was begun here: whoever ended it did what was asked for."""
    if not begun:
        raise ResourceMissingError(user_id)


async def _memberships(partition: Partition, resource_id: str) -> tuple[Row | None, list[str]]:
    rows = [row async for row in partition.rows(keys.anchor_range(resource_id))]
    anchor = next((row for row in rows if row.key == keys.anchor(resource_id)), None)
    return anchor, [keys.last_id(row.key) for row in rows if row is not anchor]


async def _begin_leaving(partition: Partition, user: StoredDocument) -> StoredDocument:
    """Mark a user as being deleted, if it is still as it was read, and return it in its new state."""
    mark = insert(keys.unfinished(user.id), {"kind": LEAVING, "time": begin_operation().time})
    try:
        etags = await partition.commit([mark, merge(keys.document(user.id), {}, user.etag)])
    except RowExistsError:
        return user  # A repeated DELETE goes on where the first one stopped.
    except TransactionRefusedError as refused:
        raise LostRaceError from refused
    return dataclasses.replace(user, etag=etags[1])


async def leave_groups(partition: Partition, member_id: str, group_ids: Sequence[str]) -> None:
    """Remove memberships in steps of 30, each with its events."""
    for start in range(0, len(group_ids), _GROUPS_PER_STEP):
        operation = begin_operation()
        departure = await _departure(partition, member_id, group_ids[start : start + _GROUPS_PER_STEP], operation)
        outbox = outbox_insert(partition, operation, departure.events, Tally())
        try:
            await partition.commit([*departure.writes, outbox])
        except TransactionRefusedError:
            return  # Someone else changed these memberships: the caller reads them again.


@dataclass(frozen=True, slots=True)
class _Departure:
    """What takes a member out of groups: the writes, and the events of those groups that readers see."""

    writes: Sequence[Write]
    events: Sequence[Event]


async def _departure(
    partition: Partition, member_id: str, group_ids: Sequence[str], operation: Operation
) -> _Departure:
    existing, guards = await _existing_groups(partition, group_ids)
    writes = [*(version_merge(group_id, operation) for group_id in existing), *guards]
    for group_id in group_ids:
        writes += membership_removal(group_id, member_id)
    return _Departure(
        writes, [event for group_id in existing for event in membership_events(group_id, (), [member_id])]
    )


async def _existing_groups(partition: Partition, group_ids: Sequence[str]) -> tuple[list[str], list[Write]]:
    """Return the groups that readers see, and the writes that fail when one of the others has come to be seen.

    Memberships of deleted groups linger until the background removes them; those of a large new group are staged
    before it is there. One storage request for each group, and two for each that is not seen.
    """
    existing = await _with_version(partition, group_ids)
    others = [group_id for group_id in group_ids if group_id not in existing]
    marks = await partition.read_many([keys.unfinished(group_id) for group_id in others])
    staged = [row for row in marks.values() if row.values["kind"] == STAGING]
    unseen = {keys.last_id(row.key) for row in marks.values() if row.values["kind"] in (STAGING, CLEARING)}
    existing |= await _with_version(partition, [group_id for group_id in others if group_id not in unseen])
    return [group_id for group_id in group_ids if group_id in existing], [
        merge(row.key, {}, row.etag) for row in staged
    ]


async def _with_version(partition: Partition, group_ids: Sequence[str]) -> set[str]:
    found = await partition.read_many([keys.group_version(group_id) for group_id in group_ids], select=("version",))
    return {group_id for group_id in group_ids if keys.group_version(group_id) in found}


async def _commit_deletion(
    partition: Partition, user: StoredDocument, anchor_etag: str, group_ids: Sequence[str]
) -> bool:
    """Return whether the user is deleted; false when its memberships changed meanwhile."""
    operation = begin_operation(after=user.version)
    departure = await _departure(partition, user.id, group_ids, operation)
    events = [*departure.events, *deleted_events("User", user.document())]
    writes = [*await user_removal(partition, user, anchor_etag, operation, events), *departure.writes]
    try:
        await partition.commit([*writes, *await _unfinished_removal(partition, user.id, group_ids)])
    except TransactionRefusedError:
        return False
    return True


async def _unfinished_removal(partition: Partition, user_id: str, group_ids: Sequence[str]) -> list[Write]:
    """Return the write that ends the leaving of many groups; only a user with memberships can be under way."""
    if not group_ids or await partition.read(keys.unfinished(user_id)) is None:
        return []
    return [delete(keys.unfinished(user_id))]


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
        if writes[refused.index].key == keys.unfinished(group.id):
            return False
        raise LostRaceError from refused
    return True

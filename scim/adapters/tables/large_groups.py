"""A new group of more members than one transaction holds: staged under an id nobody knows, then made known at once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from scim.adapters.tables import keys
from scim.adapters.tables.groups import commit_create, group_inserts
from scim.adapters.tables.memberships import Members, member_writes, require_members, unknown_member_of
from scim.adapters.tables.outbox import Tally, outbox_insert
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import (
    Row,
    RowChangedError,
    RowExistsError,
    TransactionRefusedError,
    Write,
    delete,
    insert,
    merge,
)
from scim.events.resource_events import created_events, membership_events
from scim.resources.attempts import Attempts
from scim.resources.errors import LostRaceError, StorageUnavailableError, UnknownMembersError, ValueTakenError
from scim.resources.identifiers import Operation, begin_operation
from scim.resources.membership import Member
from scim.resources.stored_document import StoredDocument

STAGING, ANNOUNCING = "group_staging", "group_announcing"
_EVENTS_PER_ROW = 500

_log = logging.getLogger("scim.large_groups")


async def create_large_group(
    partition: Partition, document: dict[str, Any], members: Sequence[Member], operation: Operation
) -> StoredDocument:
    """Store a new group with any number of members and return it: it appears whole or not at all.

    The events of the first 500 members are stored with it; the others follow, and a crash in between is finished by
    the sweep. Doing it again with the same document goes on where it stopped: nobody else knows the id.

    :raises ValueTakenError: When another group has the displayName.
    :raises UnknownMembersError: When a member does not exist.
    """
    group_id = str(document["id"])
    await _require_free_name(partition, document)
    await require_members(partition, Members(members))
    state = await _begin_staging(partition, group_id, operation)
    for part in Members(members).parts():
        state = await _stage(partition, group_id, part, state)
    group = await _publish(partition, document, operation)
    if len(members) > _EVENTS_PER_ROW:
        await _announce_soon(partition, group_id)
    return group


async def _require_free_name(partition: Partition, document: dict[str, Any]) -> None:
    lookup = keys.group_name(document["displayName"])
    if await partition.read(lookup) is not None:
        raise ValueTakenError("displayName", lookup)


async def _begin_staging(partition: Partition, group_id: str, operation: Operation) -> str:
    """Mark a group as being made, and return the state of the mark, empty when it is not known.

    The operation is recorded in the outbox, without events: so an attempt that comes late marks no group that is there.
    """
    mark = insert(keys.unfinished(group_id), {"kind": STAGING, "time": operation.time})
    try:
        return (await partition.commit([mark, outbox_insert(partition, operation, [], Tally())]))[0]
    except RowExistsError:
        return ""  # An earlier attempt with the same document.
    except TransactionRefusedError as refused:
        raise LostRaceError from refused


async def _stage(partition: Partition, group_id: str, part: Members, state: str) -> str:
    """Store members of a group that is not there yet, in the state of its mark, and return the mark's next state.

    So an attempt that comes late adds nobody: the attempt that was answered moved the mark.
    """
    writes = member_writes(group_id, part)
    staged = [insert(w.key, {**w.values, "staged": True}) if w.key.startswith("m|") else w for w in writes]
    async for _ in Attempts():
        state = state or await _state_of_mark(partition, group_id)
        try:
            return (await partition.commit([*staged, merge(keys.unfinished(group_id), {}, state)]))[-1]
        except RowExistsError:
            return ""  # Our own lost answer, or an earlier attempt.
        except RowChangedError:
            state = ""  # A member was deleted meanwhile.
        except TransactionRefusedError as refused:
            _raise_if_unknown(refused, staged)
            raise LostRaceError from refused
    raise LostRaceError


def _raise_if_unknown(refused: TransactionRefusedError, staged: Sequence[Write]) -> None:
    unknown = unknown_member_of(refused, staged[refused.index]) if refused.index < len(staged) else None
    if unknown is not None:
        raise UnknownMembersError([unknown]) from refused


async def _state_of_mark(partition: Partition, group_id: str) -> str:
    mark = await partition.read(keys.unfinished(group_id), select=("kind",))
    if mark is None or _is_given_up(mark):
        raise LostRaceError
    return mark.etag


def _is_given_up(mark: Row) -> bool:
    """Return whether the sweep took a group for one that a crash had left, and removes it."""
    return mark.values["kind"] not in (STAGING, ANNOUNCING)


async def _publish(partition: Partition, document: dict[str, Any], operation: Operation) -> StoredDocument:
    """Make a staged group known, in one transaction with the events of its first members.

    The mark's state guards it: a member that is deleted meanwhile touches the mark, so no event tells of it.
    """
    group_id = str(document["id"])
    async for _ in Attempts():
        mark = await partition.read(keys.unfinished(group_id))
        if mark is None or _is_given_up(mark):
            break
        staged, is_all = await _staged_members(partition, group_id, "")
        made_known = begin_operation(after=operation.id)
        (created,) = created_events("Group", document)
        untold = 0 if is_all else await _count_behind(partition, group_id, staged[-1])
        events = [replace(created, untold=untold), *membership_events(group_id, staged, ())]
        writes = [
            *group_inserts(document, made_known),
            _progress(mark, staged, is_all=is_all),
            outbox_insert(partition, made_known, events, Tally(groups=1, created=group_id)),
        ]
        try:
            return await commit_create(partition, writes, document, made_known)
        except LostRaceError:
            continue
    raise LostRaceError


async def _staged_members(partition: Partition, group_id: str, after: str) -> tuple[list[str], bool]:
    """Return the next 500 members of a group that were staged with it, and whether there are no more."""
    staged: list[str] = []
    first, end = keys.member_range(group_id)
    async for row in partition.rows((f"{after}!" if after else first, end), select=("RowKey", "staged")):
        if not row.values.get("staged"):
            continue
        if len(staged) == _EVENTS_PER_ROW:
            return staged, False
        staged.append(keys.last_id(row.key))
    return staged, True


async def _count_behind(partition: Partition, group_id: str, member_id: str) -> int:
    """Return how many members of a group have greater ids. One storage request for each 1000."""
    key_range = f"{keys.membership(group_id, member_id)}!", keys.member_range(group_id)[1]
    return sum([1 async for _ in partition.rows(key_range, select=("RowKey",))])


def _progress(mark: Row, told: Sequence[str], *, is_all: bool) -> Write:
    """Return the write that says how far the events of a group's members have come: the end, or the last one told."""
    if is_all:
        return delete(mark.key, mark.etag)
    return merge(mark.key, {"kind": ANNOUNCING, "after": keys.membership(keys.last_id(mark.key), told[-1])}, mark.etag)


async def _announce_soon(partition: Partition, group_id: str) -> None:
    """Announce a group's other members; the group is there, so what fails here is left to the sweep."""
    try:
        await announce_members(partition, group_id)
    except StorageUnavailableError:
        _log.warning("the members of a new group are announced by the next sweep")


async def announce_members(partition: Partition, group_id: str) -> None:
    """Write the events of a new group's staged members that were not told with it, and end the operation.

    Each step stores its events together with how far it came, and holds only in the state that it read: of two
    machines that do this at once none tells of a member twice, and none tells of one who has left again.
    """
    attempts = Attempts()
    while True:
        mark, version = await _announced(partition, group_id)
        if mark is None or version is None:
            return
        staged, is_all = await _staged_members(partition, group_id, str(mark.values["after"]))
        writes = [_progress(mark, staged, is_all=is_all)]
        if staged:
            told = [replace(event, untold=-1) for event in membership_events(group_id, staged, ())]
            events = outbox_insert(partition, begin_operation(), told, Tally())
            writes += [merge(version.key, {}, version.etag), events]
        try:
            await partition.commit(writes)
        except TransactionRefusedError:
            if not await attempts.again():
                return
        else:
            if is_all:
                return


async def _announced(partition: Partition, group_id: str) -> tuple[Row | None, Row | None]:
    """Return the mark of a group that is being announced and its version row, each None when there is none."""
    mark_key, version_key = keys.unfinished(group_id), keys.group_version(group_id)
    rows = await partition.read_many([mark_key, version_key])
    mark = rows.get(mark_key)
    return mark if mark and mark.values["kind"] == ANNOUNCING else None, rows.get(version_key)

"""A new group of more members than one transaction holds: staged under an id nobody knows, then made known at once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from scim.adapters.tables import keys
from scim.adapters.tables.groups import commit_create, group_inserts
from scim.adapters.tables.memberships import Members, member_writes, require_members, unknown_member_of
from scim.adapters.tables.outbox import Tally, outbox_insert
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import (
    RowChangedError,
    RowMissingError,
    TransactionRefusedError,
    Write,
    delete,
    insert,
    merge,
)
from scim.events.resource_events import created_events, membership_events
from scim.resources.errors import LostRaceError, StorageUnavailableError, UnknownMembersError, ValueTakenError
from scim.resources.identifiers import Operation, begin_operation
from scim.resources.membership import Member
from scim.resources.stored_document import StoredDocument

STAGING, ANNOUNCING = "group_staging", "group_announcing"
_EVENTS_PER_ROW = 500


async def create_large_group(
    partition: Partition, document: dict[str, Any], members: Sequence[Member], operation: Operation
) -> StoredDocument:
    """Store a new group with any number of members and return it: it appears whole or not at all.

    Its events follow its creation in the feed; a crash or an outage in between is finished by the sweep.

    :raises ValueTakenError: When another group has the displayName.
    :raises UnknownMembersError: When a member does not exist.
    """
    group_id = str(document["id"])
    await _require_free_name(partition, document)
    await require_members(partition, Members(members))
    await partition.commit([insert(keys.unfinished(group_id), {"kind": STAGING, "time": operation.time})])
    for part in Members(members).parts():
        await _stage(partition, group_id, part)
    made_known = begin_operation(after=operation.id)
    group = await commit_create(partition, _publication(partition, document, made_known), document, made_known)
    with suppress(StorageUnavailableError):  # The group is there; the sweep announces what is left.
        await announce_members(partition, group_id)
    return group


async def _require_free_name(partition: Partition, document: dict[str, Any]) -> None:
    if await partition.read(keys.group_name(document["displayName"])) is not None:
        raise ValueTakenError("displayName")


async def _stage(partition: Partition, group_id: str, part: Members) -> None:
    writes = member_writes(group_id, part)
    staged = [insert(w.key, {**w.values, "staged": True}) if w.key.startswith("m|") else w for w in writes]
    try:
        await partition.commit(staged)
    except TransactionRefusedError as refused:
        first = keys.membership(group_id, part.added[0].id)
        if refused.uncertain and await partition.read(first) is not None:
            return  # Our own lost answer: nobody else writes under an id that nobody knows.
        unknown = unknown_member_of(refused, staged[refused.index])
        raise (UnknownMembersError([unknown]) if unknown else LostRaceError()) from refused


def _publication(partition: Partition, document: dict[str, Any], operation: Operation) -> list[Write]:
    group_id = str(document["id"])
    return [
        *group_inserts(document, operation),
        merge(keys.unfinished(group_id), {"kind": ANNOUNCING, "after": ""}),
        outbox_insert(partition, operation, created_events("Group", document), Tally(groups=1, created=group_id)),
    ]


async def announce_members(partition: Partition, group_id: str) -> None:
    """Write the events of a new group's staged members, and forget that it is unfinished.

    Each step stores its events together with how far it came, guarded, so that none is announced twice even when
    the sweep and the request that made the group do this at once: the slower one stops.
    """
    progress = await partition.read(keys.unfinished(group_id))
    if progress is None or progress.values["kind"] != ANNOUNCING:
        return
    after, (first, end) = str(progress.values["after"]), keys.member_range(group_id)
    staged = [
        keys.last_id(row.key)
        async for row in partition.rows((f"{after}!" if after else first, end), select=("RowKey", "staged"))
        if row.values.get("staged")
    ]
    try:
        await _announce(partition, group_id, staged, progress.etag)
    except (RowChangedError, RowMissingError):
        return


async def _announce(partition: Partition, group_id: str, member_ids: Sequence[str], etag: str) -> None:
    operation = begin_operation()
    for start in range(0, len(member_ids), _EVENTS_PER_ROW):
        part = member_ids[start : start + _EVENTS_PER_ROW]
        progress = merge(keys.unfinished(group_id), {"after": keys.membership(group_id, part[-1])}, etag)
        events = outbox_insert(partition, operation, membership_events(group_id, part, ()), Tally())
        etag = (await partition.commit([progress, events]))[0]
        operation = begin_operation(after=operation.id)
    await partition.commit([delete(keys.unfinished(group_id), etag)])

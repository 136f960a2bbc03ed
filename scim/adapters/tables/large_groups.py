"""A new group of more members than one transaction holds: staged under an id nobody knows, then made known at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scim.adapters.tables import keys
from scim.adapters.tables.groups import commit_create, group_inserts
from scim.adapters.tables.memberships import Members, member_writes, require_members, unknown_member_of
from scim.adapters.tables.outbox import Tally, outbox_insert
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import Row, TransactionRefusedError, Write, delete, insert, merge
from scim.events.resource_events import created_events, membership_events
from scim.resources.errors import LostRaceError, UnknownMembersError, ValueTakenError
from scim.resources.identifiers import Operation, begin_operation
from scim.resources.membership import Member
from scim.resources.stored_document import StoredDocument

STAGING, ANNOUNCING = "group_staging", "group_announcing"
_EVENTS_PER_ROW = 500


async def create_large_group(
    partition: Partition, document: dict[str, Any], members: Sequence[Member], operation: Operation
) -> StoredDocument:
    """Store a new group with any number of members and return it: it appears whole or not at all.

    Its events follow its creation in the feed; a crash in between is finished by the sweep.

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
    await announce_members(partition, group_id, "")
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


async def announce_members(partition: Partition, group_id: str, after: str) -> None:
    """Write the events of a new group's staged members, and forget that it is unfinished.

    Each step stores its events together with how far it came, so that none is announced twice.

    :param after: The key of the last membership already announced.
    """
    first, end = keys.member_range(group_id)
    batch: list[Row] = []
    operation = begin_operation()
    async for row in partition.rows((max(first, f"{after}!") if after else first, end)):
        if row.values.get("staged"):
            batch.append(row)
        if len(batch) == _EVENTS_PER_ROW:
            operation = await _announce(partition, group_id, batch, operation)
            batch = []
    if batch:
        await _announce(partition, group_id, batch, operation)
    await partition.commit([delete(keys.unfinished(group_id))])


async def _announce(partition: Partition, group_id: str, rows: Sequence[Row], operation: Operation) -> Operation:
    events = membership_events(group_id, [keys.last_id(row.key) for row in rows], ())
    progress = merge(keys.unfinished(group_id), {"after": rows[-1].key})
    await partition.commit([progress, outbox_insert(partition, operation, events, Tally())])
    return begin_operation(after=operation.id)

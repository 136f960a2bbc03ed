"""Groups in the partition of a directory: each write is one transaction with its event; members have own rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scim.adapters.tables import keys
from scim.adapters.tables.document_rows import document_values, stored_group
from scim.adapters.tables.memberships import (
    DocumentPart,
    Members,
    change_members,
    differing_members,
    member_writes,
    require_members,
    unknown_member_of,
    version_merge,
)
from scim.adapters.tables.outbox import Tally, outbox_insert
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.summary_columns import summary_columns
from scim.adapters.tables.table import RowExistsError, TransactionRefusedError, Write, delete, insert, replace
from scim.adapters.tables.users import commit_replace, moved_lookups
from scim.events.resource_events import created_events, membership_events, updated_events
from scim.resources.errors import LostRaceError, StorageUnavailableError, UnknownMembersError, ValueTakenError
from scim.resources.identifiers import Operation, begin_operation
from scim.resources.membership import Member, MembershipChange
from scim.resources.stored_document import StoredDocument, document_text


async def read_group(partition: Partition, group_id: str) -> StoredDocument | None:
    """Return a group without its members, or None. One storage request."""
    found = await partition.first_rows(keys.group_range(group_id), 2)
    rows = {row.key: row for row in found.rows}
    document, version = rows.get(keys.document(group_id)), rows.get(keys.group_version(group_id))
    return stored_group(document, version) if document and version else None


async def create_group(
    partition: Partition, document: dict[str, Any], members: Sequence[Member], operation: Operation
) -> StoredDocument:
    """Store a new group with up to 30 members, and return it. One storage request.

    :raises ValueTakenError: When another group has the displayName.
    :raises UnknownMembersError: When a member does not exist.
    """
    added = [member.id for member in members]
    events = [*created_events("Group", document), *membership_events(str(document["id"]), added, ())]
    writes = [
        *group_inserts(document, operation),
        *member_writes(str(document["id"]), Members(members)),
        outbox_insert(partition, operation, events, Tally(groups=1, created=str(document["id"]))),
    ]
    return await commit_create(partition, writes, document, operation)


def group_inserts(document: dict[str, Any], operation: Operation) -> list[Write]:
    """Return the writes that store a group's own rows."""
    group_id = str(document["id"])
    values = document_values(document_text(document), operation, created=operation.time)
    return [
        insert(keys.document(group_id), {**values, **summary_columns("Group", document)}),
        insert(keys.group_version(group_id), {"version": operation.id, "modified": operation.time}),
        insert(keys.anchor(group_id), {}),
        *(insert(key, {"id": group_id}) for key in keys.lookups("Group", group_id, document)),
    ]


async def commit_create(
    partition: Partition, writes: Sequence[Write], document: dict[str, Any], operation: Operation
) -> StoredDocument:
    """Commit the transaction that makes a group known, its document being the first write, and return the group."""
    group_id = str(document["id"])
    try:
        etags = await partition.commit(writes)
    except TransactionRefusedError as refused:
        raise _creation_error(refused, writes[refused.index]) from refused
    text = document_text(document)
    return StoredDocument("Group", group_id, text, operation.id, operation.time, operation.time, etags[0], etags[1])


def _creation_error(refused: TransactionRefusedError, write: Write) -> Exception:
    unknown = unknown_member_of(refused, write)
    if unknown is not None:
        return UnknownMembersError([unknown])
    if isinstance(refused, RowExistsError) and write.key.startswith("d|"):
        return ValueTakenError("displayName", write.key)
    return LostRaceError()


async def replace_group(
    partition: Partition,
    before: StoredDocument,
    after: dict[str, Any],
    change: MembershipChange,
    operation: Operation,
    *,
    guarded: bool,
) -> tuple[str, bool]:
    """Store a group's new document and member changes together, and return its version and whether anything changed.

    One storage request without members; with members one transaction for the document and the first 30 of them.

    :param before: The group as read; its document must still be in that state, and its members too when ``guarded``.
    :raises ValueTakenError: When another group has the new displayName.
    :raises LostRaceError: When the group changed since it was read.
    """
    part = _document_part(before, after, operation)
    if part is None and not change:
        return before.version, False
    guard = before.members_etag if guarded else "*"
    if part is None:
        return await change_members(partition, before.id, change, operation, guard=guard)
    first, others = Members(), MembershipChange()
    if change:
        version, members = await differing_members(partition, before.id, change)
        await require_members(partition, members)
        first = next(members.parts(), Members())
        others = _remaining(change, members, first)
        if change.replace_all and not guarded:
            guard = version.etag  # Who is to go was told by the members there were.
    events = [*part.events, *membership_events(before.id, [member.id for member in first.added], first.removed)]
    writes = [
        *part.writes,
        version_merge(before.id, operation, guard),
        *member_writes(before.id, first),
        outbox_insert(partition, operation, events, part.tally),
    ]
    await commit_replace(partition, writes, "displayName")
    if not others:
        return operation.id, True
    return await _change_others(partition, before.id, others, operation, guarded=guarded), True


def _remaining(change: MembershipChange, members: Members, done: Members) -> MembershipChange:
    """Return what is left to do; replacing all is left as a whole, since others may change the members meanwhile."""
    removed = [member_id for member_id in members.removed if member_id not in done.removed]
    added = [member for member in members.added if member not in done.added]
    if change.replace_all and (removed or added):
        return change
    return MembershipChange({**dict.fromkeys(removed), **{member.id: member for member in added}})


async def _change_others(
    partition: Partition, group_id: str, change: MembershipChange, begun: Operation, *, guarded: bool
) -> str:
    """Change the members that the first transaction had no room for, and return the group's version.

    :raises StorageUnavailableError: When others kept changing them and a lost race could not be decided anew: the
        version in If-Match is replaced already.
    """
    try:
        version, _ = await change_members(partition, group_id, change, begin_operation(after=begun.id))
    except LostRaceError as lost:
        if guarded:
            raise StorageUnavailableError("others kept changing the same members", retry_after=1) from lost
        raise
    return version


def _document_part(before: StoredDocument, after: dict[str, Any], operation: Operation) -> DocumentPart | None:
    """Return what to write of the group's own attributes, or None when they are as they were."""
    old, text = before.document(), document_text(after)
    if text == before.text:
        return None
    removed, added = moved_lookups(keys.lookups("Group", before.id, old), keys.lookups("Group", before.id, after))
    values = document_values(text, operation, created=before.created)
    values |= {**summary_columns("Group", after), **(before.kept or {})}
    writes = [
        replace(keys.document(before.id), values, before.etag),
        *(insert(key, {"id": before.id}) for key in added),
        *(delete(key) for key in removed),
    ]
    return DocumentPart(writes, updated_events("Group", old, after))

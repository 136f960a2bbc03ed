"""Users in the partition of a directory: each write is one transaction with its event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scim.adapters.tables import keys
from scim.adapters.tables.document_rows import document_values, stored_user
from scim.adapters.tables.mapped_attributes import NO_MAPPINGS, MappedAttributes, matching_values
from scim.adapters.tables.memberships import unknown_member_of
from scim.adapters.tables.outbox import Tally, outbox_insert
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.summary_columns import summary_columns
from scim.adapters.tables.table import (
    Row,
    RowExistsError,
    TransactionRefusedError,
    Value,
    Write,
    delete,
    insert,
    replace,
)
from scim.directories.row_format import ALL_LOOKUPS_SINCE
from scim.events.event import Event
from scim.events.resource_events import created_events, updated_events
from scim.resources.errors import LimitExceededError, LostRaceError, UnknownMembersError, ValueTakenError
from scim.resources.identifiers import Operation
from scim.resources.profile import is_active
from scim.resources.stored_document import StoredDocument, document_text


async def read_user(partition: Partition, user_id: str) -> StoredDocument | None:
    """Return a user or None. One storage request."""
    row = await partition.read(keys.document(user_id))
    return stored_user(row) if row else None


async def create_user(partition: Partition, document: dict[str, Any], operation: Operation) -> StoredDocument:
    """Store a new user with its lookup rows, anchor and event, and return it. One storage request.

    :raises ValueTakenError: When another user has the userName.
    """
    user_id = str(document["id"])
    inserts = user_inserts(document, operation, partition.attributes)
    tally = Tally(users=1, active=int(is_active(document)), created=user_id)
    outbox = outbox_insert(partition, operation, created_events("User", document), tally)
    etags = await _commit_create(partition, [*inserts, outbox])
    # The document is the last but two: anchor and outbox row follow it.
    return stored_user(Row(inserts[-2].key, etags[-3], inserts[-2].values))


def user_inserts(
    document: dict[str, Any], operation: Operation, attributes: MappedAttributes = NO_MAPPINGS
) -> list[Write]:
    """Return the writes that store a user's own rows; its lookup rows first, so that a taken userName is told first."""
    user_id = str(document["id"])
    values = user_values(document_text(document), document, operation, operation.time)
    found_by = matching_values(attributes, document)
    values |= mapping_values(attributes.revision, found_by)
    return [
        *(insert(key, {"id": user_id}) for key in _lookups(user_id, document)),
        *(insert(key, {"id": user_id}) for key in keys.matching(found_by, user_id)),
        insert(keys.document(user_id), values),
        insert(keys.anchor(user_id), {}),
    ]


def _lookups(user_id: str, document: dict[str, Any]) -> tuple[str, ...]:
    lookups = keys.lookups("User", user_id, document)
    if sum(key.startswith("w|") for key in lookups) > keys.MAX_WORK_EMAILS:
        raise LimitExceededError(f"A user may have at most {keys.MAX_WORK_EMAILS} e-mail addresses of type work.")
    return lookups


def user_values(text: str, document: dict[str, Any], operation: Operation, created: str) -> dict[str, Any]:
    """Return the properties of a user that follow from its document, with the operation that wrote it last."""
    return {
        **document_values(text, operation, created=created),
        **summary_columns("User", document),
        "active": is_active(document),
    }


def mapping_values(announced: int, found_by: Iterable[str]) -> dict[str, Value]:
    """Return the properties of a user that depend on the mappings; what is empty is absent."""
    values: dict[str, Value] = {"announced": announced, "matching": " ".join(found_by)}
    return {name: value for name, value in values.items() if value}


async def _commit_create(partition: Partition, writes: list[Write]) -> list[str]:
    try:
        return await partition.commit(writes)
    except TransactionRefusedError as refused:
        if isinstance(refused, RowExistsError):
            raise ValueTakenError("userName", writes[refused.index].key) from refused
        raise LostRaceError from refused


async def replace_user(
    partition: Partition, before: StoredDocument, after: dict[str, Any], operation: Operation
) -> StoredDocument:
    """Store a user's new document, moved lookup rows and events, and return it. One storage request.

    :param before: The user as read; it must still be in that state.
    :raises ValueTakenError: When another user has the new userName.
    :raises LostRaceError: When the user changed since it was read.
    """
    old = before.document()
    text = document_text(after)
    found_by = matching_values(partition.attributes, after)
    removed, added = moved_lookups(
        await stored_lookups(partition, before, old), (*_lookups(before.id, after), *keys.matching(found_by, before.id))
    )
    values = user_values(text, after, operation, before.created)
    values |= {**mapping_values(before.announced, found_by), **(before.kept or {})}
    tally = Tally(active=int(is_active(after)) - int(is_active(old)))
    writes = [
        replace(keys.document(before.id), values, before.etag),
        *(insert(key, {"id": before.id}) for key in added),
        *(delete(key) for key in removed),
        outbox_insert(partition, operation, updated_events("User", old, after), tally),
    ]
    etag = await commit_replace(partition, writes, "userName")
    return stored_user(Row(keys.document(before.id), etag, values))


async def stored_lookups(partition: Partition, user: StoredDocument, document: dict[str, Any]) -> tuple[str, ...]:
    """Return the keys of all lookup rows that a stored user has.

    Before format 1 some may be missing, so each is looked for; from then on that costs no storage request.
    """
    lookups = (*keys.lookups("User", user.id, document), *keys.matching(user.matching, user.id))
    if partition.row_format >= ALL_LOOKUPS_SINCE:
        return lookups
    found = await partition.read_many(lookups, select=("RowKey",))
    return tuple(key for key in lookups if key in found)


def moved_lookups(before: Iterable[str], after: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the lookup keys to remove and to add; a key that stays is in neither."""
    old, new = tuple(before), tuple(after)
    return [key for key in old if key not in new], [key for key in new if key not in old]


async def commit_replace(partition: Partition, writes: list[Write], unique_attribute: str) -> str:
    """Commit a change of a document, whose replace is the first write, and return the row's new ETag."""
    try:
        return (await partition.commit(writes))[0]
    except TransactionRefusedError as refused:
        write = writes[refused.index]
        unknown = unknown_member_of(refused, write)
        if unknown is not None:
            raise UnknownMembersError([unknown]) from refused
        if isinstance(refused, RowExistsError) and write.key.startswith(("n|", "d|")):
            raise ValueTakenError(unique_attribute, write.key) from refused
        raise LostRaceError from refused


async def user_removal(
    partition: Partition, user: StoredDocument, anchor_etag: str, operation: Operation, events: list[Event]
) -> list[Write]:
    """Return the writes that remove a user's own rows; the caller adds those of its memberships."""
    document = user.document()
    tally = Tally(users=-1, active=-int(is_active(document)), deleted=user.id)
    return [
        delete(keys.document(user.id), user.etag),
        delete(keys.anchor(user.id), anchor_etag),
        *(delete(key) for key in await stored_lookups(partition, user, document)),
        outbox_insert(partition, operation, events, tally),
    ]

"""Telling what events do not say of a directory that was put back: it becomes events of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from typing import Final

from scim.adapters.tables import keys
from scim.adapters.tables.consistency.derived import recount_derived
from scim.adapters.tables.consistency.finding import touch
from scim.adapters.tables.consistency.readable import readable_document
from scim.adapters.tables.consistency.story import Differences, Pair, is_to_be_told, read_differences, read_story
from scim.adapters.tables.consistency.violation import Violation
from scim.adapters.tables.generation import RENEWED, RETOLD
from scim.adapters.tables.outbox import Tally, outbox_insert
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.relay import relay
from scim.adapters.tables.table import TransactionRefusedError, Write, merge
from scim.directories.actor import current_actor
from scim.events.event import Event
from scim.events.resource_events import created_events, deleted_events, membership_events, updated_events
from scim.resources.identifiers import ResourceName, begin_operation

REASON: Final = "restore"
"""What these events have as their reason: nothing was changed, rows were put back."""
_ROUNDS: Final = 5
_MEMBERS_AT_ONCE: Final = 30
Telling = tuple[list[Event], list[Write]]
"""Events, and the writes without which they would not be true."""


async def untold_violations(partition: Partition) -> list[Violation]:
    """Return whether events say otherwise than rows that were put back; while writes go on, of what they cannot be."""
    if not await is_to_be_told(partition):
        return []
    found = await read_differences(partition)
    if found:  # What was written meanwhile may have seemed to differ; it does not when it is looked at again.
        found = found.also_in(await read_differences(partition))
    if not found:
        return []
    sentence = (
        f"No event tells of the creation of {len(found.untold)} of {found.resources} resources, and events say "
        f"otherwise of {found.others} resources and memberships: the rows are not of one moment, as those of a copy "
        "made during writes."
    )
    return [Violation("untold_resources", keys.HEAD, sentence)]


async def retell(partition: Partition) -> bool:
    """Tell what events do not say of rows that were put back, and return whether they say all of it now.

    What is derived of the feed is counted anew then, since it counted the rows.
    """
    if not await is_to_be_told(partition):
        return True
    for _ in range(_ROUNDS):
        await relay(partition)
        found = await read_differences(partition)
        if not found:
            return await _note(partition)
        async for events, guards in _tellings(partition, found):
            await _tell(partition, events, guards)
        await relay(partition)
        await recount_derived(partition)
    return False


async def _note(partition: Partition) -> bool:
    """Note in the head that events say all of what was put back."""
    head = await partition.read(keys.HEAD)
    if head is None or RENEWED not in head.values:
        return False
    try:
        await partition.commit([merge(keys.HEAD, {RETOLD: head.values[RENEWED]}, head.etag)])
    except TransactionRefusedError:
        return False
    return True


async def _tell(partition: Partition, events: Sequence[Event], guards: Iterable[Write]) -> None:
    operation = begin_operation()
    by = current_actor().to_json()
    told = [replace(event, reason=REASON, actor=by) for event in events]
    try:
        await partition.commit([*guards, outbox_insert(partition, operation, told, Tally())])
    except TransactionRefusedError:
        return  # It was changed just now: the next round looks again.


async def _tellings(partition: Partition, found: Differences) -> AsyncIterator[Telling]:
    """Yield what is to be told, in an order in which it can be followed: a member is there before it joins."""
    story = await read_story(partition, frozenset([*found.changed, *found.gone]))
    for resource_id in found.untold:
        row = await partition.read(keys.document(resource_id))
        document = readable_document(_name(resource_id), row) if row else None
        if row is not None and document is not None:
            yield created_events(_name(resource_id), document), [touch(row)]
    for resource_id in found.changed:
        row, before = await partition.read(keys.document(resource_id)), story.resources[resource_id].document
        document = readable_document(_name(resource_id), row) if row else None
        if row is not None and document is not None and before is not None:
            yield updated_events(_name(resource_id), before, document), [touch(row)]
    for pairs in (found.left, found.joined):
        for group_id, member_ids in _by_group(pairs):
            async for telling in _membership_tellings(partition, group_id, member_ids, joined=pairs is found.joined):
                yield telling
    for resource_id in found.gone:
        before = story.resources[resource_id].document or {"id": resource_id}
        if await partition.read(keys.document(resource_id), select=("RowKey",)) is None:
            yield deleted_events(_name(resource_id), before), []


async def _membership_tellings(
    partition: Partition, group_id: str, member_ids: Sequence[str], *, joined: bool
) -> AsyncIterator[Telling]:
    version = await partition.read(keys.group_version(group_id))
    rows = await partition.read_many([keys.membership(group_id, each) for each in member_ids], select=("RowKey",))
    if version is None:
        return
    still = [each for each in member_ids if (keys.membership(group_id, each) in rows) is joined]
    for start in range(0, len(still), _MEMBERS_AT_ONCE):
        part = still[start : start + _MEMBERS_AT_ONCE]
        yield membership_events(group_id, *((part, ()) if joined else ((), part))), [touch(version)]
        version = await partition.read(keys.group_version(group_id)) or version


def _by_group(pairs: Iterable[Pair]) -> Iterable[tuple[str, list[str]]]:
    groups: dict[str, list[str]] = {}
    for group_id, member_id in pairs:
        groups.setdefault(group_id, []).append(member_id)
    return groups.items()


def _name(resource_id: str) -> ResourceName:
    return "User" if resource_id.startswith("usr_") else "Group"

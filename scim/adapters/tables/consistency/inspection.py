"""A closer look at whatever a walk found suspect: writes may have gone on meanwhile."""

from __future__ import annotations

from collections.abc import Mapping

from scim.adapters.tables import keys
from scim.adapters.tables.consistency.finding import Finding, steady_rows, touch
from scim.adapters.tables.consistency.readable import (
    LATE_SECONDS,
    has_readable_events,
    is_late,
    is_readable_index_row,
)
from scim.adapters.tables.consistency.resource_inspection import inspect_lookup, inspect_resource
from scim.adapters.tables.consistency.row_kind import kind_of
from scim.adapters.tables.consistency.violation import Violation
from scim.adapters.tables.deletions import CLEARING
from scim.adapters.tables.large_groups import STAGING
from scim.adapters.tables.memberships import version_merge
from scim.adapters.tables.outbox import Tally, outbox_insert
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import Row, Write, delete, insert, merge
from scim.adapters.tables.unfinished import PATIENCE, age
from scim.events.resource_events import membership_events
from scim.resources.identifiers import begin_operation
from scim.resources.values import parse_datetime


async def inspect(partition: Partition, key: str) -> list[Finding]:
    """Return what is wrong with what a row belongs to: a document, a lookup row, a membership, or the row alone."""
    match kind_of(key):
        case "user" | "group":
            return await inspect_resource(partition, key)
        case "name" | "lookup":
            return await inspect_lookup(partition, key)
        case "membership":
            _, group_id, member_id = key.split("|")
            return await _inspect_membership(partition, group_id, member_id)
        case "unfinished":
            return await _inspect_unfinished(partition, key)
        case _:
            row = await partition.read(key)
            return [Finding(violation) for violation in (_row_violation(row),) if violation] if row else []


def _row_violation(row: Row) -> Violation | None:
    """Return what is wrong with a row by itself."""
    kind = kind_of(row.key)
    if kind in ("head", "block", "outbox") and not is_readable_index_row(row):
        return Violation("unreadable_index", row.key, "The row does not hold the numbers that are added up.")
    if kind in ("outbox", "feed") and not has_readable_events(row):
        return Violation("unreadable_events", row.key, "The row's events cannot be read.")
    if kind == "outbox" and is_late(row):
        return Violation("late_outbox", row.key, "The events have waited for the relay for more than 15 minutes.")
    return Violation("unknown_row", row.key, "The service has no such row.") if kind is None else None


async def _inspect_membership(partition: Partition, group_id: str, member_id: str) -> list[Finding]:
    sides = keys.membership(group_id, member_id), keys.membership_of(member_id, group_id)
    documents = keys.document(group_id), keys.document(member_id)
    marks = keys.unfinished(group_id), keys.unfinished(member_id)
    rows = await steady_rows(partition, [*sides, *documents, *marks])
    if rows is None or not any(side in rows for side in sides):
        return []
    missing = [
        keys.last_id(document)
        for document, mark in zip(documents, marks, strict=True)
        if document not in rows and mark not in rows
    ]
    if missing:
        violation = Violation("dangling_membership", sides[0], f"{' and '.join(missing)} does not exist.")
        return [Finding(violation, _removal(partition, rows, group_id, member_id))]
    if all(side in rows for side in sides):
        return []
    return [_half(partition, rows, group_id, member_id)]


def _half(partition: Partition, rows: Mapping[str, Row], group_id: str, member_id: str) -> Finding:
    """Return what mends a membership of one side: the group's own side counts, while both resources are there."""
    listed, reverse = keys.membership(group_id, member_id), keys.membership_of(member_id, group_id)
    exist = keys.document(group_id) in rows and keys.document(member_id) in rows
    if listed not in rows:
        violation = Violation("half_membership", listed, "The group does not list a member that says it is one.")
        return Finding(violation, [delete(reverse, rows[reverse].etag)])
    violation = Violation("half_membership", reverse, "A member of the group does not say that it is one.")
    if not exist:
        return Finding(violation, _removal(partition, rows, group_id, member_id))
    anchors = [merge(keys.anchor(group_id), {}), merge(keys.anchor(member_id), {})]
    return Finding(violation, [*anchors, touch(rows[listed]), insert(reverse, {})])


def _removal(partition: Partition, rows: Mapping[str, Row], group_id: str, member_id: str) -> list[Write]:
    """Return the writes that remove what there is of a membership, as an event when a group showed it."""
    listed, reverse = keys.membership(group_id, member_id), keys.membership_of(member_id, group_id)
    writes = [delete(key, rows[key].etag) for key in (listed, reverse) if key in rows]
    if listed not in rows or keys.document(group_id) not in rows:
        return writes
    operation = begin_operation()
    events = membership_events(group_id, (), [member_id])
    return [version_merge(group_id, operation), *writes, outbox_insert(partition, operation, events, Tally())]


async def _inspect_unfinished(partition: Partition, key: str) -> list[Finding]:
    document_key = keys.document(keys.last_id(key))
    rows = await steady_rows(partition, [key, document_key])
    if rows is None or key not in rows:
        return []
    row, document = rows[key], rows.get(document_key)
    kind = str(row.values.get("kind"))
    if kind not in PATIENCE or parse_datetime(str(row.values.get("time"))) is None:
        return [Finding(Violation("unknown_row", key, "The operation under way is of no kind of this version."))]
    if kind in (STAGING, CLEARING) and document is not None:
        violation = Violation("unfinished_of_existing_group", key, "A group that exists is marked as not there.")
        return [Finding(violation, [delete(key, row.etag), touch(document)])]
    if age(row) > PATIENCE[kind] + LATE_SECONDS:
        return [Finding(Violation("late_operation", key, "An operation that a crash left has not been finished."))]
    return []

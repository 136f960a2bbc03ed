"""A closer look at a document with its version row, its anchor and its lookup rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scim.adapters.tables import keys
from scim.adapters.tables.consistency.finding import LOOKS, Finding, steady_rows, touch
from scim.adapters.tables.consistency.readable import has_matching_of, lookups_of, readable_document
from scim.adapters.tables.consistency.row_kind import kind_of
from scim.adapters.tables.consistency.violation import Violation
from scim.adapters.tables.mapped_attributes import matching_values
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.summary_columns import has_summary_of
from scim.adapters.tables.table import Row, delete, insert, merge, replace
from scim.adapters.tables.users import moved_lookups
from scim.directories.row_format import LIST_COLUMNS_SINCE
from scim.resources.identifiers import ResourceName, resource_name_of
from scim.resources.profile import is_active
from scim.resources.summary import summary_texts


@dataclass(frozen=True, slots=True)
class _Resource:
    """A stored document and the rows that belong to it, in one state."""

    row: Row
    body: dict[str, Any]
    rows: Mapping[str, Row]

    @property
    def id(self) -> str:
        return keys.last_id(self.row.key)


async def inspect_resource(partition: Partition, document_key: str) -> list[Finding]:
    """Return what is wrong with a document and the rows that belong to it; nothing while it keeps changing."""
    resource_id = keys.last_id(document_key)
    for _ in range(LOOKS):
        row = await partition.read(document_key)
        body = readable_document(_name(resource_id), row) if row else None
        lookups = lookups_of(_name(resource_id), row, body) if row and body else ()
        own = [document_key, keys.anchor(resource_id), keys.group_version(resource_id)]
        rows = await steady_rows(partition, [*own, *lookups])
        if rows is None or _etag(rows.get(document_key)) != _etag(row):
            continue
        if row is None:
            return list(_orphans(rows.values()))
        if body is None:
            return [Finding(Violation("unreadable_document", document_key, "The document cannot be read."))]
        resource = _Resource(row, body, rows)
        if not has_matching_of(partition.attributes, row, body):
            return [await _wrong_matching(partition, resource)]
        lookup_findings = [finding async for finding in _lookups(partition, resource)]
        summaries = _wrong_summary(resource) if partition.row_format >= LIST_COLUMNS_SINCE else ()
        return [*_missing_rows(resource), *_wrong_active(resource), *summaries, *lookup_findings]
    return []


def _name(resource_id: str) -> ResourceName:
    return resource_name_of(resource_id) or "User"


def _etag(row: Row | None) -> str:
    return row.etag if row else ""


def _orphans(rows: Any) -> Iterator[Finding]:
    # No document can come to be behind these: creating it inserts them.
    for row in rows:
        if row.key.startswith("r|"):
            violation = Violation("orphaned_anchor", row.key, "The anchor's document does not exist.")
        else:
            violation = Violation("orphaned_version", row.key, "The version row's group does not exist.")
        yield Finding(violation, [delete(row.key, row.etag)])


def _missing_rows(resource: _Resource) -> Iterator[Finding]:
    anchor, version = keys.anchor(resource.id), keys.group_version(resource.id)
    if anchor not in resource.rows:
        violation = Violation("missing_anchor", anchor, f"{resource.id} has no anchor, so it cannot become a member.")
        yield Finding(violation, [touch(resource.row), insert(anchor, {})])
    if resource.id.startswith("grp_") and version not in resource.rows:
        values = {"version": resource.row.values["version"], "modified": resource.row.values["modified"]}
        violation = Violation("missing_version", version, f"{resource.id} has no version row, so nobody can read it.")
        yield Finding(violation, [touch(resource.row), insert(version, values)])


def _wrong_active(resource: _Resource) -> Iterator[Finding]:
    active = is_active(resource.body)
    if resource.id.startswith("usr_") and resource.row.values.get("active") is not active:
        violation = Violation("wrong_active", resource.row.key, "The row says of active what its document does not.")
        yield Finding(violation, [merge(resource.row.key, {"active": active}, resource.row.etag)])


def _wrong_summary(resource: _Resource) -> Iterator[Finding]:
    name, row = _name(resource.id), resource.row
    if not has_summary_of(name, row, resource.body):
        violation = Violation("wrong_summary", row.key, "The row's texts for lists differ from its document.")
        yield Finding(violation, [merge(row.key, {**summary_texts(name, resource.body)}, row.etag)])


async def _wrong_matching(partition: Partition, resource: _Resource) -> Finding:
    """Return that a user is not found by what the mappings say. Its other rows are looked at when this is mended."""
    wanted, stored = matching_values(partition.attributes, resource.body), str(resource.row.values.get("matching", ""))
    removed, added = moved_lookups(keys.matching(stored.split(), resource.id), keys.matching(wanted, resource.id))
    present = await partition.read_many([*removed, *added])
    writes = [
        merge(resource.row.key, {"matching": " ".join(wanted)}, resource.row.etag),
        *(insert(key, {"id": resource.id}) for key in added if key not in present),
        *(delete(key, present[key].etag) for key in removed if key in present),
    ]
    sentence = f"{resource.id} is not found by the values that the directory's mappings match."
    return Finding(Violation("wrong_matching", resource.row.key, sentence), writes)


async def _lookups(partition: Partition, resource: _Resource) -> AsyncIterator[Finding]:
    for key in lookups_of(_name(resource.id), resource.row, resource.body):
        row, values = resource.rows.get(key), {"id": resource.id}
        if row is None:
            violation = Violation("missing_lookup", key, f"{resource.id} is not found by a value it has.")
            yield Finding(violation, [touch(resource.row), insert(key, values)])
            continue
        named = str(row.values.get("id"))
        if named == resource.id:
            continue
        if kind_of(key) == "name" and await _may_have(partition, named, key):
            yield Finding(Violation("duplicate_value", key, f"{named} and {resource.id} both have the unique value."))
            continue
        violation = Violation("foreign_lookup", key, f"The lookup row of {resource.id} names another resource.")
        yield Finding(violation, [touch(resource.row), replace(key, values, row.etag)])


async def _may_have(partition: Partition, resource_id: str, lookup: str) -> bool:
    """Tell whether another resource has the value of a lookup row, or is not readable and so may have it.

    It cannot come to have it while the lookup row is there and not its own.
    """
    name = resource_name_of(resource_id)
    row = await partition.read(keys.document(resource_id)) if name else None
    if name is None or row is None:
        return False
    body = readable_document(name, row)
    return body is None or lookup in lookups_of(name, row, body)


async def inspect_lookup(partition: Partition, key: str) -> list[Finding]:
    """Return what is wrong with a lookup row that its document does not account for; nothing while they keep changing.

    A row that its document does account for is the document's matter.
    """
    for _ in range(LOOKS):
        lookup = await partition.read(key)
        if lookup is None:
            return []
        owner = keys.last_id(key) if kind_of(key) == "lookup" else str(lookup.values.get("id"))
        name = resource_name_of(owner)
        if name is None:
            return [_foreign(lookup, "The lookup row names no resource.")]
        rows = await steady_rows(partition, [key, keys.document(owner)])
        if rows is None or _etag(rows.get(key)) != lookup.etag:
            continue
        document = rows.get(keys.document(owner))
        if document is None:
            return [_foreign(lookup, f"The lookup row leads to {owner}, which does not exist.")]
        body = readable_document(name, document)
        if body is not None and key not in lookups_of(name, document, body):
            return [_foreign(lookup, f"The lookup row leads to {owner}, which does not have the value.")]
        return []
    return []


def _foreign(lookup: Row, sentence: str) -> Finding:
    # The document cannot come to have the value meanwhile: that would insert the row that is there.
    return Finding(Violation("foreign_lookup", lookup.key, sentence), [delete(lookup.key, lookup.etag)])

"""PATCH operations applied to a document (RFC 7644 §3.5.2), in Entra's dialect.

Works on the stored JSON: values that no schema declares obey the same operations, and no model rewrites a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scim2_models import InvalidPathException, MutabilityException

from scim.provisioning.attribute_paths import AttributePath, path_in
from scim.provisioning.document_reader import Document, read_for, require_complete
from scim.provisioning.documents import attributes_of, complete_document
from scim.provisioning.entry_identity import named_by
from scim.provisioning.entry_selection import (
    Entry,
    appended,
    keep_entries,
    matcher,
    merged,
    with_one_primary,
    with_sub_attribute,
    without_selected,
    write_selected,
)
from scim.resources.schema import ResourceSchema
from scim.resources.stored_document import StoredDocument
from scim.resources.values import ABSENT

_IGNORED = frozenset({"schemas", "password"})
"""``schemas`` is computed from what is present; a password is accepted and never kept."""


@dataclass(frozen=True, slots=True)
class PatchOperation:
    """One operation as read: ``op`` is add, replace or remove; a remove without value has ``value`` None."""

    op: str
    path: AttributePath
    value: Any = None


def patched_document(stored: StoredDocument, operations: Iterable[PatchOperation], schema: ResourceSchema) -> Document:
    """Return a resource's document after operations, complete and ready to be stored.

    :raises SCIMException: When an operation cannot be applied, or what is left lacks a required attribute.
    """
    attributes = attributes_of(stored.document())
    kept = attributes.get("userName")
    for operation in operations:
        apply_operation(attributes, operation)
    require_complete(attributes, schema, kept)
    return complete_document(attributes, stored.id, schema)


def ignored_paths(operations: Iterable[PatchOperation]) -> list[str]:
    """Return the paths that operations write and that are never stored."""
    return [
        operation.path.text
        for operation in operations
        if operation.op != "remove" and operation.path.urn is None and operation.path.key == "password"
    ]


def apply_operation(document: Document, operation: PatchOperation) -> None:
    """Change a document in place by one operation.

    Entra needs what the RFC refuses: a filter that matches no entry creates the entry it describes, and ``replace``
    with ``""`` or null clears.

    :raises MutabilityException, InvalidValueException, InvalidPathException: With a sentence that says what to change.
    """
    path = path_in(document, operation.path)
    if operation.op == "remove":
        _remove(document, path, operation.value)
    else:
        _write(document, path, operation.value, operation.op)


def _refuse_impossible(path: AttributePath) -> None:
    """Refuse a path to what cannot be written: a read-only attribute, an entry or a part of what has none."""
    attribute = path.attribute
    if attribute is None or not path.declared:
        return
    if "readOnly" in (attribute.mutability, path.sub.mutability if path.sub else None):
        raise MutabilityException(detail=f"{path.text} is read-only; remove it from the attribute mapping.")
    if path.value_filter is not None and not attribute.multi_valued:
        raise InvalidPathException(detail=f"{path.text}: {attribute.name} holds one value; leave the brackets out.")
    if path.sub is not None and attribute.type != "complex":
        raise InvalidPathException(detail=f"{path.text}: {attribute.name} has no sub-attributes; name it alone.")


def _write(document: Document, path: AttributePath, value: Any, op: str) -> None:
    if path.attribute is None:
        document.pop(path.urn or "", None)
        return
    if path.urn is None and path.attribute.name in _IGNORED:
        return
    _refuse_impossible(path)
    holder = document if path.urn is None else document.setdefault(path.urn, {})
    if path.value_filter is not None:
        write_selected(holder, path, value)
    elif path.sub is not None:
        _write_sub_attribute(holder, path, value)
    else:
        _write_attribute(holder, path, value, op)
    _drop_empty_extension(document, path.urn)


def _write_attribute(holder: Entry, path: AttributePath, value: Any, op: str) -> None:
    read = read_for(path, value)
    attribute, current = path.attribute, holder.get(path.key)
    if attribute is None:
        return
    if attribute.type == "complex" and not attribute.multi_valued and isinstance(value, Mapping):
        entry = merged(attribute, current if isinstance(current, dict) else {}, value, path.text)
        _assign_or_drop(holder, path, entry)
    elif attribute.multi_valued and op == "add":
        if read is not ABSENT:
            holder[path.key] = appended(attribute, current if isinstance(current, list) else [], read)
    elif read is ABSENT:
        _unassign(holder, path)
    else:
        holder[path.key] = read


def _assign_or_drop(holder: Entry, path: AttributePath, value: Entry) -> None:
    if value:
        holder[path.key] = value
    else:
        holder.pop(path.key, None)


def _unassign(holder: Entry, path: AttributePath) -> None:
    if path.attribute is not None and path.attribute.required:
        raise MutabilityException(detail=f"{path.text} is required and cannot be removed.")
    holder.pop(path.key, None)


def _write_sub_attribute(holder: Entry, path: AttributePath, value: Any) -> None:
    """Write ``name.givenName``, or ``emails.type`` of every entry; a missing attribute is created."""
    attribute, current = path.attribute, holder.get(path.key)
    if attribute is None or (attribute.multi_valued and current is None and value in (None, "")):
        return
    if isinstance(current, list):
        changed = [
            with_sub_attribute(attribute, entry, path, value) if isinstance(entry, dict) else entry for entry in current
        ]
        keep_entries(holder, path, with_one_primary(current, changed, path))
        return
    entry = with_sub_attribute(attribute, current if isinstance(current, dict) else {}, path, value)
    if attribute.multi_valued:
        keep_entries(holder, path, [entry])
    else:
        _assign_or_drop(holder, path, entry)


def _remove(document: Document, path: AttributePath, value: Any) -> None:
    if path.attribute is None:
        document.pop(path.urn or "", None)
        return
    if path.urn is None and path.attribute.name in _IGNORED:
        return
    _refuse_impossible(path)
    if path.value_filter is not None:
        matcher(path)  # A filter that fits no entry is refused, also where there are no entries.
    holder = document if path.urn is None else document.get(path.urn)
    if isinstance(holder, dict) and path.key in holder:
        _remove_from(holder, path, value)
    _drop_empty_extension(document, path.urn)


def _remove_from(holder: Entry, path: AttributePath, value: Any) -> None:
    current, attribute = holder[path.key], path.attribute
    if attribute is None:
        return
    if path.value_filter is not None or path.sub is not None:
        if isinstance(current, list):
            keep_entries(holder, path, without_selected(current, path))
        elif isinstance(current, dict):
            _assign_or_drop(holder, path, with_sub_attribute(attribute, current, path, None))
    elif value in (None, "") or not isinstance(current, list):
        _unassign(holder, path)
    else:
        named = named_by(attribute, value, path.text)
        keep_entries(holder, path, [item for item in current if not named(item)])


def _drop_empty_extension(document: Document, urn: str | None) -> None:
    if urn is not None and not document.get(urn):
        document.pop(urn, None)

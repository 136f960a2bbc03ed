"""PATCH operations applied to a document (RFC 7644 §3.5.2), in Entra's dialect.

Works on the stored JSON: values that no schema declares obey the same operations, and no model rewrites a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scim2_models import (
    InvalidValueException,
    MutabilityException,
    NoTargetException,
)

from scim.provisioning.attribute_paths import AttributePath, resolve_path
from scim.provisioning.document_reader import Document, read_for
from scim.provisioning.entry_selection import Entry, appended, assign, merged, without_selected, write_selected
from scim.resources.schema import Attribute, ResourceSchema
from scim.resources.values import ABSENT

_IGNORED = frozenset({"schemas", "password"})
"""``schemas`` is computed from what is present; a password is accepted and never kept."""


@dataclass(frozen=True, slots=True)
class PatchOperation:
    """One operation as read: ``op`` is add, replace or remove; a remove without value has ``value`` None."""

    op: str
    path: AttributePath | None
    value: Any = None


def apply_operation(document: Document, operation: PatchOperation, schema: ResourceSchema) -> None:
    """Change a document in place by one operation.

    Entra needs what the RFC refuses: a filter that matches no entry creates the entry it describes, ``replace`` with
    ``""`` or null clears, and a pathless value may have dotted names and URN paths as keys.

    :raises MutabilityException, InvalidValueException, InvalidPathException: With a sentence that says what to change.
    """
    if operation.path is None:
        for name, value in _members_of(operation).items():
            _write(document, resolve_path(name, schema), value, operation.op)
    elif operation.op == "remove":
        _remove(document, operation.path, operation.value)
    else:
        _write(document, operation.path, operation.value, operation.op)


def _members_of(operation: PatchOperation) -> Mapping[str, Any]:
    if operation.op == "remove":
        raise NoTargetException(detail="A remove operation needs a path that names what to remove.")
    if not isinstance(operation.value, Mapping):
        raise InvalidValueException(detail=f"An {operation.op} operation without path needs an object as its value.")
    return operation.value


def _refuse_read_only(path: AttributePath) -> None:
    for attribute in (path.attribute, path.sub):
        if attribute is not None and attribute.mutability == "readOnly":
            raise MutabilityException(detail=f"{path.text} is read-only; remove it from the attribute mapping.")


def _write(document: Document, path: AttributePath, value: Any, op: str) -> None:
    if path.attribute is None:
        _write_extension(document, path, value, op)
        return
    if path.urn is None and path.attribute.name in _IGNORED:
        return
    _refuse_read_only(path)
    holder = document if path.urn is None else document.setdefault(path.urn, {})
    if path.value_filter is not None:
        write_selected(holder, path, value)
    elif path.sub is not None:
        _write_sub_attribute(holder, path, value)
    else:
        _write_attribute(holder, path, value, op)
    _drop_empty_extension(document, path.urn)


def _write_extension(document: Document, path: AttributePath, value: Any, op: str) -> None:
    if value is None:
        document.pop(path.urn or "", None)
        return
    if not isinstance(value, Mapping):
        raise InvalidValueException(detail=f"{path.text} must be an object with the extension's attributes.")
    for name, item in value.items():
        _write(document, _in_extension(path, name), item, op)


def _in_extension(path: AttributePath, name: str) -> AttributePath:
    attribute = path.extension.attributes.get(name.lower()) if path.extension else None
    return AttributePath(
        f"{path.urn}:{name}",
        path.urn,
        attribute or Attribute(name, "string", lenient=True),
        declared=attribute is not None,
    )


def _write_attribute(holder: Entry, path: AttributePath, value: Any, op: str) -> None:
    read = read_for(path, value)
    attribute, current = path.attribute, holder.get(path.key)
    if attribute is None:
        return
    if read is ABSENT:
        if op == "replace":
            _unassign(holder, path)
    elif attribute.multi_valued and op == "add" and isinstance(current, list):
        holder[path.key] = appended(current, read)
    elif attribute.type == "complex" and isinstance(current, dict) and isinstance(read, dict):
        holder[path.key] = merged(attribute, current, value, path)
    else:
        holder[path.key] = read


def _unassign(holder: Entry, path: AttributePath) -> None:
    if path.attribute is not None and path.attribute.required:
        raise MutabilityException(detail=f"{path.text} is required and cannot be removed.")
    holder.pop(path.key, None)


def _write_sub_attribute(holder: Entry, path: AttributePath, value: Any) -> None:
    """Write ``name.givenName``, or ``emails.type`` of every entry; a missing attribute is created."""
    read, current = read_for(path, value), holder.get(path.key)
    sub, attribute = path.sub, path.attribute
    if sub is None or attribute is None:
        return
    if isinstance(current, list):
        for entry in _entries(current):
            assign(entry, sub.name, read)
        holder[path.key] = [entry for entry in current if entry != {}]
    elif read is not ABSENT:
        entry = {**(current if isinstance(current, dict) else {}), sub.name: read}
        holder[path.key] = [entry] if attribute.multi_valued else entry
    elif isinstance(current, dict):
        current.pop(sub.name, None)
    if not holder.get(path.key):
        holder.pop(path.key, None)


def _entries(items: list[Any]) -> list[Entry]:
    return [item for item in items if isinstance(item, dict)]


def _remove(document: Document, path: AttributePath, value: Any) -> None:
    if path.attribute is None:
        document.pop(path.urn or "", None)
        return
    if path.urn is None and path.attribute.name in _IGNORED:
        return
    _refuse_read_only(path)
    holder = document if path.urn is None else document.get(path.urn)
    if isinstance(holder, dict) and path.key in holder:
        _remove_from(holder, path, value)
    _drop_empty_extension(document, path.urn)


def _remove_from(holder: Entry, path: AttributePath, value: Any) -> None:
    current = holder[path.key]
    whole = path.value_filter is None and path.sub is None
    if whole and (value in (None, "") or not isinstance(current, list)):
        _unassign(holder, path)
        return
    holder[path.key] = _what_is_left(current, path, value, whole=whole)
    if not holder[path.key]:
        del holder[path.key]


def _what_is_left(current: Any, path: AttributePath, value: Any, *, whole: bool) -> Any:
    if whole:
        return [item for item in current if not _named_by(item, value)]
    if isinstance(current, list):
        return without_selected(current, path)
    if isinstance(current, dict):
        return {key: item for key, item in current.items() if path.sub is None or key != path.sub.name}
    return current


def _named_by(item: Any, value: Any) -> bool:
    """Tell whether Entra's ``remove`` with a value names this entry: all given sub-attributes are equal."""
    for named in value if isinstance(value, list) else [value]:
        if isinstance(named, Mapping) and isinstance(item, dict):
            if named and all(item.get(key) == wanted for key, wanted in named.items() if wanted is not None):
                return True
        elif item == named:
            return True
    return False


def _drop_empty_extension(document: Document, urn: str | None) -> None:
    if urn is not None and not document.get(urn):
        document.pop(urn, None)

"""PATCH operations applied to a document (RFC 7644 §3.5.2), in Entra's dialect.

Works on the stored JSON: values that no schema declares obey the same operations, and no model rewrites a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scim2_models import (
    InvalidPathException,
    InvalidValueException,
    MutabilityException,
    NoTargetException,
)
from scim2_models.path import Comparison, CompareOperator, FilterNode, LogicalExpr, LogicalOperator

from scim.provisioning.attribute_paths import AttributePath, resolve_path
from scim.provisioning.document_reader import Document, read_for
from scim.resources.filter import compile_entry_filter
from scim.resources.schema import Attribute, ResourceSchema
from scim.resources.values import ABSENT, read_value

_IGNORED = frozenset({"schemas", "password"})
"""``schemas`` is computed from what is present; a password is accepted and never kept."""

Entry = dict[str, Any]


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
        _write_selected(holder, path, value)
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
        holder[path.key] = _appended(current, read)
    elif attribute.type == "complex" and isinstance(current, dict) and isinstance(read, dict):
        holder[path.key] = _merged(attribute, current, value, path)
    else:
        holder[path.key] = read


def _appended(current: list[Any], added: list[Any]) -> list[Any]:
    new = [item for item in added if item not in current]
    if any(isinstance(item, dict) and item.get("primary") is True for item in new):
        current = [_not_primary(item) for item in current]
    return [*current, *new]


def _not_primary(item: Any) -> Any:
    return {**item, "primary": False} if isinstance(item, dict) and item.get("primary") is True else item


def _merged(attribute: Attribute, current: Entry, value: Any, path: AttributePath) -> Entry:
    """Return a complex value with the given sub-attributes written and the others kept (RFC 7644 §3.5.2.3)."""
    merged = dict(current)
    for name, item in (value if isinstance(value, Mapping) else {"value": value}).items():
        sub = attribute.sub_attribute(name) or Attribute(name, "string", lenient=True)
        if sub.mutability != "readOnly":
            _assign(merged, sub.name, read_value(sub, item, f"{path.text}.{sub.name}"))
    return merged


def _assign(entry: Entry, key: str, value: Any) -> None:
    if value is ABSENT:
        entry.pop(key, None)
    else:
        entry[key] = value


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
            _assign(entry, sub.name, read)
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


def _write_selected(holder: Entry, path: AttributePath, value: Any) -> None:
    """Write into the entries a filter selects; where none matches, create the entry it describes (Entra expects it)."""
    matches = _matcher(path)
    current = holder.get(path.key)
    items = list(current) if isinstance(current, list) else []
    selected = [item for item in items if matches(item)]
    if selected:
        _write_entries(items, selected, path, value)
    else:
        created = _described_entry(path, value)
        if created is None:
            return
        items = _appended(items, [created])
    kept = [item for item in items if item != {}]
    holder[path.key] = kept
    if not kept:
        del holder[path.key]


def _matcher(path: AttributePath) -> Callable[[Any], bool]:
    if path.value_filter is None or path.attribute is None:
        raise InvalidPathException(detail=f"{path.text} selects no entries.")
    return compile_entry_filter(path.value_filter, path.attribute, path.text)


def _write_entries(items: list[Any], selected: list[Any], path: AttributePath, value: Any) -> None:
    for item in selected:
        changed = _changed_entry(item, path, value)
        items[next(index for index, other in enumerate(items) if other is item)] = changed
        if changed.get("primary") is True and item.get("primary") is not True:
            items[:] = [other if other is changed else _not_primary(other) for other in items]


def _changed_entry(entry: Any, path: AttributePath, value: Any) -> Entry:
    if not isinstance(entry, dict) or path.attribute is None:
        raise InvalidPathException(detail=f"{path.text} selects plain values; name the whole attribute instead.")
    if path.sub is None:
        if not isinstance(value, Mapping):
            raise InvalidValueException(detail=f"The value for {path.text} must be an object with sub-attributes.")
        return _merged(path.attribute, entry, value, path)
    changed = dict(entry)
    _assign(changed, path.sub.name, read_for(path, value))
    return changed


def _described_entry(path: AttributePath, value: Any) -> Entry | None:
    described = _equalities(path.value_filter)
    if described is None or path.attribute is None:
        raise NoTargetException(detail=f"No value matches {path.text}, and its filter describes none to create.")
    start = {
        sub.name: read_value(sub, item, path.text)
        for name, item in described.items()
        if (sub := path.attribute.sub_attribute(name) or Attribute(name, "string", lenient=True))
    }
    entry = _changed_entry(start, path, value)
    if entry == start and path.sub is not None and path.sub.name not in start:
        return None
    if not _matcher(path)(entry):
        raise InvalidValueException(detail=f"The value contradicts the filter of {path.text}.")
    return entry


def _equalities(node: FilterNode | None) -> dict[str, Any] | None:
    """Return the sub-attribute values that a filter of ``eq`` joined by ``and`` describes, or None for another filter."""
    terms = node.terms if isinstance(node, LogicalExpr) and node.op is LogicalOperator.and_ else (node,)
    described: dict[str, Any] = {}
    for term in terms:
        if not isinstance(term, Comparison) or term.op is not CompareOperator.eq or term.attr_path.sub_attr:
            return None
        described[term.attr_path.attr] = term.value
    return described


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
    if path.value_filter is None and path.sub is None:
        if value in (None, "") or not isinstance(current, list):
            _unassign(holder, path)
            return
        kept = [item for item in current if not _named_by(item, value)]
    elif isinstance(current, list):
        kept = _without_selected(current, path)
    else:
        kept = {key: item for key, item in current.items() if path.sub is None or key != path.sub.name}
    holder[path.key] = kept
    if not kept:
        del holder[path.key]


def _named_by(item: Any, value: Any) -> bool:
    """Tell whether Entra's ``remove`` with a value names this entry: all given sub-attributes are equal."""
    for named in value if isinstance(value, list) else [value]:
        if isinstance(named, Mapping) and isinstance(item, dict):
            if named and all(item.get(key) == wanted for key, wanted in named.items() if wanted is not None):
                return True
        elif item == named:
            return True
    return False


def _without_selected(items: list[Any], path: AttributePath) -> list[Any]:
    matches = _matcher(path) if path.value_filter is not None else lambda _: True
    if path.sub is None:
        return [item for item in items if not matches(item)]
    name = path.sub.name
    changed = [
        {key: kept for key, kept in item.items() if key != name} if isinstance(item, dict) and matches(item) else item
        for item in items
    ]
    return [item for item in changed if item != {}]


def _drop_empty_extension(document: Document, urn: str | None) -> None:
    if urn is not None and not document.get(urn):
        document.pop(urn, None)

"""Entries of a multi-valued attribute, as PATCH paths select, change and create them (RFC 7644 §3.5.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scim2_models import InvalidPathException, InvalidValueException, NoTargetException
from scim2_models.path import CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator

from scim.provisioning.attribute_paths import AttributePath
from scim.provisioning.document_reader import read_for
from scim.resources.filter import compile_entry_filter
from scim.resources.schema import Attribute
from scim.resources.values import ABSENT, read_value

Entry = dict[str, Any]


def write_selected(holder: Entry, path: AttributePath, value: Any) -> None:
    """Write into the entries a filter selects; where none matches, create the one it describes (Entra expects it)."""
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
        items = appended(items, [created])
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
        return merged(path.attribute, entry, value, path)
    changed = dict(entry)
    assign(changed, path.sub.name, read_for(path, value))
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
    """Return the values that a filter of ``eq`` joined by ``and`` describes, or None for another filter."""
    terms = node.terms if isinstance(node, LogicalExpr) and node.op is LogicalOperator.and_ else (node,)
    described: dict[str, Any] = {}
    for term in terms:
        if not isinstance(term, Comparison) or term.op is not CompareOperator.eq or term.attr_path.sub_attr:
            return None
        described[term.attr_path.attr] = term.value
    return described


def appended(current: list[Any], added: list[Any]) -> list[Any]:
    """Return a multi-valued attribute with values added; a new primary one unmarks the others (RFC 7644 §3.5.2)."""
    new = [item for item in added if item not in current]
    if any(isinstance(item, dict) and item.get("primary") is True for item in new):
        current = [_not_primary(item) for item in current]
    return [*current, *new]


def _not_primary(item: Any) -> Any:
    return {**item, "primary": False} if isinstance(item, dict) and item.get("primary") is True else item


def merged(attribute: Attribute, current: Entry, value: Any, path: AttributePath) -> Entry:
    """Return a complex value with the given sub-attributes written and the others kept (RFC 7644 §3.5.2.3)."""
    result = dict(current)
    for name, item in (value if isinstance(value, Mapping) else {"value": value}).items():
        sub = attribute.sub_attribute(name) or Attribute(name, "string", lenient=True)
        if sub.mutability != "readOnly":
            assign(result, sub.name, read_value(sub, item, f"{path.text}.{sub.name}"))
    return result


def assign(entry: Entry, key: str, value: Any) -> None:
    """Set a sub-attribute in place, or remove it when the value leaves it unassigned."""
    if value is ABSENT:
        entry.pop(key, None)
    else:
        entry[key] = value


def without_selected(items: list[Any], path: AttributePath) -> list[Any]:
    """Return a multi-valued attribute without what a path selects: entries, or one sub-attribute of them."""
    matches = _matcher(path) if path.value_filter is not None else lambda _: True
    if path.sub is None:
        return [item for item in items if not matches(item)]
    name = path.sub.name
    changed = [
        {key: kept for key, kept in item.items() if key != name} if isinstance(item, dict) and matches(item) else item
        for item in items
    ]
    return [item for item in changed if item != {}]

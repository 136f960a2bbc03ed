"""Entries of a multi-valued attribute, as PATCH paths select, change and create them (RFC 7644 §3.5.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scim2_models import InvalidPathException, InvalidValueException, NoTargetException
from scim2_models.path import CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator

from scim.provisioning.attribute_paths import AttributePath
from scim.provisioning.entry_identity import identity
from scim.resources.filter import compile_entry_filter
from scim.resources.schema import Attribute
from scim.resources.values import ABSENT, read_sub_attributes, read_value

Entry = dict[str, Any]


def write_selected(holder: Entry, path: AttributePath, value: Any) -> None:
    """Write into the entries a filter selects; where none matches, create the entry it describes (Entra expects it)."""
    matches = matcher(path)
    current = holder.get(path.key)
    items = list(current) if isinstance(current, list) else []
    selected = [matches(item) for item in items]
    if any(selected):
        pairs = zip(items, selected, strict=True)
        changed = [_changed_entry(item, path, value) if chosen else item for item, chosen in pairs]
        items = with_one_primary(items, changed, path)
    else:
        created = _described_entry(path, value)
        items = items if created is None else appended(path.attribute, items, [created])
    keep_entries(holder, path, items)


def keep_entries(holder: Entry, path: AttributePath, items: list[Any]) -> None:
    """Store the entries that hold anything; without any the attribute is unassigned."""
    kept = [item for item in items if item != {}]
    if kept:
        holder[path.key] = kept
    else:
        holder.pop(path.key, None)


def matcher(path: AttributePath) -> Callable[[Any], bool]:
    """Return the test for the entries that a path selects.

    :raises InvalidFilterException: When its filter fits no entry of the attribute.
    """
    if path.value_filter is None or path.attribute is None:
        raise InvalidPathException(detail=f"{path.text} selects no entries.")
    return compile_entry_filter(path.value_filter, path.attribute, path.text)


def _changed_entry(entry: Any, path: AttributePath, value: Any) -> Entry:
    if not isinstance(entry, dict) or path.attribute is None:
        raise InvalidPathException(detail=f"{path.text} selects plain values; name the whole attribute instead.")
    if path.sub is not None:
        return with_sub_attribute(path.attribute, entry, path, value)
    if not isinstance(value, Mapping):
        raise InvalidValueException(detail=f"The value for {path.text} must be an object with sub-attributes.")
    return merged(path.attribute, entry, value, path.text)


def _described_entry(path: AttributePath, value: Any) -> Entry | None:
    """Return the entry that a filter describes, with the value written; None when there would be nothing to say."""
    described = _equalities(path.value_filter)
    if described is None or path.attribute is None:
        raise NoTargetException(detail=f"No value matches {path.text}, and its filter describes none to create.")
    if path.sub is not None and value in (None, ""):
        return None
    start = {
        sub.name: read_value(sub, item, path.text)
        for name, item in described.items()
        if (sub := path.attribute.sub_attribute(name) or Attribute(name, "string", lenient=True))
    }
    entry = _changed_entry(start, path, value)
    if not matcher(path)(entry):
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


def appended(attribute: Attribute | None, current: list[Any], added: list[Any]) -> list[Any]:
    """Return a multi-valued attribute with values added that it does not have; a new primary one unmarks the others."""
    if attribute is None:
        return current
    known = {identity(attribute, item) for item in current}
    new = [item for item in added if identity(attribute, item) not in known]
    if any(_is_primary(item) for item in new):
        current = [_not_primary(item) for item in current]
    return [*current, *new]


def with_one_primary(before: list[Any], after: list[Any], path: AttributePath) -> list[Any]:
    """Return changed entries with the newly marked primary one as the only one (RFC 7644 §3.5.2).

    :raises InvalidValueException: When several entries were marked at once.
    """
    pairs = enumerate(zip(before, after, strict=True))
    marked = [index for index, (old, new) in pairs if _is_primary(new) and not _is_primary(old)]
    if not marked:
        return after
    if len(marked) > 1:
        raise InvalidValueException(detail=f"{path.text} marks several values as primary; mark a single one.")
    return [item if index == marked[0] else _not_primary(item) for index, item in enumerate(after)]


def _is_primary(item: Any) -> bool:
    return isinstance(item, dict) and item.get("primary") is True


def _not_primary(item: Any) -> Any:
    return {**item, "primary": False} if _is_primary(item) else item


def with_sub_attribute(attribute: Attribute, current: Entry, path: AttributePath, value: Any) -> Entry:
    """Return a complex value with the sub-attribute of a path written; null clears it."""
    if path.sub is None:
        return current
    return merged(attribute, current, {path.sub.name: value}, path.text.rpartition(".")[0])


def merged(attribute: Attribute, current: Entry, value: Mapping[str, Any], label: str) -> Entry:
    """Return a complex value with the given sub-attributes written and the others kept (RFC 7644 §3.5.2.3).

    A ``$ref`` leaves with the ``value`` it was for, and a reference that loses its ``value`` is none any more.
    """
    read = read_sub_attributes(attribute, value, label)
    written: Entry = {} if read is ABSENT else read
    cleared = {name for name in (_writable_name(attribute, name) for name in value) if name not in written}
    before, after = current.get("value"), None if "value" in cleared else written.get("value", current.get("value"))
    if before != after:
        if after is None and _is_reference(attribute):
            return {}
        cleared |= {"$ref"} - written.keys()
    kept = {name: item for name, item in current.items() if name not in cleared}
    return {**kept, **written}


def _writable_name(attribute: Attribute, name: str) -> str | None:
    sub = attribute.sub_attribute(name)
    if sub is None:
        return name
    return None if sub.mutability == "readOnly" else sub.name


def _is_reference(attribute: Attribute) -> bool:
    value = attribute.sub_attribute("value")
    return value is not None and value.required


def without_selected(items: list[Any], path: AttributePath) -> list[Any]:
    """Return a multi-valued attribute without what a path selects: entries, or one sub-attribute of them."""
    matches = matcher(path) if path.value_filter is not None else lambda _: True
    attribute = path.attribute
    if path.sub is None or attribute is None:
        return [item for item in items if not matches(item)]
    return [
        with_sub_attribute(attribute, item, path, None) if isinstance(item, dict) and matches(item) else item
        for item in items
    ]

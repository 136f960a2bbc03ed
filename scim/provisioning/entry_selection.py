"""Entries of a multi-valued attribute, as PATCH paths select, change and create them (RFC 7644 §3.5.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scim2_models import InvalidPathException, InvalidValueException, NoTargetException
from scim2_models.path import CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator

from scim.provisioning.attribute_paths import AttributePath
from scim.provisioning.entry_list import EntryList
from scim.resources.filter import compile_entry_filter
from scim.resources.schema import Attribute
from scim.resources.values import ABSENT, read_sub_attributes, read_value

Entry = dict[str, Any]

_TELLING = frozenset({"value", "$ref", "primary"})
"""Sub-attributes by which entries are told apart, or of which one entry only may have a certain value."""


def write_selected(entries: EntryList, path: AttributePath, value: Any) -> None:
    """Write into the entries a filter selects; where none matches, create the entry it describes (Entra expects it)."""
    selected = entries.where(matcher(path), path.value_filter)
    if selected:
        entries.change(selected, lambda entry: _changed_entry(entry, path, value), path.text)
        return
    created = _described_entry(path, value)
    if created is not None:
        entries.append([created])


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


def write_sub_attribute_everywhere(entries: EntryList, path: AttributePath, value: Any) -> None:
    """Write ``emails.type`` of every entry; null clears it."""
    attribute, sub = entries.attribute, path.sub
    if sub is None:
        return
    if sub.name in _TELLING or value is None:
        entries.change(
            entries.where(lambda entry: isinstance(entry, dict)),
            lambda entry: with_sub_attribute(attribute, entry, path, value),
            path.text,
        )
        return
    read = read_sub_attributes(attribute, {sub.name: value}, path.text.rpartition(".")[0])
    if read is ABSENT:
        write_sub_attribute_everywhere(entries, path, None)
    else:
        entries.write_everywhere(read)


def with_sub_attribute(attribute: Attribute, entry: Entry, path: AttributePath, value: Any) -> Entry:
    """Return a complex value after the sub-attribute of a path was written into it; null clears it."""
    if path.sub is None:
        return entry
    return merged(attribute, entry, {path.sub.name: value}, path.text.rpartition(".")[0])


def merged(attribute: Attribute, entry: Entry, value: Mapping[str, Any], label: str) -> Entry:
    """Return a complex value after sub-attributes were written into it, the others kept (RFC 7644 §3.5.2.3).

    A ``$ref`` leaves with the ``value`` it was for, and a reference that loses its ``value`` is none any more.
    """
    read = read_sub_attributes(attribute, value, label)
    written: Entry = {} if read is ABSENT else read
    cleared = {name for each in value if (name := _writable_name(attribute, each)) is not None and name not in written}
    before, after = entry.get("value"), None if "value" in cleared else written.get("value", entry.get("value"))
    if before != after:
        if after is None and _is_reference(attribute):
            return {}
        cleared |= {"$ref"} - written.keys()
    for name in cleared:
        entry.pop(name, None)
    for name, item in written.items():
        entry[name] = item
    return entry


def _writable_name(attribute: Attribute, name: str) -> str | None:
    sub = attribute.sub_attribute(name)
    if sub is None:
        return name
    return None if sub.mutability == "readOnly" else sub.name


def _is_reference(attribute: Attribute) -> bool:
    value = attribute.sub_attribute("value")
    return value is not None and value.required


def remove_selected(entries: EntryList, path: AttributePath) -> None:
    """Remove what a path selects: entries, or one sub-attribute of them."""
    if path.value_filter is None:
        write_sub_attribute_everywhere(entries, path, None)
        return
    selected = entries.where(matcher(path), path.value_filter)
    if path.sub is None:
        entries.remove(selected)
        return
    attribute = entries.attribute
    entries.change(
        selected,
        lambda entry: with_sub_attribute(attribute, entry, path, None) if isinstance(entry, dict) else entry,
        path.text,
    )

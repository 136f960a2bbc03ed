"""The value that an attribute mapping's path names in a document, in the mapping's type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scim2_models import InvalidPathException, Path
from scim2_models.path import AttrPath, ValuePath

from scim.directories.attribute_mapping import AttributeMapping
from scim.resources.document_values import Document, ResolvedAttribute, raw_reader, resolve_attribute, stored_name
from scim.resources.filter import compile_entry_filter
from scim.resources.request_limits import cached_when_short
from scim.resources.schema import Attribute, ResourceSchema
from scim.resources.values import ABSENT, WrongTypeError, read_value

Read = Callable[[Document], list[Any]]


@cached_when_short(2048)
def values_reader(path: str, schema: ResourceSchema) -> tuple[ResolvedAttribute, Read] | None:
    """Return what a path names in a schema and a function giving its JSON values in a document; None for no attribute.

    :param path: An attribute, a sub-attribute, or entries selected in brackets and a sub-attribute of them.
    """
    node = _parse(path)
    if isinstance(node, ValuePath):
        return _selected_reader(node, schema)
    if not isinstance(node, AttrPath):
        return None
    resolved = resolve_attribute(schema, node)
    if resolved is None:
        return None
    read = raw_reader(resolved)
    return resolved, lambda document: _values(read(document), resolved.sub)


def _parse(path: str) -> object:
    try:
        return Path(path).ast
    except (InvalidPathException, ValueError):
        return None


def _selected_reader(node: ValuePath, schema: ResourceSchema) -> tuple[ResolvedAttribute, Read] | None:
    resolved = resolve_attribute(schema, AttrPath(node.attr_path.attr, node.sub_attr, node.attr_path.uri))
    if resolved is None or not resolved.attribute.multi_valued:
        return None
    matches = compile_entry_filter(node.val_filter, resolved.attribute, resolved.attribute.name)
    read = raw_reader(resolved)

    def read_selected(document: Document) -> list[Any]:
        entries = read(document)
        selected = [entry for entry in entries if matches(entry)] if isinstance(entries, list) else []
        return _values(selected, resolved.sub)

    return resolved, read_selected


def _values(value: Any, sub: Attribute | None) -> list[Any]:
    entries = value if isinstance(value, list) else [value]
    if sub is not None:
        entries = [entry.get(stored_name(entry, sub.name)) if isinstance(entry, dict) else None for entry in entries]
    return [entry for entry in entries if entry is not None]


def mapped_value(mapping: AttributeMapping, schema: ResourceSchema, document: Document) -> Any:
    """Return a mapping's value in a document, in the mapping's type, or ``ABSENT``.

    What does not have the type is absent, unless it is text that converts and back to the very same text.
    Several values where the mapping has one: the first.
    """
    found = values_reader(mapping.path, schema)
    if found is None:
        return ABSENT
    typed = [value for raw in found[1](document) if (value := _typed(mapping, raw)) is not ABSENT]
    if not typed:
        return ABSENT
    return typed if mapping.multi_valued else typed[0]


def _typed(mapping: AttributeMapping, value: Any) -> Any:
    if isinstance(value, dict):
        value = value.get("value")
    try:
        return read_value(Attribute(mapping.name, mapping.type), value, mapping.name)
    except WrongTypeError:
        return ABSENT


def has_wrong_type(mapping: AttributeMapping, schema: ResourceSchema, document: Document) -> bool:
    """Tell whether a document holds a value under a mapping's path that does not have the mapping's type."""
    found = values_reader(mapping.path, schema)
    return found is not None and any(_typed(mapping, raw) is ABSENT for raw in found[1](document))

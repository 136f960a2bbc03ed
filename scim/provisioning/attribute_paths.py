"""Attribute paths (RFC 7644 §3.10, §3.5.2) resolved to the place in a document they name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from scim2_models import InvalidPathException, Path
from scim2_models.path import (
    AttrPath,
    CompareOperator,
    Comparison,
    FilterNode,
    LogicalExpr,
    Not,
    Present,
    ValuePath,
)

from scim.provisioning.entra_normalization import canonical_urn
from scim.resources.document_values import parse_attribute_path, stored_name
from scim.resources.filter import comparisons_in, fault_in_literals
from scim.resources.request_limits import MAX_PATH_COMPARISONS, cached_when_short, require_short_path
from scim.resources.schema import ENTERPRISE_URN, Attribute, Extension, ResourceSchema

_EXTENSION_URN = re.compile(r"urn:\S+:\d+(\.\d+)*:(User|Group)", re.IGNORECASE | re.ASCII)
_SELECTION = re.compile(
    r'([^\[\]\s"]{1,200})\[(?!not )(\$?[a-z][a-z0-9$_-]*) eq "([^"\\\x00-\x1f]*)"\](?:\.(\$?[a-z][a-z0-9$_-]*))?',
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class AttributePath:
    """A place in a document: an extension, an attribute, its selected entries, a sub-attribute."""

    text: str
    urn: str | None
    """The key of the extension that holds the attribute, as in the document; None for the core schema."""
    attribute: Attribute | None
    """The attribute, or None when the path names a whole extension, or with no URN the resource itself."""
    declared: bool
    """Whether a schema declares the attribute; the values of others are kept as sent."""
    value_filter: FilterNode | None = None
    sub: Attribute | None = None
    extension: Extension | None = None
    """The declared extension that holds the attribute."""

    @property
    def key(self) -> str:
        """The attribute's name as a document holds it."""
        return self.attribute.name if self.attribute else ""


def path_in(document: Mapping[str, Any], path: AttributePath) -> AttributePath:
    """Return a path with its names in the letter case in which a document holds them, so that nothing is held twice.

    Only what no schema declared when it was written can be held in another than the schema's.
    """
    urn = stored_name(document, path.urn) if path.urn else None
    holder, attribute, sub = document if urn is None else document.get(urn), path.attribute, path.sub
    if attribute is not None and isinstance(holder, Mapping):
        attribute = _named_as_in(holder, attribute)
        value = holder.get(attribute.name)
        if sub is not None and isinstance(value, Mapping):
            sub = _named_as_in(value, sub)
            if sub is not path.sub:
                attribute = replace(attribute, sub_attributes={**attribute.sub_attributes, sub.name.lower(): sub})
    if urn == path.urn and attribute is path.attribute:
        return path
    return replace(path, urn=urn, attribute=attribute, sub=sub)


def _named_as_in(holder: Mapping[str, Any], attribute: Attribute) -> Attribute:
    name = stored_name(holder, attribute.name)
    return attribute if attribute.name == name else replace(attribute, name=name)


@cached_when_short(2048)
def resolve_path(text: str, schema: ResourceSchema) -> AttributePath:
    """Return the place a path names, whatever its letter case; a short name may stand for an enterprise attribute.

    :raises InvalidPathException: When the text is no attribute path, or longer than 1,000 characters.
    """
    require_short_path(text)
    whole = _whole_extension(text, schema)
    if whole is not None:
        return whole
    node = _parse(text)
    if isinstance(node, ValuePath):
        return _place(text, node.attr_path, node.val_filter, node.sub_attr, schema)
    if isinstance(node, AttrPath):
        return _place(text, node, None, node.sub_attr, schema)
    raise InvalidPathException(detail=f"{_shown(text)} is a comparison; a path names an attribute.")


def _whole_extension(text: str, schema: ResourceSchema) -> AttributePath | None:
    urn = canonical_urn(text)
    extension = schema.extension(urn)
    if extension is not None:
        return AttributePath(text, extension.urn, None, declared=True, extension=extension)
    if urn.lower() == schema.urn.lower():
        return AttributePath(text, None, None, declared=True)
    if _EXTENSION_URN.fullmatch(urn):
        return AttributePath(text, urn, None, declared=False)
    return None


def _parse(text: str) -> object:
    plain = None if text != text.strip() or not text.isascii() else parse_attribute_path(text) or _selection(text)
    if plain is not None:
        return plain  # As the grammar reads it, in a twentieth of its time.
    if comparisons_in(text) > MAX_PATH_COMPARISONS:
        raise InvalidPathException(
            detail=f"{_shown(text)} compares more than {MAX_PATH_COMPARISONS} times; select with fewer comparisons."
        )
    fault = fault_in_literals(text)
    if fault is not None:
        raise InvalidPathException(detail=f"The path holds {fault.value} in a text; send valid Unicode text.")
    try:
        return Path(text).ast
    except (ValueError, InvalidPathException, RecursionError) as error:
        raise InvalidPathException(
            detail=f"{_shown(text)} is not an attribute path; "
            'write it like name.givenName or emails[type eq "work"].value.'
        ) from error


def _selection(text: str) -> ValuePath | None:
    """Return a path such as ``emails[type eq "work"].value``, which is what Entra ID sends, or None for another."""
    match = _SELECTION.fullmatch(text)
    attribute = parse_attribute_path(match[1]) if match else None
    if match is None or attribute is None or attribute.sub_attr is not None:
        return None
    return ValuePath(attribute, Comparison(AttrPath(match[2]), CompareOperator.eq, match[3]), match[4])


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "…")  # noqa: PLR2004 - what a sentence can hold


def _place(
    text: str, node: AttrPath, value_filter: FilterNode | None, sub_name: str | None, schema: ResourceSchema
) -> AttributePath:
    urn = canonical_urn(node.uri) if node.uri else None
    if urn and urn.lower() == schema.urn.lower():
        urn = None
    attribute = schema.attribute(node.attr, urn)
    if attribute is None and urn is None:
        attribute, urn = _short_name(node.attr, schema)
    extension = schema.extension(urn) if urn else None
    declared = attribute is not None
    attribute = attribute or _undeclared(node.attr, value_filter)
    sub = None
    if sub_name is not None:
        sub = attribute.sub_attribute(sub_name) or Attribute(sub_name, "string", lenient=True)
    return AttributePath(text, extension.urn if extension else urn, attribute, declared, value_filter, sub, extension)


def _undeclared(name: str, value_filter: FilterNode | None) -> Attribute:
    """Return what a path takes an attribute for that no schema declares: with brackets a list of objects, else text."""
    if value_filter is None:
        return Attribute(name, "string", lenient=True)
    compared = {
        term.attr_path.attr.lower(): Attribute(term.attr_path.attr, "string", lenient=True)
        for term in _comparisons(value_filter)
    }
    return Attribute(name, "complex", multi_valued=True, lenient=True, sub_attributes=compared)


def _comparisons(node: FilterNode) -> Iterator[Comparison | Present]:
    if isinstance(node, (Comparison, Present)):
        yield node
    elif isinstance(node, Not):
        yield from _comparisons(node.expr)
    elif isinstance(node, LogicalExpr):
        for term in node.terms:
            yield from _comparisons(term)


def _short_name(name: str, schema: ResourceSchema) -> tuple[Attribute | None, str | None]:
    """Return the enterprise attribute of a name without URN: Entra sends ``manager``, its guide ``department``."""
    attribute = schema.attribute(name, ENTERPRISE_URN)
    return (attribute, ENTERPRISE_URN) if attribute else (None, None)

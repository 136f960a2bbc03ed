"""Reading documents by attribute path: names resolved once, values in the form comparisons use."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scim2_models.path import AttrPath

from scim.resources.comparison_key import comparison_key
from scim.resources.named_members import NamedMembers
from scim.resources.request_limits import MAX_NAME_LENGTH
from scim.resources.schema import ENTERPRISE_URN, Attribute, ResourceSchema
from scim.resources.values import parse_datetime, read_value

Document = Mapping[str, Any]
"""A resource as JSON: canonical attribute names, extension values under their URN."""

_URN = r"urn:[a-z0-9][a-z0-9._-]*(?::[a-z0-9][a-z0-9._-]*)+"
_NAME = r"\$?[a-z][a-z0-9$_-]*"
_ATTRIBUTE_PATH = re.compile(rf"(?:({_URN}):)?({_NAME})(?:\.({_NAME}))?", re.IGNORECASE | re.ASCII)
_LONGEST_QUOTE = 80


def parse_attribute_path(text: str) -> AttrPath | None:
    """Return a path in attribute notation (RFC 7644 §3.10), or None when the text is none or too long."""
    match = _ATTRIBUTE_PATH.fullmatch(text.strip()) if len(text) <= MAX_NAME_LENGTH else None
    return AttrPath(attr=match[2], sub_attr=match[3], uri=match[1]) if match else None


def quoted(text: object) -> str:
    """Return what a client sent in the form an error sentence can hold."""
    shown = str(text)
    if len(shown) > _LONGEST_QUOTE:
        shown = f"{shown[: _LONGEST_QUOTE - 1]}…"
    return f"'{shown}'" if '"' in shown else f'"{shown}"'


@dataclass(frozen=True, slots=True)
class ResolvedAttribute:
    """The attribute, or sub-attribute, that a path names in one schema."""

    path: str
    """The path as the client wrote it; used in errors."""
    urn: str | None
    """The key of the extension that holds the attribute; None for the core schema."""
    attribute: Attribute
    sub: Attribute | None = None

    @property
    def compared(self) -> Attribute:
        """The attribute whose type and letter case decide: the sub-attribute where there is one."""
        return self.sub or self.attribute

    @property
    def write_only(self) -> bool:
        """Whether the attribute is never given out, as ``password`` (RFC 7643 §7)."""
        return "writeOnly" in (self.attribute.mutability, self.compared.mutability)

    def with_value(self) -> ResolvedAttribute:
        """Return what a comparison with a complex attribute means: its ``value``, where it has one (RFC 7643 §2.4)."""
        value = None if self.sub else self.attribute.sub_attribute("value")
        return ResolvedAttribute(self.path, self.urn, self.attribute, value) if value else self


def resolve_attribute(schema: ResourceSchema, path: AttrPath) -> ResolvedAttribute | None:
    """Return what a path names, in any letter case, or None when the schema does not declare it.

    A name without URN may stand for an enterprise attribute, since Entra ID writes ``manager eq "id"``.
    """
    urn = path.uri
    attribute = schema.attribute(path.attr, urn)
    if attribute is None and urn is None:
        urn, attribute = ENTERPRISE_URN, schema.attribute(path.attr, ENTERPRISE_URN)
    if attribute is None:
        return None
    extension = schema.extension(urn) if urn else None
    key = extension.urn if extension else None
    if path.sub_attr is None:
        return ResolvedAttribute(str(path), key, attribute)
    sub = attribute.sub_attribute(path.sub_attr)
    return ResolvedAttribute(str(path), key, attribute, sub) if sub else None


def stored_name(holder: Mapping[str, Any], name: str) -> str:
    """Return the name in the letter case in which an object holds it, or as it is (RFC 7643 §2.1: names have none)."""
    if isinstance(holder, NamedMembers):
        return holder.stored_name(name)
    if name in holder:
        return name
    lowered = name.lower()
    return next((each for each in holder if len(each) == len(name) and each.lower() == lowered), name)


def raw_reader(resolved: ResolvedAttribute) -> Callable[[Document], Any]:
    """Return a function giving the JSON value of the attribute (not of its sub-attribute) in a document, or None.

    What was stored before a mapping declared it is found in the letter case in which it was sent.
    """
    name, urn = resolved.attribute.name, resolved.urn
    if urn is None:
        return lambda document: document.get(name)

    def read(document: Document) -> Any:
        extension = document.get(stored_name(document, urn))
        return extension.get(stored_name(extension, name)) if isinstance(extension, dict) else None

    return read


def value_reader(resolved: ResolvedAttribute) -> Callable[[Document], Any]:
    """Return a function giving the comparable value in a document, or None.

    For a multi-valued attribute it gives a list, or None in place of an empty one; an entry without the sub-attribute
    counts as None.
    """
    read = raw_reader(resolved)
    read_entries = _entries_reader(resolved) if resolved.attribute.multi_valued else _single_reader(resolved)
    return lambda document: read_entries(read(document))


def _single_reader(resolved: ResolvedAttribute) -> Callable[[Any], Any]:
    comparable = comparable_form(resolved.compared)
    if resolved.sub is None:
        return comparable
    name = resolved.sub.name
    return lambda value: comparable(value.get(stored_name(value, name))) if isinstance(value, dict) else None


def _entries_reader(resolved: ResolvedAttribute) -> Callable[[Any], Any]:
    read_entry = _single_reader(resolved)
    of_objects = resolved.sub is not None

    def read(entries: Any) -> list[Any] | None:
        if not isinstance(entries, list):
            return None
        values = [read_entry(entry) for entry in entries if not of_objects or isinstance(entry, dict)]
        return [value for value in values if of_objects or value is not None] or None

    return read


def comparable_form(attribute: Attribute) -> Callable[[Any], Any]:
    """Return a function giving what comparisons use in place of one JSON value; None for a value of another type.

    A value of another type is only ever held by a custom attribute, and counts as absent; text that came before its
    mapping counts as what it converts to.
    """
    if attribute.type in ("string", "reference"):
        return _exact_text if attribute.case_exact else _text
    form = _FORMS[attribute.type]
    if not attribute.lenient or attribute.type not in _FROM_TEXT:
        return form
    single = Attribute(attribute.name, attribute.type, lenient=True)
    return lambda value: form(read_value(single, value, single.name) if isinstance(value, str) else value)


_FROM_TEXT = frozenset({"boolean", "integer", "decimal"})


def _text(value: Any) -> str | None:
    return comparison_key(value) if isinstance(value, str) else None


def _exact_text(value: Any) -> str | None:
    return comparison_key(value, case_exact=True) if isinstance(value, str) else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> int | float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _instant(value: Any) -> datetime | None:
    return parse_datetime(value) if isinstance(value, str) else None


def _octets(value: Any) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except (binascii.Error, ValueError):
        return None


def _object(value: Any) -> Mapping[str, Any] | None:
    return value if isinstance(value, dict) else None


_FORMS: Mapping[str, Callable[[Any], Any]] = {
    "boolean": _boolean,
    "integer": _integer,
    "decimal": _number,
    "dateTime": _instant,
    "binary": _octets,
    "complex": _object,
}

"""The body of a POST or PUT, read into the document that is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scim2_models import InvalidPathException, InvalidSyntaxException, InvalidValueException

from scim.provisioning.attribute_paths import AttributePath, path_in, resolve_path
from scim.provisioning.entra_normalization import canonical_urn, normalize_resource
from scim.resources.named_members import NamedMembers
from scim.resources.request_limits import require_short_name
from scim.resources.schema import Attribute, ResourceSchema
from scim.resources.values import ABSENT, read_undeclared, read_value
from scim.unicode_text import hides_what_it_is

_KEY_ATTRIBUTE = {"User": "userName", "Group": "displayName"}
_NEVER_STORED = frozenset({"schemas", "id", "meta", "password", "groups", "members"})
"""Computed, read-only, secret, or kept in rows of their own."""

_NOTEWORTHY = {"User": frozenset({"password", "groups", "members"}), "Group": frozenset({"password", "groups"})}
_NOTHING: tuple[Any, ...] = (None, "", [])

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ReadResource:
    """A resource as sent: its document (without id and schemas) and, for a group, its members as sent."""

    document: Document
    members: list[Any]
    ignored: Sequence[str] = ()
    """The attributes that were sent and are never stored; not those that every client sends back as it read them."""


def read_resource(payload: Any, schema: ResourceSchema) -> ReadResource:
    """Return the resource a body describes, after Entra's forms are normalised (RFC 7644 §3.3, §3.5.1).

    :raises InvalidSyntaxException: When the body is no resource of this type.
    :raises InvalidValueException: When a value does not fit or a required attribute is missing.
    """
    if not isinstance(payload, Mapping):
        raise InvalidSyntaxException(detail=f"The body must be a JSON object describing one {schema.name}.")
    normalized = normalize_resource(payload)
    _require_schemas(normalized, schema)
    given = list(_short_names(normalized, schema))
    document: Document = NamedMembers()
    for name, value in given:
        require_short_name(name)
        if name.lower() not in _NEVER_STORED:
            write_member(document, name, value, schema)
    require_complete(document, schema)
    ignored = [name for name, value in given if name.lower() in _NOTEWORTHY[schema.name] and value not in _NOTHING]
    return ReadResource(_plain(document), _members_of(given, schema), ignored)


def _plain(document: Document) -> Document:
    """Return a document that was written as one of plain objects, which are quicker to write as JSON."""
    return {name: _plain(value) if isinstance(value, NamedMembers) else value for name, value in document.items()}


def _short_names(payload: Mapping[str, Any], schema: ResourceSchema) -> Iterator[tuple[str, Any]]:
    """Yield the members of a body; those of the core schema by their short names, also where its URN stands before."""
    urn = schema.urn.lower()
    for name, value in payload.items():
        if name.lower() == urn and isinstance(value, Mapping):
            yield from value.items()
        elif name.lower().startswith(f"{urn}:"):
            yield name[len(urn) + 1 :], value
        else:
            yield name, value


def _require_schemas(payload: Mapping[str, Any], schema: ResourceSchema) -> None:
    given = next((value for name, value in payload.items() if name.lower() == "schemas"), None)
    if isinstance(given, list) and any(
        isinstance(urn, str) and canonical_urn(urn).lower() == schema.urn.lower() for urn in given
    ):
        return
    raise InvalidSyntaxException(detail=f'The body must hold "schemas" as a list with "{schema.urn}".')


def require_complete(document: Document, schema: ResourceSchema, kept: Any = None) -> None:
    """Refuse a document whose userName (User) or displayName (Group) is missing or blank, or a disguised userName.

    What is shown of a userName must be what it is: people decide by it who may enter. A group's name only names it.

    :param kept: The userName that is stored already; keeping it is not refused.
    """
    name = _KEY_ATTRIBUTE[schema.name]
    value = document.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidValueException(detail=f"{name} is required and must not be empty; map a source attribute to it.")
    if name == "userName" and value != kept and hides_what_it_is(value):
        raise InvalidValueException(
            detail="userName must hold no control characters and none that turn the direction of text; "
            "remove them at the source, or map another attribute to it."
        )


def write_member(document: Document, name: str, value: Any, schema: ResourceSchema) -> None:
    """Write one member of a resource's JSON into a document: an attribute, an extension, or a path as Entra's keys are.

    :raises InvalidValueException: When the value does not fit or the attribute is given twice.
    """
    named = _place_of(name, schema)
    if named is None:
        _put(document, name, read_undeclared(value, name), name)
        return
    place = path_in(document, named)
    if place.attribute is None:
        _write_extension(document, place, value, schema)
    elif place.declared and place.attribute.mutability == "readOnly":
        return
    elif place.sub is None:
        holder = document if place.urn is None else document.setdefault(place.urn, NamedMembers())
        _put(holder, place.key, read_for(place, value), name)
        _drop_if_empty(document, place.urn)
    else:
        _write_sub_attribute(document, place, value, name)


def _place_of(name: str, schema: ResourceSchema) -> AttributePath | None:
    """Return the place a JSON member names, or None for a name that can only be kept as sent."""
    try:
        place = resolve_path(name, schema)
    except InvalidPathException:
        return None
    if place.value_filter is not None or (not place.declared and place.sub is not None):
        return None
    return place


def read_for(place: AttributePath, value: Any) -> Any:
    """Return a value read for the attribute or sub-attribute of a place, or ``ABSENT``."""
    target: Attribute | None = place.sub or place.attribute
    if target is None or not place.declared:
        return read_undeclared(value, place.text)
    return read_value(target, value, place.text)


def _write_extension(document: Document, place: AttributePath, value: Any, schema: ResourceSchema) -> None:
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise InvalidValueException(detail=f"{place.text} must be an object with the schema's attributes.")
    holder = document.setdefault(str(place.urn), NamedMembers())
    for name, item in value.items():
        require_short_name(name)
        attribute = schema.attribute(name, place.urn)
        path = f"{place.urn}:{name}"
        if attribute is None:
            _put(holder, name, read_undeclared(item, path), path)
        elif attribute.mutability != "readOnly":
            _put(holder, attribute.name, read_value(attribute, item, path), path)
    _drop_if_empty(document, place.urn)


def _write_sub_attribute(document: Document, place: AttributePath, value: Any, name: str) -> None:
    attribute, sub = place.attribute, place.sub
    if attribute is None or sub is None or attribute.type != "complex" or attribute.multi_valued:
        raise InvalidValueException(detail=f"{name} names no single sub-attribute; send its attribute as an object.")
    holder = document if place.urn is None else document.setdefault(place.urn, NamedMembers())
    inner = holder.setdefault(attribute.name, NamedMembers())
    _put(inner, sub.name, read_for(place, value), name)
    if not inner:
        del holder[attribute.name]
    _drop_if_empty(document, place.urn)


def _put(holder: Document, key: str, value: Any, name: str) -> None:
    if value is ABSENT:
        return
    if key in holder:
        raise InvalidValueException(detail=f"{name} is given twice; send it once.")
    holder[key] = value


def _drop_if_empty(document: Document, urn: str | None) -> None:
    if urn is not None and not document.get(urn):
        document.pop(urn, None)


def _members_of(given: Iterable[tuple[str, Any]], schema: ResourceSchema) -> list[Any]:
    if schema.name != "Group":
        return []
    found = [value for name, value in given if name.lower() == "members" and value is not None]
    if len(found) > 1:
        raise InvalidValueException(detail="members is given twice; send it once.")
    members = found[0] if found else []
    return members if isinstance(members, list) else [members]

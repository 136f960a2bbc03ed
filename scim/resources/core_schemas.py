"""The Schema resources that ``/Schemas`` announces (RFC 7643 §7), as JSON: what is announced is what is enforced."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from scim.resources.schema import AttributeType

SchemaDocument = dict[str, Any]
"""A Schema resource as JSON, without ``meta``. Those of this module are shared: not to be changed."""


_NAME = re.compile(r"(?P<name>[^.\[\]]+)(?P<brackets>\[.*\])?(?:\.(?P<sub>[^.\[\]]+))?", re.DOTALL)
_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"')
_COMPARED = re.compile(
    r"(?:^\[|[\s(])([a-z$][a-z0-9$_-]*)\s+(?:eq|ne|co|sw|ew|gt|ge|lt|le|pr)\b", re.IGNORECASE | re.ASCII
)


class CustomAttribute(NamedTuple):
    """An attribute of an extension that a directory defines."""

    name: str
    """Its name; ``device.serial`` or ``phones[type eq "work"].value`` for a sub-attribute of a complex attribute."""
    type: AttributeType
    multi_valued: bool = False
    """Whether it has several values; for a sub-attribute, whether the complex attribute has."""
    description: str = ""


@cache
def user_schema_document() -> SchemaDocument:
    """Return the core User schema (RFC 7643 §4.1); ``groups`` is returned on request, since it costs a query."""
    from scim2_models import User

    document = _document(User, "User Account")
    _attribute(document, "groups")["returned"] = "request"
    return document


@cache
def enterprise_user_schema_document() -> SchemaDocument:
    """Return the enterprise User extension schema (RFC 7643 §4.3); the ``$ref`` of a manager follows from its id."""
    from scim2_models import EnterpriseUser

    document = _document(EnterpriseUser, "Enterprise user")
    manager = _attribute(document, "manager")
    next(part for part in manager["subAttributes"] if part["name"] == "$ref")["required"] = False
    return document


@cache
def group_schema_document() -> SchemaDocument:
    """Return the core Group schema (RFC 7643 §4.2); ``displayName`` is unique, since Entra ID matches groups by it.

    No part of a member changes while it is one: its rows are written when it comes and deleted when it goes.
    """
    from scim2_models import Group

    document = _document(Group, "Group")
    _attribute(document, "displayName")["uniqueness"] = "server"
    for part in _attribute(document, "members")["subAttributes"]:
        part["mutability"] = "immutable"
    return document


def custom_extension_schema(urn: str, attributes: Iterable[CustomAttribute]) -> SchemaDocument:
    """Return the Schema of an extension that holds a directory's custom attributes.

    :param urn: The URN of the extension; the Schema is named by what precedes its version.
    """
    definitions: dict[str, dict[str, Any]] = {}
    for attribute in attributes:
        _define(definitions, attribute)
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": urn,
        "name": urn.split(":")[-3],
        "description": "Custom attributes",
        "attributes": list(definitions.values()),
    }


def _define(definitions: dict[str, dict[str, Any]], attribute: CustomAttribute) -> None:
    """Add an attribute, and what its brackets compare, so that filters can ask for it; the first of a name stays."""
    match = _NAME.fullmatch(attribute.name)
    if match is None:
        message = f"no attribute of an extension: {attribute.name}"
        raise ValueError(message)
    name, brackets, sub_name = match["name"], match["brackets"], match["sub"]
    if not brackets and not sub_name:
        definitions.setdefault(name.lower(), _definition(name, attribute))
        return
    holder = definitions.setdefault(name.lower(), _definition(name, CustomAttribute(name, "complex")))
    holder["type"] = "complex"
    holder["multiValued"] = holder["multiValued"] or attribute.multi_valued or bool(brackets)
    if sub_name:
        _add_sub_attribute(holder, _definition(sub_name, attribute._replace(multi_valued=False)))
    for compared in _COMPARED.findall(_LITERAL.sub("", brackets or "")):
        kind: AttributeType = "boolean" if compared.lower() == "primary" else "string"
        _add_sub_attribute(holder, _definition(compared, CustomAttribute(compared, kind)))


def _add_sub_attribute(holder: dict[str, Any], definition: dict[str, Any]) -> None:
    present = holder.setdefault("subAttributes", [])
    if definition["name"].lower() not in {sub["name"].lower() for sub in present}:
        present.append(definition)


def _definition(name: str, attribute: CustomAttribute) -> dict[str, Any]:
    definition: dict[str, Any] = {
        "name": name,
        "type": attribute.type,
        "multiValued": attribute.multi_valued,
        "description": attribute.description or name,
        "required": False,
        "caseExact": attribute.type in ("reference", "binary"),
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "none",
    }
    if attribute.type == "reference":
        definition["referenceTypes"] = ["uri"]
    return definition


def _document(model: Any, description: str) -> SchemaDocument:
    document: SchemaDocument = model.to_schema().model_dump()
    document["description"] = description
    _complete(document["attributes"])
    return document


def _complete(attributes: Iterable[dict[str, Any]]) -> None:
    """Give every attribute a description of one line; Entra ID accepts neither a null nor, in its editor, a gap."""
    for attribute in attributes:
        attribute["description"] = " ".join(attribute.get("description", attribute["name"]).split())
        _complete(attribute.get("subAttributes", ()))


def _attribute(document: SchemaDocument, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(attribute for attribute in document["attributes"] if attribute["name"] == name)
    return found

"""The attributes a directory accepts, as a tree that documents are read, filtered and patched by.

The tree is made from the very ``Schema`` resources that ``/Schemas`` announces, so what is announced is what is
enforced (RFC 7643 §7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

AttributeType = Literal["string", "boolean", "decimal", "integer", "dateTime", "reference", "binary", "complex"]

USER_URN = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_URN = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE_URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute or sub-attribute: its SCIM name and characteristics (RFC 7643 §2.2)."""

    name: str
    type: AttributeType
    multi_valued: bool = False
    required: bool = False
    case_exact: bool = False
    mutability: str = "readWrite"
    returned: str = "default"
    uniqueness: str = "none"
    sub_attributes: Mapping[str, Attribute] = field(default_factory=dict)
    """Sub-attributes by lower-case name; empty unless the type is complex."""
    lenient: bool = False
    """Whether a value of another type is kept as sent instead of refused: true for custom attributes."""

    def sub_attribute(self, name: str) -> Attribute | None:
        """Return the sub-attribute of a name in any letter case, or None."""
        return self.sub_attributes.get(name.lower())


@dataclass(frozen=True, slots=True)
class Extension:
    """A schema extension: its URN as announced and its attributes by lower-case name."""

    urn: str
    attributes: Mapping[str, Attribute]


@dataclass(frozen=True, slots=True, eq=False)
class ResourceSchema:
    """All that one resource type accepts: core attributes and extensions. Compared by identity: caches hold it."""

    name: Literal["User", "Group"]
    urn: str
    endpoint: str
    attributes: Mapping[str, Attribute]
    """Core and common attributes (id, externalId, meta, schemas) by lower-case name."""
    extensions: Mapping[str, Extension]
    """Extensions by lower-case URN."""

    def attribute(self, name: str, urn: str | None = None) -> Attribute | None:
        """Return an attribute by name, of the core schema or of the extension ``urn``, in any letter case, or None."""
        if urn is None or urn.lower() == self.urn.lower():
            return self.attributes.get(name.lower())
        extension = self.extensions.get(urn.lower())
        return extension.attributes.get(name.lower()) if extension else None

    def extension(self, urn: str) -> Extension | None:
        """Return the extension of a URN in any letter case, or None."""
        return self.extensions.get(urn.lower())


_META = Attribute(
    "meta",
    "complex",
    mutability="readOnly",
    sub_attributes={
        "resourcetype": Attribute("resourceType", "string", case_exact=True, mutability="readOnly"),
        "created": Attribute("created", "dateTime", mutability="readOnly"),
        "lastmodified": Attribute("lastModified", "dateTime", mutability="readOnly"),
        "location": Attribute("location", "reference", case_exact=True, mutability="readOnly"),
        "version": Attribute("version", "string", case_exact=True, mutability="readOnly"),
    },
)

COMMON_ATTRIBUTES: Mapping[str, Attribute] = {
    "schemas": Attribute("schemas", "reference", multi_valued=True, required=True, case_exact=True, returned="always"),
    "id": Attribute("id", "string", case_exact=True, mutability="readOnly", returned="always", uniqueness="server"),
    "externalid": Attribute("externalId", "string", case_exact=True),
    "meta": _META,
}
"""The attributes that every resource has (RFC 7643 §3.1); no schema lists them."""


def resource_schema(
    name: Literal["User", "Group"], core: Mapping[str, Any], extensions: Iterable[Mapping[str, Any]] = ()
) -> ResourceSchema:
    """Return the attribute tree of a resource type from SCIM Schema documents (RFC 7643 §7).

    :param core: The core schema, as JSON.
    :param extensions: The extension schemas, as JSON. Attributes of all but the enterprise extension are lenient.
    """
    extended = {
        str(extension["id"]).lower(): Extension(
            extension["id"], _attributes(extension["attributes"], lenient=extension["id"] != ENTERPRISE_URN)
        )
        for extension in extensions
    }
    attributes = {**COMMON_ATTRIBUTES, **_attributes(core["attributes"], lenient=False)}
    return ResourceSchema(name, core["id"], f"{name}s", attributes, extended)


def _attributes(definitions: Iterable[Mapping[str, Any]], *, lenient: bool) -> dict[str, Attribute]:
    return {str(definition["name"]).lower(): _attribute(definition, lenient=lenient) for definition in definitions}


def _attribute(definition: Mapping[str, Any], *, lenient: bool) -> Attribute:
    return Attribute(
        name=definition["name"],
        type=definition["type"],
        multi_valued=definition.get("multiValued", False),
        required=definition.get("required", False),
        case_exact=definition.get("caseExact", False),
        mutability=definition.get("mutability", "readWrite"),
        returned=definition.get("returned", "default"),
        uniqueness=definition.get("uniqueness", "none"),
        sub_attributes=_attributes(definition.get("subAttributes") or (), lenient=lenient),
        lenient=lenient,
    )

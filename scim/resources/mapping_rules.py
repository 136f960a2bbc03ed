"""Which attribute mappings a directory may have. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from scim2_models import InvalidFilterException

from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.errors import InvalidValueError
from scim.resources.directory_schemas import directory_schemas
from scim.resources.document_values import ResolvedAttribute, quoted
from scim.resources.mapped_values import values_reader
from scim.resources.profile import PROFILE_NAMES
from scim.resources.schema import ENTERPRISE_URN, ResourceSchema

_NEVER_MAPPED = frozenset({"schemas", "id", "meta", "password", "groups", "members"})
MAX_MATCHING = 5
"""How many mappings of a directory may be matching."""
_TEXT_TYPES = frozenset({"string", "reference"})


def require_valid_mappings(mappings: Sequence[AttributeMapping]) -> None:
    """Refuse mappings that contradict each other or name what is not there, with a sentence for each mistake.

    :raises InvalidValueError: For the first mistake; its field names the mapping.
    """
    _require_different_names(mappings)
    _require_one_type_each(mappings)
    schemas = directory_schemas(tuple(mappings))
    for mapping in mappings:
        _require_attribute(mapping, schemas.user if mapping.resource == "User" else schemas.group)
    _require_indexable([mapping for mapping in mappings if mapping.matching])


def _refuse(mapping: AttributeMapping, field: str, sentence: str) -> InvalidValueError:
    return InvalidValueError(f"attribute_mappings[{mapping.name}].{field}", sentence)


def _require_different_names(mappings: Sequence[AttributeMapping]) -> None:
    seen: set[tuple[str, str]] = set()
    for mapping in mappings:
        if mapping.name.lower() in PROFILE_NAMES:
            raise _refuse(mapping, "name", "every profile has an attribute of this name already; choose another")
        key = (mapping.resource, mapping.name.lower())
        if key in seen:
            raise _refuse(mapping, "name", "two mappings have this name, letter case aside; rename one")
        seen.add(key)


def _require_one_type_each(mappings: Sequence[AttributeMapping]) -> None:
    """Refuse two mappings that declare one extension attribute in different ways: ``/Schemas`` announces one."""
    declared: dict[tuple[str, str], AttributeMapping] = {}
    for mapping in mappings:
        if mapping.extension_urn is None or mapping.extension_urn.lower() == ENTERPRISE_URN.lower():
            continue
        first = declared.setdefault((mapping.resource, mapping.path.lower()), mapping)
        if (first.type, first.multi_valued) != (mapping.type, mapping.multi_valued):
            raise _refuse(mapping, "type", f"mapping {quoted(first.name)} gives this path another type; give both one")


def _require_attribute(mapping: AttributeMapping, schema: ResourceSchema) -> None:
    try:
        found = values_reader(mapping.path, schema)
    except InvalidFilterException as error:
        raise _refuse(mapping, "path", error.detail) from error
    if found is None:
        raise _refuse(mapping, "path", f"{schema.name} has no attribute {quoted(mapping.path)}; {_HOW_TO_NAME}")
    resolved = found[0]
    if resolved.urn is None and resolved.attribute.name in _NEVER_MAPPED:
        raise _refuse(mapping, "path", "this attribute cannot be mapped")
    _require_type(mapping, resolved)
    _require_number(mapping, resolved)


def _require_indexable(matching: Sequence[AttributeMapping]) -> None:
    """Refuse matching mappings of what no lookup row can be made of; each is one more row of every user."""
    for mapping in matching[MAX_MATCHING:]:
        raise _refuse(mapping, "matching", f"at most {MAX_MATCHING} mappings of a directory may be matching")
    for mapping in matching:
        if mapping.resource != "User":
            raise _refuse(mapping, "matching", "only attributes of users may be matching")
        if mapping.type not in _TEXT_TYPES or mapping.multi_valued or "[" in mapping.path:
            raise _refuse(mapping, "matching", "only an attribute with one value, which is text, may be matching")


_HOW_TO_NAME = (
    "name a core or enterprise attribute, or a new one of an extension such as "
    "urn:ietf:params:scim:schemas:extension:YourApp:2.0:User:costCenter"
)


def _require_type(mapping: AttributeMapping, resolved: ResolvedAttribute) -> None:
    compared = resolved.with_value().compared
    if compared.type == "complex":
        raise _refuse(mapping, "path", "name one of the sub-attributes of this attribute")
    if compared.type != mapping.type and not {compared.type, mapping.type} <= _TEXT_TYPES:
        raise _refuse(mapping, "type", f"this attribute is of type {compared.type}")


def _require_number(mapping: AttributeMapping, resolved: ResolvedAttribute) -> None:
    several = resolved.attribute.multi_valued and "[" not in mapping.path
    if several and not mapping.multi_valued:
        raise _refuse(
            mapping, "multi_valued", 'this attribute has several values: say so, or select one such as [type eq "work"]'
        )
    if mapping.multi_valued and not several and "[" not in mapping.path:
        raise _refuse(mapping, "multi_valued", "this attribute has one value")

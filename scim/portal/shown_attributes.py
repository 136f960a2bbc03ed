"""What a page shows of the attributes of a user or group, and where each comes from. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.directory import Directory
from scim.resources.attribute_coverage import covered, leaf_paths
from scim.resources.directory_schemas import directory_schemas
from scim.resources.identifiers import ResourceName
from scim.resources.mapped_values import has_wrong_type, mapped_value
from scim.resources.mapping_coverage import unmapped_paths
from scim.resources.profile import ATTRIBUTE_PATHS, user_attributes
from scim.resources.values import ABSENT


@dataclass(frozen=True, slots=True)
class ShownAttribute:
    """An attribute under the application's name."""

    name: str
    path: str
    """The attribute of SCIM that it comes from."""
    shown: str
    """Its value as text; empty where there is none."""
    type: str = "string"
    wrong_type: bool = False
    """Whether something arrived that does not have the type."""
    user_id: str = ""
    """The user that it refers to."""


def standard_attributes(directory: Directory, document: Mapping[str, Any]) -> list[ShownAttribute]:
    """Return the attributes that every user may have, those without a value included."""
    values = user_attributes(directory, document)
    return [
        ShownAttribute(
            name, path, shown_value(values[name]), user_id=values[name] or "" if name == "manager_id" else ""
        )
        for name, path in ATTRIBUTE_PATHS.items()
    ]


def custom_attributes(
    mappings: Sequence[AttributeMapping], name: ResourceName, document: Mapping[str, Any]
) -> list[ShownAttribute]:
    """Return the mapped attributes of a user or group, those without a value included."""
    schemas = directory_schemas(tuple(mappings))
    schema = schemas.user if name == "User" else schemas.group
    shown = []
    for mapping in mappings:
        if mapping.resource == name:
            value, wrong = mapped_value(mapping, schema, document), has_wrong_type(mapping, schema, document)
            text = "" if value is ABSENT else shown_value(value)
            shown.append(ShownAttribute(mapping.name, mapping.path, text, mapping.type, wrong and not text))
    return shown


def unmapped_attributes(directory: Directory, name: ResourceName, document: Mapping[str, Any]) -> list[ShownAttribute]:
    """Return what arrived for a user or group, and what neither a mapping nor the profile takes."""
    values = dict(leaf_paths(document))
    paths = unmapped_paths(directory, {name: covered({}, {}, document, "")})
    return [ShownAttribute(each.path, each.path, shown_value(values[each.path])) for each in paths]


def shown_value(value: Any) -> str:
    """Return a value as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(shown_value, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)

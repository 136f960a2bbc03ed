"""The schemas of a directory: core, enterprise, and the extensions its attribute mappings declare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from scim.directories.attribute_mapping import AttributeMapping
from scim.resources.core_schemas import (
    CustomAttribute,
    SchemaDocument,
    custom_extension_schema,
    enterprise_user_schema_document,
    group_schema_document,
    user_schema_document,
)
from scim.resources.schema import ENTERPRISE_URN, ResourceSchema, resource_schema


@dataclass(frozen=True, slots=True, eq=False)
class DirectorySchemas:
    """The schemas of directories with equal mappings; shared by them, made once per process."""

    user: ResourceSchema
    group: ResourceSchema
    schema_documents: tuple[SchemaDocument, ...]

    def at(self, endpoint: str) -> ResourceSchema | None:
        """Return the schema served at ``Users`` or ``Groups``, whatever the letter case, or None."""
        return {"users": self.user, "groups": self.group}.get(endpoint.lower())


@lru_cache(maxsize=256)
def directory_schemas(mappings: tuple[AttributeMapping, ...]) -> DirectorySchemas:
    """Return the schemas of a directory with these attribute mappings."""
    user_extensions = [enterprise_user_schema_document(), *_custom_schemas(mappings, "User")]
    group_extensions = _custom_schemas(mappings, "Group")
    return DirectorySchemas(
        resource_schema("User", user_schema_document(), user_extensions),
        resource_schema("Group", group_schema_document(), group_extensions),
        (user_schema_document(), group_schema_document(), *user_extensions, *group_extensions),
    )


def _custom_schemas(mappings: Sequence[AttributeMapping], name: str) -> list[SchemaDocument]:
    by_urn: dict[str, tuple[str, list[CustomAttribute]]] = defaultdict(lambda: ("", []))
    for mapping in mappings:
        urn = mapping.extension_urn
        if mapping.resource != name or urn is None or urn.lower() == ENTERPRISE_URN.lower():
            continue
        announced, attributes = by_urn[urn.lower()]
        attributes.append(CustomAttribute(mapping.attribute, mapping.type, mapping.multi_valued, mapping.description))
        by_urn[urn.lower()] = (announced or urn, attributes)
    return [custom_extension_schema(urn, attributes) for urn, attributes in by_urn.values()]

"""What a directory's SCIM endpoint accepts and announces: schemas with its mappings, resource types, capabilities."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

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

MAX_RESULTS = 200
MAX_BULK_OPERATIONS = 1000
MAX_BODY_BYTES = 2 * 1024 * 1024
CURSOR_SECONDS = 3600


@dataclass(frozen=True, slots=True, eq=False)
class ServiceProvider:
    """The schemas of directories with equal mappings; shared by them, made once per process."""

    user: ResourceSchema
    group: ResourceSchema
    schema_documents: tuple[SchemaDocument, ...]

    def at(self, endpoint: str) -> ResourceSchema | None:
        """Return the schema served at ``Users`` or ``Groups``, whatever the letter case, or None."""
        return {"users": self.user, "groups": self.group}.get(endpoint.lower())


@lru_cache(maxsize=256)
def service_provider(mappings: tuple[AttributeMapping, ...]) -> ServiceProvider:
    """Return the service provider of a directory with these attribute mappings."""
    user_extensions = [enterprise_user_schema_document(), *_custom_schemas(mappings, "User")]
    group_extensions = _custom_schemas(mappings, "Group")
    return ServiceProvider(
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


def service_provider_config() -> dict[str, Any]:
    """Return the capabilities every directory announces (RFC 7643 §5, RFC 9865 §4), without ``meta``."""
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": {
            "supported": True,
            "maxOperations": MAX_BULK_OPERATIONS,
            "maxPayloadSize": MAX_BODY_BYTES,
        },
        "filter": {"supported": True, "maxResults": MAX_RESULTS},
        "changePassword": {"supported": False},
        "sort": {"supported": True},
        "etag": {"supported": True},
        "pagination": {
            "cursor": True,
            "index": True,
            "defaultPaginationMethod": "index",
            "defaultPageSize": 100,
            "maxPageSize": MAX_RESULTS,
            "cursorTimeout": CURSOR_SECONDS,
        },
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "The Secret Token of the directory, sent as Authorization: Bearer.",
                "specUri": "https://www.rfc-editor.org/rfc/rfc6750",
                "primary": True,
            }
        ],
    }


def resource_types(provider: ServiceProvider) -> list[dict[str, Any]]:
    """Return the resource types a directory serves (RFC 7643 §6), without ``meta``."""
    return [
        {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": schema.name,
            "name": schema.name,
            "endpoint": f"/{schema.endpoint}",
            "description": "User Account" if schema.name == "User" else "Group",
            "schema": schema.urn,
            "schemaExtensions": [
                {"schema": extension.urn, "required": False} for extension in schema.extensions.values()
            ],
        }
        for schema in (provider.user, provider.group)
    ]

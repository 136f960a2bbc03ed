"""What a directory's SCIM endpoint accepts and announces: schemas with its mappings, resource types, capabilities."""

from __future__ import annotations

from typing import Any

from scim.resources.directory_schemas import DirectorySchemas

MAX_RESULTS = 200
MAX_BULK_OPERATIONS = 1000
MAX_BODY_BYTES = 2 * 1024 * 1024
MAX_USER_BODY_BYTES = 6 * 256 * 1024
r"""What a user of 256 KiB needs at most: JSON may write a letter as an escape of six (``\u0041``)."""
CURSOR_SECONDS = 3600


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


def resource_types(schemas: DirectorySchemas) -> list[dict[str, Any]]:
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
        for schema in (schemas.user, schemas.group)
    ]

"""Makes what tests need in one line."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from scim.directories.actor import Actor
from scim.directories.change_event import ChangeEvent, organization_event
from scim.directories.organization import Organization
from scim.resources.core_schemas import (
    CustomAttribute,
    custom_extension_schema,
    enterprise_user_schema_document,
    group_schema_document,
    user_schema_document,
)
from scim.resources.schema import ENTERPRISE_URN, USER_URN, ResourceSchema, resource_schema

CUSTOM_URN = "urn:ietf:params:scim:schemas:extension:Acme:2.0:User"


@cache
def user_schema(*custom: CustomAttribute) -> ResourceSchema:
    """Return the User schema with the enterprise extension and, where given, custom attributes under ``CUSTOM_URN``."""
    extensions = [enterprise_user_schema_document()]
    if custom:
        extensions.append(custom_extension_schema(CUSTOM_URN, custom))
    return resource_schema("User", user_schema_document(), extensions)


@cache
def group_schema() -> ResourceSchema:
    """Return the Group schema."""
    return resource_schema("Group", group_schema_document())


def user_document(**attributes: Any) -> dict[str, Any]:
    """Return a published user, enterprise extension included, with some attributes changed; None leaves one out."""
    document = {
        "schemas": [USER_URN, ENTERPRISE_URN],
        "id": "usr_1",
        "externalId": "701984",
        "userName": "bjensen@example.com",
        "name": {"formatted": "Ms. Barbara J Jensen", "familyName": "Jensen", "givenName": "Barbara"},
        "displayName": "Babs Jensen",
        "title": "Tour Guide",
        "active": True,
        "emails": [
            {"value": "bjensen@example.com", "type": "work", "primary": True},
            {"value": "babs@jensen.org", "type": "home"},
        ],
        ENTERPRISE_URN: {"employeeNumber": "701984", "department": "Tour Operations", "manager": {"value": "usr_2"}},
        "meta": {
            "resourceType": "User",
            "created": "2010-01-23T04:56:22Z",
            "lastModified": "2011-05-13T04:42:34Z",
            "version": 'W/"a330bc54f0671c9"',
            "location": "https://example.com/v2/Users/usr_1",
        },
    }
    return {name: value for name, value in (document | attributes).items() if value is not None}


def beginning(organization: Organization) -> ChangeEvent:
    """Return the event of a new organization."""
    return organization_event("organization.created", organization, datetime.now(UTC), Actor("operator", "tests"))


def end(organization: Organization) -> ChangeEvent:
    """Return the event of an organization that is deleted."""
    return organization_event("organization.deleted", organization, datetime.now(UTC), Actor("operator", "tests"))

"""Users and groups as the application sees them: flat, typed, with its own names for custom attributes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.directory import Directory
from scim.resources.directory_schemas import directory_schemas
from scim.resources.identifiers import ResourceName
from scim.resources.mapped_values import mapped_value
from scim.resources.schema import ENTERPRISE_URN, ResourceSchema
from scim.resources.stored_document import StoredDocument
from scim.resources.values import ABSENT
from scim.resources.worker_thread import MANY_STEPS, values_in

Document = Mapping[str, Any]

_USER_TEXTS = {
    "external_id": "externalId",
    "username": "userName",
    "display_name": "displayName",
    "nick_name": "nickName",
    "title": "title",
    "user_type": "userType",
    "preferred_language": "preferredLanguage",
    "locale": "locale",
    "timezone": "timezone",
}
_NAME_TEXTS = {
    "given_name": "givenName",
    "family_name": "familyName",
    "middle_name": "middleName",
    "formatted_name": "formatted",
}
_ENTERPRISE_TEXTS = {
    "employee_number": "employeeNumber",
    "cost_center": "costCenter",
    "organization": "organization",
    "division": "division",
    "department": "department",
}
PROFILE_NAMES = frozenset(
    {
        *("id", "directory_id", "organization_id", "active", "email", "phone_number", "manager_id"),
        *("custom_attributes", "groups", "member_count", "raw", "created_at", "updated_at", "version"),
        *_USER_TEXTS,
        *_NAME_TEXTS,
        *_ENTERPRISE_TEXTS,
    }
)
"""What a profile has of its own; no custom attribute may have such a name."""


PROFILE_PATHS: Mapping[ResourceName, frozenset[str]] = {
    "User": frozenset(
        path.lower()
        for path in (
            *_USER_TEXTS.values(),
            *(f"name.{name}" for name in _NAME_TEXTS.values()),
            *(f"{ENTERPRISE_URN}:{name}" for name in (*_ENTERPRISE_TEXTS.values(), "manager.value")),
            *(
                "emails.value",
                'emails[type eq "work"].value',
                "phoneNumbers.value",
                'phoneNumbers[type eq "work"].value',
            ),
        )
    ),
    "Group": frozenset({"externalid", "displayname"}),
}
"""What a profile is made of, as paths in small letters."""

ATTRIBUTE_PATHS: Mapping[str, str] = {
    "active": "active",
    "email": "emails",
    "phone_number": "phoneNumbers",
    **_USER_TEXTS,
    **{name: f"name.{attribute}" for name, attribute in _NAME_TEXTS.items()},
    **{name: f"{ENTERPRISE_URN}:{attribute}" for name, attribute in _ENTERPRISE_TEXTS.items()},
    "manager_id": f"{ENTERPRISE_URN}:manager.value",
}
"""Which attribute of SCIM each attribute of a user's profile is, but for the custom ones."""


def is_active(document: Document) -> bool:
    """Tell whether a user has access: one without ``active`` has (RFC 7643 §4.1.1 leaves it to us)."""
    return document.get("active") is not False


def user_profile(directory: Directory, stored: StoredDocument, *, raw: bool = False) -> dict[str, Any]:
    """Return a user's profile; an attribute without value is None.

    :param raw: Whether to add the SCIM document as stored, under ``raw``.
    """
    document = stored.document()
    profile = {
        **_identity(directory, stored.id),
        **user_attributes(directory, document),
        **_versions(stored),
    }
    return {**profile, "raw": document} if raw else profile


def is_heavy_to_show(directory: Directory, documents: Iterable[StoredDocument]) -> bool:
    """Tell whether making profiles of documents takes so long that it is done in the worker thread."""
    return (len(directory.attribute_mappings) + 1) * sum(values_in(each.text) for each in documents) > MANY_STEPS


def user_attributes(directory: Directory, document: Document) -> dict[str, Any]:
    """Return what a user's document tells the application, custom attributes included."""
    name, enterprise = _object(document, "name"), _object(document, ENTERPRISE_URN)
    manager = _object(enterprise, "manager")
    schema = directory_schemas(directory.attribute_mappings).user
    return {
        "active": is_active(document),
        "email": leading_value(document.get("emails")),
        "phone_number": leading_value(document.get("phoneNumbers")),
        **_texts(document, _USER_TEXTS),
        **_texts(name, _NAME_TEXTS),
        **_texts(enterprise, _ENTERPRISE_TEXTS),
        "manager_id": _text(manager.get("value")),
        "custom_attributes": custom_attributes(directory.attribute_mappings, schema, document),
    }


def group_profile(
    directory: Directory, stored: StoredDocument, *, member_count: int | None = None, raw: bool = False
) -> dict[str, Any]:
    """Return a group's profile, without its members; without their count where that is not known."""
    document = stored.document()
    profile = {
        **_identity(directory, stored.id),
        **group_attributes(directory, document),
        **({} if member_count is None else {"member_count": member_count}),
        **_versions(stored),
    }
    return {**profile, "raw": document} if raw else profile


def group_attributes(directory: Directory, document: Document) -> dict[str, Any]:
    """Return what a group's document tells the application, custom attributes included."""
    schema = directory_schemas(directory.attribute_mappings).group
    return {
        "external_id": _text(document.get("externalId")),
        "display_name": _text(document.get("displayName")),
        "custom_attributes": custom_attributes(directory.attribute_mappings, schema, document),
    }


def custom_attributes(
    mappings: Sequence[AttributeMapping], schema: ResourceSchema, document: Document
) -> dict[str, Any]:
    """Return the mapped attributes that a document has, under the application's names and in the mappings' types."""
    values = {
        mapping.name: mapped_value(mapping, schema, document) for mapping in mappings if mapping.resource == schema.name
    }
    return {name: value for name, value in values.items() if value is not ABSENT}


def leading_value(entries: Any) -> str | None:
    """Return the value of the primary entry, else of the one of type work, else of the first; None without any."""
    listed = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    listed = [entry for entry in listed if isinstance(entry.get("value"), str) and entry["value"]]
    if not listed:
        return None
    return str(min(listed, key=_rank)["value"])


def _rank(entry: Mapping[str, Any]) -> int:
    if entry.get("primary") is True:
        return 0
    return 1 if str(entry.get("type", "")).lower() == "work" else 2


def _identity(directory: Directory, resource_id: str) -> dict[str, Any]:
    return {"id": resource_id, "directory_id": directory.id, "organization_id": directory.organization_id}


def _versions(stored: StoredDocument) -> dict[str, Any]:
    return {"created_at": stored.created, "updated_at": stored.last_modified, "version": stored.version}


def _object(document: Document, name: str) -> Document:
    value = document.get(name)
    return value if isinstance(value, Mapping) else {}


def _texts(document: Document, names: Mapping[str, str]) -> dict[str, str | None]:
    return {name: _text(document.get(attribute)) for name, attribute in names.items()}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None

"""Users and groups that look like those Entra ID provisions. Pure."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID, uuid5

from scim.provisioning.documents import complete_document
from scim.resources.directory_schemas import DirectorySchemas
from scim.resources.identifiers import new_resource_id
from scim.resources.schema import ENTERPRISE_URN

_GIVEN: Final = ("Anna", "Ben", "Chloé", "Dmitri", "Elif", "Fatima", "Göran", "Hana", "Igor", "José", "Kwame", "Lucía")
_FAMILY: Final = ("Müller", "Smith", "Nowak", "Rossi", "Dubois", "García", "Ivanov", "Kaya", "Sato", "Okafor", "Berg")
_TITLES: Final = ("Engineer", "Account Manager", "Nurse", "Controller", "Team Lead", "Consultant", "Technician")
_DEPARTMENTS: Final = ("Engineering", "Sales", "Care", "Finance", "Operations", "Human Resources")
_EVERY_INACTIVE: Final = 20
_NAMESPACE: Final = UUID("6f1d2b6e-3f5c-4a52-9d0e-2a4c8f0b7e11")


def sample_user(schemas: DirectorySchemas, batch: str, number: int, manager_id: str | None) -> dict[str, Any]:
    """Return the document of a new user, about 900 bytes; every twentieth is inactive.

    :param batch: A text that tells these users from those of another run.
    """
    given, family = _GIVEN[number % len(_GIVEN)], _FAMILY[number // len(_GIVEN) % len(_FAMILY)]
    name = f"user{number:06d}.{batch}@example.com"
    attributes: dict[str, Any] = {
        "externalId": str(uuid5(_NAMESPACE, name)),
        "userName": name,
        "name": {"formatted": f"{given} {family}", "familyName": family, "givenName": given},
        "displayName": f"{given} {family}",
        "title": _TITLES[number % len(_TITLES)],
        "active": number % _EVERY_INACTIVE != 0,
        "emails": [{"value": name, "type": "work", "primary": True}],
        "phoneNumbers": [{"value": f"+49 30 {number:07d}", "type": "work"}],
        ENTERPRISE_URN: {
            "employeeNumber": f"{number:06d}",
            "department": _DEPARTMENTS[number % len(_DEPARTMENTS)],
            "organization": "Example AG",
            **({"manager": {"value": manager_id}} if manager_id else {}),
        },
    }
    return complete_document(attributes, new_resource_id("User"), schemas.user)


def sample_group(schemas: DirectorySchemas, batch: str, members: int) -> dict[str, Any]:
    """Return the document of a new group, named for how many members it is to have."""
    name = f"Seeded group of {members:,} ({batch})"
    attributes = {"displayName": name, "externalId": str(uuid5(_NAMESPACE, name))}
    return complete_document(attributes, new_resource_id("Group"), schemas.group)

"""Creates organizations, and keeps them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from scim.directories.actor import current_actor
from scim.directories.change_event import ChangeEvent, organization_event, updated_event
from scim.directories.errors import OrganizationNotFoundError
from scim.directories.interfaces import DirectoryStore, OrganizationPage
from scim.directories.organization import MappingsBy, Organization
from scim.directories.organization_events import note_event


class OrganizationService:
    """Creates and changes organizations."""

    def __init__(self, store: DirectoryStore, *, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self._store = store
        self._now = now
        self._new_id = new_id

    async def create_organization(
        self, name: str, external_id: str | None = None, *, creation_id: str | None = None
    ) -> Organization:
        """Return a new organization.

        :param creation_id: 32 hex digits for its id, where they are known beforehand.
        :raises InvalidValueError: When the name or the external id is blank or too long.
        :raises OrganizationExistsError: When another organization has the external id.
        :raises IdUsedError: When there is, or was, another organization of this id.
        """
        number = self._new_id() if creation_id is None else creation_id
        organization = Organization(f"org_{number}", name.strip(), external_id, self._now())
        event = organization_event("organization.created", organization, organization.created, current_actor())
        await self._store.create_organization(organization, event)
        note_event(event)
        return organization

    async def get_organization(self, organization_id: str) -> Organization:
        """Return an organization.

        :raises OrganizationNotFoundError: When there is none of this id.
        """
        organization = await self._store.organization(organization_id)
        if organization is None:
            raise OrganizationNotFoundError(organization_id)
        return organization

    async def find_organization(self, external_id: str) -> Organization | None:
        """Return the organization that has an external id, or None."""
        return await self._store.organization_by_external_id(external_id)

    async def list_organizations(self, after: str, limit: int) -> OrganizationPage:
        """Return organizations behind an id, or from the first on when it is empty. One storage request."""
        return await self._store.list_organizations(after, limit)

    async def update_organization(
        self, organization: Organization, *, name: str | None = None, mappings_by: MappingsBy | None = None
    ) -> Organization:
        """Return an organization with what is given changed. Two storage requests, and one more when something differs.

        :raises InvalidValueError: When a value is malformed.
        :raises OrganizationNotFoundError: When it is gone.
        """
        at, by, made = self._now(), current_actor(), list[ChangeEvent]()

        def change(old: Organization) -> Organization:
            new_name = old.name if name is None else name.strip()
            return replace(old, name=new_name, mappings_by=mappings_by or old.mappings_by)

        def event(before: Organization, after: Organization) -> ChangeEvent:
            made[:] = [updated_event(before, after, self._new_id(), at, by)]
            return made[0]

        changed = await self._store.update_organization(organization.id, change, event)
        for each in made:
            note_event(each)
        return changed

    async def delete_organization(self, organization: Organization) -> None:
        """Forget an organization that has no directories; its external id is free again.

        :raises OrganizationNotEmptyError: When it has directories.
        """
        event = organization_event("organization.deleted", organization, self._now(), current_actor())
        await self._store.delete_organization(organization, event)
        note_event(event)

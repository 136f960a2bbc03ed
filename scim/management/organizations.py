"""Operations on organizations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from scim.directories.errors import OrganizationNotFoundError
from scim.directories.organization import (
    MAX_EXTERNAL_ID_LENGTH,
    MAX_NAME_LENGTH,
    MappingsBy,
    Organization,
    is_organization_id,
)
from scim.management.models import Answer, Body, ListQuery, Page
from scim.management.operation import Call, Operation
from scim.management.problems import forbidden

Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH)]


class OrganizationAnswer(Answer):
    """A customer of the application."""

    id: str
    name: str
    external_id: str | None = Field(description="The application's own id of the customer.")
    mappings_by: MappingsBy = Field(
        description="Who may change attribute mappings: administrators in the portal, too, or the application alone."
    )
    created_at: datetime


class OrganizationList(Page[OrganizationAnswer]):
    """A page of organizations."""


class OrganizationQuery(ListQuery):
    """Which organizations."""

    external_id: str = Field(
        "", min_length=1, max_length=MAX_EXTERNAL_ID_LENGTH, description="Only the one with this external id."
    )


class NewOrganization(Body):
    """An organization to create."""

    name: Name
    external_id: Annotated[str, Field(min_length=1, max_length=MAX_EXTERNAL_ID_LENGTH)] | None = None


class OrganizationChange(Body):
    """What to change of an organization; what is absent stays as it is."""

    name: Name | None = None
    mappings_by: MappingsBy | None = None


async def create_organization(call: Call) -> OrganizationAnswer:
    """Return a new organization."""
    if call.key.organization_id is not None:
        raise forbidden("This API key is limited to one organization and cannot create another.")
    body: NewOrganization = call.body
    return shown(await call.services.creations.create_organization(call.creation, body.name, body.external_id))


async def list_organizations(call: Call) -> OrganizationList:
    """Return a page of organizations, oldest first: those that the key opens."""
    if call.query.external_id or call.key.organization_id is not None:
        found = [each for each in await _found(call) if call.key.opens(each.id)]
        page, metadata = call.page(found, lambda each: each.id)
        return OrganizationList(data=[shown(each) for each in page], list_metadata=metadata)
    after = call.start(is_organization_id)
    listed = await call.services.directories.list_organizations(after, call.query.limit)
    last = listed.organizations[-1].id if listed.has_more else ""
    return OrganizationList(data=[shown(each) for each in listed.organizations], list_metadata=call.metadata(last))


async def _found(call: Call) -> list[Organization]:
    directories, external_id = call.services.directories, call.query.external_id
    if external_id:
        named = await directories.find_organization(external_id)
        return [named] if named else []
    try:
        return [await directories.get_organization(call.key.organization_id or "")]
    except OrganizationNotFoundError:
        return []


async def get_organization(call: Call) -> OrganizationAnswer:
    """Return an organization."""
    return shown(call.organization)


async def update_organization(call: Call) -> OrganizationAnswer:
    """Return an organization with another name, or another choice of who changes mappings."""
    body: OrganizationChange = call.body
    changed = await call.services.directories.update_organization(
        call.organization, name=body.name, mappings_by=body.mappings_by
    )
    return shown(changed)


async def delete_organization(call: Call) -> None:
    """Forget an organization that has no directories."""
    await call.services.directories.delete_organization(call.organization)


def shown(organization: Organization) -> OrganizationAnswer:
    """Return an organization as the API shows it."""
    return OrganizationAnswer(
        id=organization.id,
        name=organization.name,
        external_id=organization.external_id,
        mappings_by=organization.mappings_by,
        created_at=organization.created,
    )


_ONE = "organizations/{organization_id}"
OPERATIONS = (
    Operation(
        "create_organization",
        "POST",
        "organizations",
        "write",
        "Create an organization",
        create_organization,
        "2",
        OrganizationAnswer,
        body=NewOrganization,
        status=201,
        problems=(409,),
    ),
    Operation(
        "list_organizations",
        "GET",
        "organizations",
        "read",
        "List organizations, or find one by external id",
        list_organizations,
        "1; by external id 2",
        OrganizationList,
        OrganizationQuery,
    ),
    Operation(
        "get_organization", "GET", _ONE, "read", "Get an organization", get_organization, "1", OrganizationAnswer
    ),
    Operation(
        "update_organization",
        "PATCH",
        _ONE,
        "write",
        "Rename an organization, or set who may change attribute mappings",
        update_organization,
        "3; when something differs 5",
        OrganizationAnswer,
        body=OrganizationChange,
    ),
    Operation(
        "delete_organization",
        "DELETE",
        _ONE,
        "write",
        "Delete an organization that has no directories",
        delete_organization,
        "6, 1 for each 100 rows that are kept of it, and 1 for each further 1,000 directories of all organizations",
        status=204,
        problems=(409,),
    ),
)

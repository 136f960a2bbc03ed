"""Commands on organizations."""

from __future__ import annotations

from argparse import Namespace
from typing import get_args

from scim.admin.command import Command, argument
from scim.admin.result import Listed, Shown
from scim.composition import Application
from scim.directories.organization import MappingsBy, Organization
from scim.management.organizations import shown

_PAGE = 1000
_ORGANIZATION = argument("organization", metavar="ORGANIZATION", help="its id, org_…")
_NAME = argument("name", metavar="NAME")


async def _list(application: Application, options: Namespace) -> Listed:
    organizations = await _found(application, options.external_id)
    entries = [shown(each).model_dump(mode="json") for each in organizations]
    return Listed("organizations", ("id", "name", "external_id", "created_at"), entries)


async def _found(application: Application, external_id: str | None) -> list[Organization]:
    if external_id is not None:
        organization = await application.directories.find_organization(external_id)
        return [organization] if organization else []
    found: list[Organization] = []
    while True:
        page = await application.directories.list_organizations(found[-1].id if found else "", _PAGE)
        found += page.organizations
        if not page.has_more:
            return found


async def _create(application: Application, options: Namespace) -> Shown:
    return _shown(await application.directories.create_organization(options.name, options.external_id))


async def _show(application: Application, options: Namespace) -> Shown:
    return _shown(await application.directories.get_organization(options.organization))


async def _rename(application: Application, options: Namespace) -> Shown:
    organization = await application.directories.get_organization(options.organization)
    return _shown(await application.directories.update_organization(organization, name=options.name))


async def _set_mappings_by(application: Application, options: Namespace) -> Shown:
    organization = await application.directories.get_organization(options.organization)
    return _shown(await application.directories.update_organization(organization, mappings_by=options.who))


async def _delete(application: Application, options: Namespace) -> Shown:
    organization = await application.directories.get_organization(options.organization)
    await application.directories.delete_organization(organization)
    return Shown({"id": organization.id, "status": "deleted"})


def _shown(organization: Organization) -> Shown:
    return Shown(shown(organization).model_dump(mode="json"))


COMMANDS = (
    Command(
        "organizations",
        "list",
        "list organizations",
        _list,
        (argument("--external-id", metavar="ID", help="only the one with this external id"),),
    ),
    Command(
        "organizations",
        "create",
        "create an organization",
        _create,
        (_NAME, argument("--external-id", metavar="ID", help="the application's own id of it")),
    ),
    Command("organizations", "show", "show an organization", _show, (_ORGANIZATION,)),
    Command("organizations", "rename", "rename an organization", _rename, (_ORGANIZATION, _NAME)),
    Command(
        "organizations",
        "mappings-by",
        "set who may change attribute mappings",
        _set_mappings_by,
        (
            _ORGANIZATION,
            argument(
                "who", choices=get_args(MappingsBy), help="administrators in the portal, too, or the application alone"
            ),
        ),
    ),
    Command("organizations", "delete", "delete an organization without directories", _delete, (_ORGANIZATION,)),
)

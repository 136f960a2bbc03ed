"""Commands on directories."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from typing import Any, get_args

from scim.admin.command import Command, argument
from scim.admin.mapping_files import read_mapping_file
from scim.admin.result import Listed, Shown
from scim.admin.values import moment
from scim.composition import Application
from scim.directories.directory import Directory, Provider, Status
from scim.directories.errors import DirectoryNotFoundError
from scim.management.directories import shown, shown_details

_COLUMNS = ("id", "organization_id", "name", "provider", "status", "created_at", "data_account")
_AT_ONCE = 16
_DIRECTORY = argument("directory", metavar="DIRECTORY", help="its id, dir_…")


async def _list(application: Application, options: Namespace) -> Listed:
    if options.organization is not None:
        organization = await application.directories.get_organization(options.organization)
        found = list(await application.directories.directories_of(organization.id))
    else:
        found = await _all(application)
    return Listed("directories", _COLUMNS, [_entry(application, each) for each in found])


async def _all(application: Application) -> list[Directory]:
    found: list[Directory] = []
    page = await application.directories.list_directories()
    while True:
        ids = [reference.directory_id for reference in page.references]
        for first in range(0, len(ids), _AT_ONCE):
            read = await asyncio.gather(*(_one(application, each) for each in ids[first : first + _AT_ONCE]))
            found += [directory for directory in read if directory is not None]
        if page.continuation is None:
            return found
        page = await application.directories.list_directories(page.continuation)


async def _one(application: Application, directory_id: str) -> Directory | None:
    try:
        return await application.directories.get_directory(directory_id)
    except DirectoryNotFoundError:
        return None  # its creation never came that far, or it was deleted meanwhile


async def _create(application: Application, options: Namespace) -> Shown:
    made = await application.directories.create_directory(
        options.organization,
        name=options.name,
        provider=options.provider,
        mappings=read_mapping_file(options.mappings) if options.mappings else (),
        expires_at=options.expires_at,
    )
    return Shown({**_entry(application, made.directory), "token": made.token}, secret="token")  # noqa: S106 - a name


async def _show(application: Application, options: Namespace) -> Shown:
    directory = await application.directories.get_directory(options.directory)
    standing = await application.readings.standing_of(directory)
    details = shown_details(standing, application.settings.public_base_url).model_dump(mode="json")
    return Shown({**details, "data_account": directory.data_account})


async def _enable(application: Application, options: Namespace) -> Shown:
    return await _with_status(application, options.directory, "active")


async def _disable(application: Application, options: Namespace) -> Shown:
    return await _with_status(application, options.directory, "disabled")


async def _delete(application: Application, options: Namespace) -> Shown:
    return Shown(_entry(application, await application.deletion.begin(options.directory)))


async def _with_status(application: Application, directory_id: str, status: Status) -> Shown:
    return Shown(_entry(application, await application.directories.set_status(directory_id, status)))


async def _update(application: Application, options: Namespace) -> Shown:
    mappings = read_mapping_file(options.mappings) if options.mappings else None
    changed = await application.directories.update_directory(options.directory, name=options.name, mappings=mappings)
    return Shown(_entry(application, changed))


def _entry(application: Application, directory: Directory) -> dict[str, Any]:
    """Return a directory as the API tells of it, and where it lies."""
    told = shown(directory, application.settings.public_base_url).model_dump(mode="json")
    return {**told, "data_account": directory.data_account}


_MAPPINGS = argument("--mappings", metavar="FILE", help="a JSON list of attribute mappings; - reads standard input")
COMMANDS = (
    Command(
        "directories",
        "list",
        "list directories",
        _list,
        (argument("organization", metavar="ORGANIZATION", nargs="?", help="of this one alone"),),
    ),
    Command(
        "directories",
        "create",
        "create a directory; its token is shown once",
        _create,
        (
            argument("organization", metavar="ORGANIZATION", help="its id, org_…"),
            argument("name", metavar="NAME"),
            argument("--provider", choices=get_args(Provider), default="entra_id", help="default: entra_id"),
            _MAPPINGS,
            argument("--expires-at", type=moment, metavar="TIME", help="when its token expires; default: never"),
        ),
        needs_vault=True,
    ),
    Command("directories", "show", "show a directory with counts, health and tokens", _show, (_DIRECTORY,)),
    Command("directories", "disable", "stop SCIM for a directory within 30 seconds", _disable, (_DIRECTORY,)),
    Command("directories", "enable", "let SCIM in again", _enable, (_DIRECTORY,)),
    Command("directories", "delete", "delete a directory with all its users and groups", _delete, (_DIRECTORY,)),
    Command(
        "directories",
        "update",
        "rename a directory, or replace its mappings",
        _update,
        (_DIRECTORY, argument("--name", metavar="NAME"), _MAPPINGS),
    ),
)

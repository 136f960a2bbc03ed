"""Directories for local runs: fresh ones for a test, and the demo directory that stays."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from scim.composition import Application
from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.directory import Directory
from scim.directories.errors import DirectoryNotFoundError
from scim.directories.portal_link import MOST_MAX_USES
from scim.directories.service import DirectoryService
from scim.local_host.demo_record import DemoRecord

# The attributes that the recorded requests of Entra's validator send beyond the standard ones.
_MAPPINGS = (AttributeMapping("tag", "urn:ietf:params:scim:schemas:extension:CustomExtensionName:2.0:User:tag"),)
_RECORDED = "directory_id"


@dataclass(frozen=True, slots=True)
class DirectoryAccess:
    """What an identity provider is given for a directory."""

    tenant_url: str
    token: str
    directory_id: str
    organization_id: str

    def to_json(self) -> dict[str, str]:
        """Return the JSON form."""
        return asdict(self)


async def create_directories(application: Application, count: int, base_url: str) -> list[DirectoryAccess]:
    """Return fresh directories of a fresh organization."""
    directories = application.directories
    organization = await directories.create_organization("Demo organization")
    return [await _create(directories, organization.id, base_url) for _ in range(count)]


async def open_demo_directory(application: Application, record: DemoRecord, base_url: str) -> DirectoryAccess:
    """Return the directory that a record remembers, or a new one where that is gone or has no token left."""
    directory = await _remembered(application.directories, record)
    token = await application.directories.current_token(directory) if directory else None
    if directory and token:
        return _access(base_url, directory, token)
    (created,) = await create_directories(application, 1, base_url)
    record.keep(_RECORDED, created.directory_id)
    return created


async def portal_url(application: Application, access: DirectoryAccess, base_url: str) -> str:
    """Return a new link to the portal of a directory's organization, which may be opened again and again."""
    made = await application.portal_access.create_link(
        access.organization_id, label="Local run", max_uses=MOST_MAX_USES
    )
    return made.url(base_url)


async def _remembered(directories: DirectoryService, record: DemoRecord) -> Directory | None:
    try:
        return await directories.get_directory(record.get(_RECORDED))
    except DirectoryNotFoundError:
        return None


async def _create(directories: DirectoryService, organization_id: str, base_url: str) -> DirectoryAccess:
    created = await directories.create_directory(
        organization_id, name="Demo directory", provider="entra_id", mappings=_MAPPINGS
    )
    return _access(base_url, created.directory, created.token)


def _access(base_url: str, directory: Directory, token: str) -> DirectoryAccess:
    return DirectoryAccess(f"{base_url}/scim/v2/{directory.id}", token, directory.id, directory.organization_id)

"""A page of the portal, and a visit to it: who visits, what is asked for, and what stands behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import quote, urlencode, urlsplit

from scim.directories.directory import Directory
from scim.directories.health import Standing
from scim.directories.portal_access import PortalSession, SessionKey
from scim.directories.portal_access_service import PortalAccessService
from scim.directories.service import DirectoryService
from scim.directories.token_service import TokenService
from scim.events.directory_reading import DirectoryReading
from scim.portal.branding import Branding
from scim.portal.proofs import ProofPurpose, Proofs
from scim.portal.same_origin import is_embedded
from scim.resources.derived import DerivedReader
from scim.resources.interfaces import ResourceStore
from scim.resources.provisioning_log import ProvisioningLogStore
from scim.web import WebRequest, WebResponse

REFRESH_HEADER = "x-refresh"
"""With what the script asks for by itself, beside fragments."""


@dataclass(frozen=True, slots=True)
class Services:
    """What pages stand on."""

    directories: DirectoryService
    tokens: TokenService
    access: PortalAccessService
    branding: Branding
    read_directory: Callable[[str], Awaitable[DirectoryReading | None]]
    store_of: Callable[[Directory], ResourceStore]
    derived_of: Callable[[Directory], DerivedReader]
    provisioning_log: ProvisioningLogStore
    proofs: Proofs
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    """A fresh UUIDv7 as 32 hex digits."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page or one form of the portal: all that dispatch and the tests need to know of it."""

    name: str
    """For the log and the tests."""
    method: Literal["GET", "POST"]
    path: str
    """Below ``/portal``, with parameters in braces. What ``directory_id`` names is loaded, if the session opens it."""
    answer: Callable[[Visit], Awaitable[WebResponse]]
    needs_session: bool = True
    is_fragment: bool = False
    """Whether it is part of a page that refreshes itself: admitted as a page is, and without the directory's health."""
    shows_health: bool = True
    """Whether the page of a directory begins with its health, where it is a page to look at."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit to a page; on pages that need a session, of somebody whose session is open."""

    services: Services
    web: WebRequest
    page: Page
    path: Mapping[str, str]
    base_url: str
    """Scheme, host and path prefix under which callers reach the service."""
    correlation_id: str
    form: Mapping[str, str] = field(default_factory=dict)
    key: SessionKey | None = None
    found_session: PortalSession | None = None
    found_reading: DirectoryReading | None = None
    found_standing: Standing | None = None

    @property
    def is_refresh(self) -> bool:
        """Whether the script or another site's page asks by itself, so that nobody uses the session."""
        return self.page.is_fragment or REFRESH_HEADER in self.web.headers or is_embedded(self.web)

    @property
    def session(self) -> PortalSession:
        """The open session."""
        if self.found_session is None:
            raise LookupError("the page needs no session")
        return self.found_session

    @property
    def organization_id(self) -> str:
        """The organization that the session opens."""
        return self.session.organization_id

    @property
    def reading(self) -> DirectoryReading:
        """What reads the directory of the path."""
        if self.found_reading is None:
            raise LookupError("the page's path names no directory")
        return self.found_reading

    @property
    def directory(self) -> Directory:
        """The directory of the path."""
        return self.reading.directory

    @property
    def standing(self) -> Standing:
        """What the health of the directory follows from."""
        if self.found_standing is None:
            raise LookupError("the page shows no health")
        return self.found_standing

    @property
    def store(self) -> ResourceStore:
        """The users and groups of the directory."""
        return self.services.store_of(self.directory)

    async def proof(self, purpose: ProofPurpose, subject: str) -> str:
        """Return what proves that a page gave an id, which is not made yet, to this session's organization."""
        return await self.services.proofs.give(purpose, self.organization_id, subject)

    async def require_proof(self, purpose: ProofPurpose, subject: str) -> None:
        """Refuse a form whose id no page gave to this session's organization within the last hour.

        :raises PortalProblem: 404 or 410.
        """
        await self.services.proofs.require(purpose, self.organization_id, subject, self.form.get("proof", ""))

    @property
    def root(self) -> str:
        """The path of the portal, which addresses within it begin with."""
        return f"{urlsplit(self.base_url).path}/portal"

    @property
    def again(self) -> str:
        """The address of this visit once more, marked as the second attempt."""
        query = urlencode({**self.web.query, "again": "1"})
        return f"{self.root}{quote(self.web.path.removeprefix('/portal'))}?{query}"

    @property
    def tenant_url(self) -> str:
        """What Entra's field of this name takes, for the directory of the path."""
        return self.tenant_url_of(self.directory.id)

    def tenant_url_of(self, directory_id: str) -> str:
        """Return what Entra's field of this name takes, for a directory."""
        return f"{self.base_url}/scim/v2/{directory_id}"

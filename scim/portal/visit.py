"""A page of the portal, and a visit to it: who visits, what is asked for, and what stands behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import quote, urlencode, urlsplit

from scim.directories.directory import Directory
from scim.directories.organization import Organization
from scim.directories.portal_access import PortalSession, SessionKey
from scim.directories.portal_access_service import PortalAccessService
from scim.directories.service import DirectoryService
from scim.directories.token_service import TokenService
from scim.portal.branding import Branding
from scim.web import WebRequest, WebResponse


@dataclass(frozen=True, slots=True)
class Services:
    """What pages stand on."""

    directories: DirectoryService
    tokens: TokenService
    access: PortalAccessService
    branding: Branding
    counts_of: Callable[[Directory], Awaitable[Mapping[str, int]]]
    """Gives ``users``, ``active`` and ``groups`` of a directory."""
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
    found_organization: Organization | None = None
    found_directory: Directory | None = None

    @property
    def session(self) -> PortalSession:
        """The open session."""
        if self.found_session is None:
            raise LookupError("the page needs no session")
        return self.found_session

    @property
    def organization(self) -> Organization:
        """The organization that the session opens."""
        if self.found_organization is None:
            raise LookupError("the page needs no session")
        return self.found_organization

    @property
    def directory(self) -> Directory:
        """The directory of the path."""
        if self.found_directory is None:
            raise LookupError("the page's path names no directory")
        return self.found_directory

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

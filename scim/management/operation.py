"""An operation of the API, and a call of it: who calls, what is called, and what stands behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

from scim.directories.api_key import ApiKey, KeyScope
from scim.directories.api_key_service import ApiKeyService
from scim.directories.audit_log import AuditLog
from scim.directories.creation import Creation, CreationService
from scim.directories.deletion import DirectoryDeletion
from scim.directories.directory import Directory
from scim.directories.health import Standing
from scim.directories.key_revocation import KeyRevocation
from scim.directories.organization import Organization
from scim.directories.portal_access_service import PortalAccessService
from scim.directories.service import DirectoryService
from scim.directories.token_service import TokenService
from scim.events.organization_feed import DirectoryFeed, OrganizationEventReader
from scim.management.cursors import not_of_this_list, open_cursor, seal
from scim.management.models import ListMetadata, Query
from scim.resources.derived import DerivedReader
from scim.resources.identifiers import uuid7_hex
from scim.resources.interfaces import ResourceStore
from scim.resources.provisioning_log import ProvisioningLogStore

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Services:
    """What operations stand on."""

    directories: DirectoryService
    creations: CreationService
    tokens: TokenService
    keys: ApiKeyService
    key_revocation: KeyRevocation
    deletion: DirectoryDeletion
    store_of: Callable[[Directory], ResourceStore]
    standing_of: Callable[[Directory], Awaitable[Standing]]
    """Gives what a directory holds, what it was asked of late, and its tokens."""
    derived_of: Callable[[Directory], DerivedReader]
    provisioning_log: ProvisioningLogStore
    feed_of: DirectoryFeed
    organization_events: OrganizationEventReader
    portal_access: PortalAccessService
    audit_log: AuditLog
    public_base_url: str = ""


@dataclass(frozen=True, slots=True)
class Secret:
    """A field of an answer that is shown once, and not kept with the answer."""

    field: str
    again: Callable[[Call, Mapping[str, Any]], Awaitable[str | None]]
    """Gives it for a request that is repeated, of the call and the kept answer; None when it is not shown again."""


def never_again(field: str) -> Secret:
    """Return a field that cannot be shown again: only its hash is kept."""

    async def unknown(_call: Call, _answer: Mapping[str, Any]) -> None:
        return None

    return Secret(field, unknown)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: all that dispatch, the OpenAPI document and the tests need to know of it."""

    id: str
    method: str
    path: str
    """Below ``/api/v1/``, with parameters in braces. What ``organization_id`` and ``directory_id`` name is loaded."""
    scope: KeyScope
    summary: str
    answer: Callable[[Call], Awaitable[BaseModel | None]]
    budget: str
    """How many storage requests it costs, authentication by a known key aside."""
    response: type[BaseModel] | None = None
    """None for an answer without a body."""
    query: type[Query] = Query
    body: type[BaseModel] | None = None
    status: int = 200
    problems: tuple[int, ...] = ()
    """The statuses it can be answered with beside those that every operation has."""
    of_deleted: bool = False
    """Whether it is answered for a directory that is being deleted, too."""
    secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call of an operation, authenticated and read; what its path names has been found."""

    services: Services
    key: ApiKey
    operation: Operation
    path: Mapping[str, str]
    query: Any
    """Of the operation's query model."""
    body: Any
    """Of the operation's body model."""
    base_url: str
    """Scheme and host under which callers reach the service."""
    creation: Creation = field(default_factory=lambda: Creation(uuid7_hex()))
    """Under which id it creates what it creates."""
    found_organization: Organization | None = None
    found_directory: Directory | None = None

    @property
    def organization(self) -> Organization:
        """The organization of the path."""
        if self.found_organization is None:
            raise LookupError("the operation's path names no organization")
        return self.found_organization

    @property
    def directory(self) -> Directory:
        """The directory of the path."""
        if self.found_directory is None:
            raise LookupError("the operation's path names no directory")
        return self.found_directory

    @property
    def store(self) -> ResourceStore:
        """The users and groups of the directory."""
        return self.services.store_of(self.directory)

    def start(self, is_position: Callable[[str], bool]) -> str:
        """Return the position in the list behind which the page begins, empty for the first page.

        :param is_position: Whether a text is a position of the list; a cursor could have been made up.
        :raises Problem: 422, when the cursor is none of this list.
        """
        position = open_cursor(self._list_name, self.query.after)
        if position and not is_position(position):
            raise not_of_this_list()
        return position

    def metadata(self, position: str) -> ListMetadata:
        """Return where a list goes on; an empty position is its end."""
        return ListMetadata(before=None, after=seal(self._list_name, position) if position else None)

    def page(self, listed: Sequence[Item], id_of: Callable[[Item], str]) -> tuple[Sequence[Item], ListMetadata]:
        """Return the page of a list that is there as a whole, in the order of its ids."""
        after, limit = self.start(lambda _: True), self.query.limit
        rest = sorted((item for item in listed if id_of(item) > after), key=id_of)
        return rest[:limit], self.metadata(id_of(rest[limit - 1]) if len(rest) > limit else "")

    @property
    def _list_name(self) -> str:
        filters = {name: value for name, value in self.query if name not in ("limit", "after")}
        return f"{self.operation.id} {sorted(self.path.items())} {sorted(filters.items())}"

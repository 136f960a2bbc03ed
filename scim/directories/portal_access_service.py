"""Making, listing, redeeming and revoking links to the portal, and the sessions made with them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from scim.directories.creation import Creation
from scim.directories.errors import InvalidValueError, LinkNotFoundError
from scim.directories.interfaces import DirectoryStore
from scim.directories.portal_access import (
    LinkUse,
    PortalLink,
    PortalSession,
    SessionKey,
    check_return_url,
    code_in,
    is_code_of,
    link_id_of,
    new_code,
    new_link,
    new_session,
    organization_in,
)


class PortalAccessStore(Protocol):
    """Keeps links and sessions. Every method raises DirectoryStoreUnavailableError when it does not answer."""

    async def add_link(self, link: PortalLink) -> None:
        """Keep a new link; doing it again changes nothing.

        :raises OrganizationNotFoundError: When its organization does not exist.
        """
        ...

    async def link_uses(self, organization_id: str) -> Sequence[LinkUse]:
        """Return the links of an organization with their sessions, those at their end among them."""
        ...

    async def session(self, organization_id: str, link_id: str, session_id: str) -> PortalSession | None:
        """Return a session, at its end or not, or None. One storage request; none for what has not the form of ids."""
        ...

    async def update_link(
        self, organization_id: str, link_id: str, change: Callable[[LinkUse], LinkUse]
    ) -> LinkUse | None:
        """Replace a link and its sessions by ``change`` of them, in one transaction; return them, or None.

        ``change`` is pure and called again when somebody else changed them meanwhile.
        """
        ...

    async def forget_link(self, use: LinkUse) -> None:
        """Remove a link with its sessions; doing it again changes nothing."""
        ...


@dataclass(frozen=True, slots=True)
class NewPortalLink:
    """A link just made, and its code, which is shown this once."""

    link: PortalLink
    code: str = field(repr=False)

    def url(self, base_url: str) -> str:
        """Return the address to send: the code is in the fragment, which browsers send to no server."""
        return f"{base_url}/portal/open#{self.code}"


class PortalAccessService:
    """Decides who may open the portal of an organization."""

    def __init__(
        self,
        store: PortalAccessStore,
        directories: DirectoryStore,
        *,
        now: Callable[[], datetime],
        return_hosts: Sequence[str] = (),
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._store = store
        self._directories = directories
        self._now = now
        self._return_hosts = return_hosts
        self._random_bytes = random_bytes

    async def create_link(
        self,
        organization_id: str,
        *,
        expires_at: datetime | None = None,
        directory_id: str | None = None,
        return_url: str | None = None,
        creation: Creation | None = None,
    ) -> NewPortalLink:
        """Return a new link.

        :param creation: Under which it is made; a link of an earlier attempt, whose code nobody knows, is revoked.
        :raises InvalidValueError: When a value is not accepted.
        :raises OrganizationNotFoundError: When the organization does not exist.
        """
        if return_url is not None:
            check_return_url(return_url, self._return_hosts)
        code = new_code(organization_id, self._random_bytes)
        link = new_link(
            organization_id,
            code,
            self._now(),
            expires_at=expires_at,
            directory_id=directory_id,
            return_url=return_url,
        )
        if directory_id is not None:
            await self._require_directory(organization_id, directory_id)
        if creation is not None:
            await self._revoke_earlier(organization_id, creation)
            link = replace(link, creation_id=creation.id)
        await self._store.add_link(link)
        return NewPortalLink(link, code)

    async def link_uses(self, organization_id: str) -> Sequence[LinkUse]:
        """Return the links of an organization with their open sessions, oldest first."""
        now = self._now()
        uses = await self._store.link_uses(organization_id)
        opened = [
            LinkUse(use.link, tuple(each for each in use.sessions if now < each.expires_at))
            for use in uses
            if not use.link.is_forgotten(now)
        ]
        return sorted(opened, key=lambda use: (use.link.created, use.link.id))

    async def revoke_link(self, organization_id: str, link_id: str) -> None:
        """End a link and, in the same transaction, every session made with it.

        :raises LinkNotFoundError: When the organization has no such link.
        """
        now = self._now()
        if await self._store.update_link(organization_id, link_id, lambda use: use.revoked(now)) is None:
            raise LinkNotFoundError(link_id)

    async def _revoke_earlier(self, organization_id: str, creation: Creation) -> None:
        if not creation.is_repeated:
            return
        for use in await self._store.link_uses(organization_id):
            if use.link.creation_id == creation.id:
                await self.revoke_link(organization_id, use.link.id)

    async def redeem(self, text: str) -> SessionKey | None:
        """Return the key of a new session for a code or a whole link, or None where it opens nothing.

        A code with a wrong checksum costs no storage request; others cost three.
        """
        code = code_in(text)
        organization = await self._directories.organization(organization_in(code)) if code else None
        if code is None or organization is None:
            return None
        now, made = self._now(), list[tuple[SessionKey, PortalSession]]()

        def with_session(use: LinkUse) -> LinkUse:
            if not is_code_of(code, use.link) or not use.link.is_valid(now):
                return use
            if not made:
                made.append(new_session(use.link, organization.name, now, self._random_bytes))
            return use.with_session(made[0][1], now)

        use = await self._store.update_link(organization.id, link_id_of(code), with_session)
        opened = use is not None and bool(made) and made[0][1] in use.sessions
        return made[0][0] if opened else None

    async def recognise(self, key: SessionKey | None) -> PortalSession | None:
        """Return the open session of a key, or None. One storage request."""
        if key is None:
            return None
        session = await self._store.session(key.organization_id, key.link_id, key.session_id)
        valid = session is not None and key.opens(session) and self._now() < session.expires_at
        return session if valid else None

    async def end_session(self, organization_id: str, link_id: str, session_id: str) -> None:
        """End a session; one that has ended stays so.

        :raises LinkNotFoundError: When the organization has no such link.
        """
        use = await self._store.update_link(organization_id, link_id, lambda old: old.without_session(session_id))
        if use is None:
            raise LinkNotFoundError(link_id)

    async def forget_ended(self, organization_id: str) -> None:
        """Remove the links of an organization that ended long ago. One storage request, and one for each of them."""
        now = self._now()
        for use in await self._store.link_uses(organization_id):
            if use.link.is_forgotten(now):
                await self._store.forget_link(use)

    async def _require_directory(self, organization_id: str, directory_id: str) -> None:
        directory = await self._directories.directory(directory_id)
        if directory is None or directory.organization_id != organization_id:
            raise InvalidValueError("directory_id", "give the id of a directory of this organization, or leave it out")

"""Making, listing, redeeming and revoking links to the portal, and the sessions made with them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Protocol

from scim.directories.actor import current_actor, note_change
from scim.directories.api_key import ApiKey
from scim.directories.change_event import ChangeEvent, link_created, link_events
from scim.directories.creation import Creation
from scim.directories.errors import InvalidValueError, LinkNotFoundError, LinkUsedUpError
from scim.directories.guesses import Guesses
from scim.directories.interfaces import DirectoryStore
from scim.directories.organization import Organization
from scim.directories.organization_events import OrganizationEvent, note_event
from scim.directories.portal_access import LinkUse, PortalSession, SessionKey, new_session, random_bytes_of
from scim.directories.portal_link import (
    DEFAULT_MAX_USES,
    NewPortalLink,
    PortalLink,
    check_return_url,
    code_in,
    is_code_of,
    link_id_of,
    new_code,
    new_link,
    organization_in,
)
from scim.directories.session_uses import SessionUses, SessionUseStore


class PortalAccessStore(SessionUseStore, Protocol):
    """Keeps links and sessions. Every method raises DirectoryStoreUnavailableError when it does not answer."""

    async def add_link(self, link: PortalLink, event: OrganizationEvent) -> None:
        """Keep a new link with its event; doing it again changes nothing.

        :raises OrganizationNotFoundError: When its organization does not exist.
        """
        ...

    async def link_uses(self, organization_id: str) -> Sequence[LinkUse]:
        """Return the links of an organization with their sessions, those at their end among them."""
        ...

    async def link_use(self, organization_id: str, link_id: str) -> LinkUse | None:
        """Return a link with its sessions, those at their end among them, or None."""
        ...

    async def session(self, organization_id: str, link_id: str, session_id: str) -> PortalSession | None:
        """Return a session, at its end or not, or None. One storage request; none for what has not the form of ids."""
        ...

    async def update_link(
        self,
        organization_id: str,
        link_id: str,
        change: Callable[[LinkUse], LinkUse],
        events: Callable[[LinkUse, LinkUse], Sequence[OrganizationEvent]],
    ) -> LinkUse | None:
        """Replace a link and its sessions by ``change`` of them, in one transaction; return them, or None.

        ``events`` makes of what they were before and are afterwards what is told of it, in the same transaction.

        ``change`` is pure and called again when somebody else changed them meanwhile.
        """
        ...

    async def forget_link(self, use: LinkUse) -> None:
        """Remove a link with its sessions; doing it again changes nothing."""
        ...


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
        guesses: Guesses | None = None,
    ) -> None:
        self._store = store
        self._uses = SessionUses(store)
        self._guesses = guesses or Guesses()
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
        label: str | None = None,
        max_uses: int = DEFAULT_MAX_USES,
        creation: Creation | None = None,
        made_by: ApiKey | None = None,
    ) -> NewPortalLink:
        """Return a new link.

        :param creation: Under which it is made; a link of an earlier attempt, whose code nobody knows, is revoked.
        :param made_by: The API key that makes it, which is noted, and which it does not outlive.
        :raises InvalidValueError: When a value is not accepted.
        :raises BeyondKeyError: When it is asked to end later than the key that makes it.
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
            label=label,
            max_uses=max_uses,
            made_by=made_by,
        )
        if directory_id is not None:
            await self._require_directory(organization_id, directory_id)
        if creation is not None:
            await self._revoke_earlier(organization_id, creation)
            link = replace(link, creation_id=creation.id)
        event = link_created(link, current_actor())
        await self._store.add_link(link, event)
        note_event(event)
        return NewPortalLink(link, code)

    async def link_uses(self, organization_id: str) -> Sequence[LinkUse]:
        """Return the links of an organization with their open sessions, oldest first."""
        now = self._now()
        uses = await self._store.link_uses(organization_id)
        opened = [use.with_open_sessions(now) for use in uses if not use.link.is_forgotten(now)]
        return sorted(opened, key=lambda use: (use.link.created, use.link.id))

    async def link_use(self, organization_id: str, link_id: str) -> LinkUse:
        """Return a link with its open sessions.

        :raises LinkNotFoundError: When the organization has no such link, or had it long ago.
        """
        now, use = self._now(), await self._store.link_use(organization_id, link_id)
        if use is None or use.link.is_forgotten(now):
            raise LinkNotFoundError(link_id)
        return use.with_open_sessions(now)

    async def revoke_link(self, organization_id: str, link_id: str) -> None:
        """End a link and, in the same transaction, every session made with it.

        :raises LinkNotFoundError: When the organization has no such link.
        """
        now = self._now()
        if await self._update(organization_id, link_id, lambda use: use.revoked(now)) is None:
            raise LinkNotFoundError(link_id)

    async def _revoke_earlier(self, organization_id: str, creation: Creation) -> None:
        if not creation.is_repeated:
            return
        for use in await self._store.link_uses(organization_id):
            if use.link.creation_id == creation.id:
                await self.revoke_link(organization_id, use.link.id)

    async def redeem(self, text: str, *, attempt: str = "", browser: str | None = None) -> SessionKey | None:
        """Return the key of a new session for a code or a whole link, or None where it opens nothing.

        A code with a wrong checksum costs no storage request; others cost three, with a new session four; what opens
        nothing is looked for once in 5 s.

        :param attempt: Of :func:`new_attempt`; while its session is open, the same attempt gives the same key again and
            counts once, so that whoever lost an answer sends the form again.
        :param browser: What the session says of the browser.
        :raises LinkUsedUpError: When it opened as many sessions as it may.
        """
        code = code_in(text)
        if code is None:
            return None
        thing, redeem = f"link {link_id_of(code)}", partial(self._redeemed, code, attempt, browser)
        return await self._guesses.find(thing, redeem, shared=False)  # each who redeems it now has a session

    async def _redeemed(self, code: str, attempt: str, browser: str | None) -> SessionKey | None:
        organization = await self._directories.organization(organization_in(code))
        if organization is None:
            return None
        made: list[tuple[SessionKey, PortalSession]] = []
        now = self._now()

        def with_session(use: LinkUse) -> LinkUse:
            if not is_code_of(code, use.link):
                return use
            begun = self._begun_before(use, code, attempt)
            made[:] = [begun or (made[0] if made else self._begun(use, organization, code, attempt, browser))]
            return use.with_session(made[0][1], now)

        use = await self._update(organization.id, link_id_of(code), with_session)
        if use is None or not made or not use.link.is_valid(now):
            return None
        if use.session(made[0][1].id) is None:
            raise LinkUsedUpError
        self._guesses.remember(f"session {made[0][1].id}", is_somebodys=True)
        return made[0][0]

    def _begun(
        self, use: LinkUse, organization: Organization, code: str, attempt: str, browser: str | None
    ) -> tuple[SessionKey, PortalSession]:
        """Return a new session of an attempt."""
        now = self._now()
        random_bytes = random_bytes_of(attempt, code, now) or self._random_bytes
        return new_session(use.link, organization.name, now, random_bytes, browser)

    def _begun_before(self, use: LinkUse, code: str, attempt: str) -> tuple[SessionKey, PortalSession] | None:
        """Return the open session that an attempt has begun, with its key, or None."""
        for session in use.sessions:
            random_bytes = random_bytes_of(attempt, code, session.created)
            key = session.key_of(random_bytes) if random_bytes else None
            if key and key.opens(session) and self._uses.seen(session).is_open(self._now()):
                return key, session
        return None

    async def recognise(self, key: SessionKey | None, *, is_use: bool = True) -> PortalSession | None:
        """Return the open session of a key, or None. One storage request, and behind it at most one more a minute.

        For a key that opens nothing one request in 5 s.

        :param is_use: Whether somebody uses it, so that it ends later; False for what a page does by itself.
        """
        if key is None:
            return None
        now = self._now()
        stored = await self._guesses.find(
            f"session {key.session_id}", lambda: self._store.session(key.organization_id, key.link_id, key.session_id)
        )
        if stored is None or not key.opens(stored) or not self._uses.seen(stored).is_open(now):
            return None
        return self._uses.note(stored, now) if is_use else self._uses.seen(stored)

    async def close(self) -> None:
        """Wait for what is being stored of the sessions' uses."""
        await self._uses.close()

    async def end_session(self, organization_id: str, link_id: str, session_id: str) -> None:
        """End a session; one that has ended stays so, and of one that there is not nothing is said.

        :raises LinkNotFoundError: When the organization has no such link.
        """
        ended = list[PortalSession]()

        def without_session(use: LinkUse) -> LinkUse:
            ended.extend(session for session in use.sessions if session.id == session_id)
            return use.without_session(session_id)

        if await self._update(organization_id, link_id, without_session) is None:
            raise LinkNotFoundError(link_id)
        for session in ended[:1]:
            note_change("portal_session.ended", session.id, current_actor(), organization_id=organization_id)

    async def forget_ended(self, organization_id: str, now: datetime | None = None) -> None:
        """Remove the links of an organization that ended long ago. One storage request, and one for each of them.

        :param now: The time by storage's clock, where it is known: what is removed does not come back.
        """
        now = now or self._now()
        for use in await self._store.link_uses(organization_id):
            if use.link.is_forgotten(now):
                await self._store.forget_link(use)

    async def _update(self, organization_id: str, link_id: str, change: Callable[[LinkUse], LinkUse]) -> LinkUse | None:
        now, made = self._now(), list[ChangeEvent]()

        def events(before: LinkUse, after: LinkUse) -> Sequence[ChangeEvent]:
            made[:] = link_events(before, after, now, current_actor)
            return made

        use = await self._store.update_link(organization_id, link_id, change, events)
        for event in made:
            note_event(event)
        return use

    async def _require_directory(self, organization_id: str, directory_id: str) -> None:
        directory = await self._directories.directory(directory_id)
        if directory is None or directory.organization_id != organization_id or directory.deletion is not None:
            raise InvalidValueError("directory_id", "give the id of a directory of this organization, or leave it out")

"""Links that open the administrator's portal, and the sessions made with them. Only hashes of them are kept. Pure."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

from scim.directories.actor import Actor
from scim.directories.bearer_token import checksum, digest, random_secret
from scim.directories.errors import InvalidValueError

DEFAULT_LINK_LIFE, LONGEST_LINK_LIFE = timedelta(days=7), timedelta(days=30)
SESSION_LIFE = timedelta(hours=8)
"""From its beginning, used or not; a session never outlives its link."""
MAX_SESSIONS = 50
"""How many sessions of one link may be open: with one more, the oldest ends. All of them fit one transaction."""
KEPT_AFTER_END = timedelta(days=30)
"""How long a link is listed after it ended."""

_CODE = re.compile(r"scimpl_([0-9a-f]{32})_[0-9A-Za-z]{49}", re.ASCII)
_COOKIE = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{16})\.([0-9A-Za-z]{43})", re.ASCII)
_LINK_ID, _SESSION_ID = re.compile(r"lnk_[0-9a-f]{16}"), re.compile(r"ses_[0-9a-f]{16}")
_ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class PortalLink:
    """What is kept of a link."""

    id: str
    """``lnk_`` and the first 16 hex digits of the code's SHA-256: it finds the row, and opens nothing."""
    organization_id: str
    created: datetime
    expires_at: datetime
    digest_hex: str
    """The SHA-256 of the code."""
    directory_id: str | None = None
    """The only directory it opens, or None for all of the organization, and for new ones."""
    return_url: str | None = None
    """Where the portal leads back to."""
    revoked_at: datetime | None = None
    last_used: datetime | None = None
    creation_id: str | None = None
    """The creation that made it, so that another attempt at it finds what was never shown."""

    def is_valid(self, at: datetime) -> bool:
        """Tell whether the link opens the portal at a time."""
        return self.revoked_at is None and at < self.expires_at

    def is_forgotten(self, at: datetime) -> bool:
        """Tell whether the link ended so long ago that it is no longer listed."""
        return at >= min(self.revoked_at or self.expires_at, self.expires_at) + KEPT_AFTER_END


@dataclass(frozen=True, slots=True)
class PortalSession:
    """What is kept of a session: the use of a link in one browser."""

    id: str
    """``ses_`` and the first 16 hex digits of the secret's SHA-256."""
    link_id: str
    organization_id: str
    created: datetime
    expires_at: datetime
    digest_hex: str
    """The SHA-256 of the secret."""
    organization_name: str
    """As it was when the session began: so a page needs no other row to show it."""
    directory_id: str | None = None
    return_url: str | None = None

    @property
    def actor(self) -> Actor:
        """Who makes changes in this session."""
        return Actor("portal_session", self.id, link_id=self.link_id)

    def opens(self, directory_id: str) -> bool:
        """Tell whether the session opens a directory of its organization."""
        return self.directory_id in (None, directory_id)


@dataclass(frozen=True, slots=True)
class LinkUse:
    """A link with its sessions, oldest first."""

    link: PortalLink
    sessions: tuple[PortalSession, ...] = ()

    def with_session(self, session: PortalSession, now: datetime) -> LinkUse:
        """Return the use with a session more, those at their end left out; the very same where it has it already."""
        if session in self.sessions:
            return self
        open_sessions = [each for each in self.sessions if now < each.expires_at]
        kept = (*open_sessions[-(MAX_SESSIONS - 1) :], session)
        return LinkUse(replace(self.link, last_used=now), kept)

    def without_session(self, session_id: str) -> LinkUse:
        """Return the use with a session ended."""
        return replace(self, sessions=tuple(each for each in self.sessions if each.id != session_id))

    def revoked(self, now: datetime) -> LinkUse:
        """Return the use with the link and all its sessions ended."""
        return LinkUse(replace(self.link, revoked_at=self.link.revoked_at or now))


@dataclass(frozen=True, slots=True)
class SessionKey:
    """What a browser holds of its session: the value of the cookie, taken apart."""

    organization_id: str
    link_id: str
    secret: str = field(repr=False)

    @property
    def session_id(self) -> str:
        """The id of the session that the secret opens."""
        return f"ses_{_hash(self.secret)[:_ID_DIGITS]}"

    @property
    def cookie(self) -> str:
        """The value of the cookie, of letters that need no quotes."""
        return f"{self.organization_id.removeprefix('org_')}.{self.link_id.removeprefix('lnk_')}.{self.secret}"

    @property
    def form_token(self) -> str:
        """What every form of the session carries, so that no other site can make one."""
        return self.proof("form")

    def proof(self, text: str) -> str:
        """Return what proves that a text was given to this session by us."""
        return hmac.new(self.secret.encode(), text.encode(), sha256).hexdigest()

    def proves(self, text: str, proof: str) -> bool:
        """Tell in constant time whether a text was given to this session by us."""
        return hmac.compare_digest(self.proof(text).encode(), proof.encode())

    def opens(self, session: PortalSession) -> bool:
        """Tell in constant time whether the secret is that of a session."""
        return hmac.compare_digest(_hash(self.secret), session.digest_hex)

    @classmethod
    def read(cls, cookie: str) -> SessionKey | None:
        """Return the key of a cookie's value, or None for what none of ours has."""
        match = _COOKIE.fullmatch(cookie)
        return cls(f"org_{match[1]}", f"lnk_{match[2]}", match[3]) if match else None


def new_code(organization_id: str, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Return a new code of an organization: ``scimpl_{organization}_{256 bits}{checksum}``."""
    body = f"scimpl_{organization_id.removeprefix('org_')}_{random_secret(random_bytes)}"
    return body + checksum(body)


def code_in(text: str) -> str | None:
    """Return the code in what an administrator pasted: the code alone, or the whole link. None where it is none.

    A code that is cut off or mistyped fails its checksum and costs no storage request.
    """
    match = _CODE.search(text[:4000])
    return match[0] if match and checksum(match[0][:-6]) == match[0][-6:] else None


def organization_in(code: str) -> str:
    """Return the organization whose code it claims to be."""
    return f"org_{code[7:39]}"


def link_id_of(code: str) -> str:
    """Return the id of the link that a code belongs to."""
    return f"lnk_{_hash(code)[:_ID_DIGITS]}"


def new_link(
    organization_id: str,
    code: str,
    now: datetime,
    *,
    expires_at: datetime | None = None,
    directory_id: str | None = None,
    return_url: str | None = None,
) -> PortalLink:
    """Return what is kept of a new link.

    :raises InvalidValueError: When it would end in the past, or live too long.
    """
    expiry = expires_at or now + DEFAULT_LINK_LIFE
    if not now < expiry <= now + LONGEST_LINK_LIFE:
        raise InvalidValueError("expires_at", f"give a time within the next {LONGEST_LINK_LIFE.days} days")
    return PortalLink(link_id_of(code), organization_id, now, expiry, _hash(code), directory_id, return_url)


def is_code_of(code: str, link: PortalLink) -> bool:
    """Tell in constant time whether a code is that of a link."""
    return hmac.compare_digest(_hash(code), link.digest_hex)


def new_session(
    link: PortalLink,
    organization_name: str,
    now: datetime,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> tuple[SessionKey, PortalSession]:
    """Return a new session of a link, and what its browser is given."""
    key = SessionKey(link.organization_id, link.id, random_secret(random_bytes))
    session = PortalSession(
        id=key.session_id,
        link_id=link.id,
        organization_id=link.organization_id,
        created=now,
        expires_at=min(now + SESSION_LIFE, link.expires_at),
        digest_hex=_hash(key.secret),
        organization_name=organization_name,
        directory_id=link.directory_id,
        return_url=link.return_url,
    )
    return key, session


def is_link_id(text: str) -> bool:
    """Tell whether a text has the form of a link's id, which makes it safe as part of a key."""
    return _LINK_ID.fullmatch(text) is not None


def is_session_id(text: str) -> bool:
    """Tell whether a text has the form of a session's id."""
    return _SESSION_ID.fullmatch(text) is not None


def check_return_url(url: str, hosts: Iterable[str]) -> None:
    """Refuse an address to return to that is not of the application's own hosts, or not encrypted.

    :raises InvalidValueError: Saying what is accepted.
    """
    match = re.fullmatch(r"https://([a-z0-9.-]+)(:\d{1,5})?(/[!-;=?-~]*)?", url, re.ASCII)
    if match is None or len(url) > 1000 or match[1] not in hosts:  # noqa: PLR2004 - a longer one is no address to return to
        raise InvalidValueError("return_url", "give an https address on a host that SCIM_PORTAL_RETURN_HOSTS names")


def _hash(text: str) -> str:
    return digest(text).hex()

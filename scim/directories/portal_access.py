"""Sessions of the administrator's portal, begun with a link. Only a hash of a session's secret is kept. Pure."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

from scim.directories.actor import Actor
from scim.directories.bearer_token import digest, random_secret
from scim.directories.portal_link import PortalLink

SESSION_LIFE = timedelta(hours=8)
"""From its beginning, used or not; a session never outlives its link."""
IDLE_LIMIT = timedelta(minutes=30)
"""From the last use: a page that somebody opened or a form that somebody sent, not what a page refreshes by itself."""
MAX_SESSIONS = 50
"""How many sessions of one link may be open: with one more, the oldest ends. All of them fit one transaction."""

_COOKIE = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{16})\.([0-9A-Za-z]{43})", re.ASCII)
_SESSION_ID = re.compile(r"ses_[0-9a-f]{16}")
_ATTEMPT = re.compile(r"[0-9A-Za-z_-]{43}", re.ASCII)
_ID_DIGITS = 16


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
    label: str | None = None
    """Whom its link is for."""
    browser: str | None = None
    """Family of browser and system, such as ``Firefox on macOS``; None for a session of before that was noted."""
    last_used: datetime | None = None
    """To about a minute; None for a session of before there was an idle limit, which begins with its next use."""

    @property
    def ends_at(self) -> datetime:
        """When the session ends unless it is used before."""
        return self.expires_at if self.last_used is None else min(self.expires_at, self.last_used + IDLE_LIMIT)

    def is_open(self, at: datetime) -> bool:
        """Tell whether the session has not come to its end at a time."""
        return at < self.ends_at

    @property
    def actor(self) -> Actor:
        """Who makes changes in this session."""
        return Actor("portal_session", self.id, self.label, self.link_id)

    def key_of(self, random_bytes: Callable[[int], bytes]) -> SessionKey:
        """Return the key of the session if its secret was made of these bytes, else one that does not open it."""
        return SessionKey(self.organization_id, self.link_id, random_secret(random_bytes))

    def opens(self, directory_id: str) -> bool:
        """Tell whether the session opens a directory of its organization."""
        return self.directory_id in (None, directory_id)


@dataclass(frozen=True, slots=True)
class LinkUse:
    """A link with its sessions, oldest first."""

    link: PortalLink
    sessions: tuple[PortalSession, ...] = ()

    def with_session(self, session: PortalSession, now: datetime) -> LinkUse:
        """Return the use with a session more, those at their end left out.

        The very same where it has it already, and where the link begins no further one.
        """
        if self.session(session.id) or not self.link.is_valid(now) or self.link.is_used_up:
            return self
        kept = (*self.with_open_sessions(now).sessions[-(MAX_SESSIONS - 1) :], session)
        return LinkUse(replace(self.link, last_used=now, uses=self.link.uses + 1), kept)

    def with_open_sessions(self, now: datetime) -> LinkUse:
        """Return the use without the sessions at their end."""
        return replace(self, sessions=tuple(each for each in self.sessions if each.is_open(now)))

    def session(self, session_id: str) -> PortalSession | None:
        """Return one of the sessions, or None."""
        return next((each for each in self.sessions if each.id == session_id), None)

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
        return hmac.new(self.secret.encode(), b"form", sha256).hexdigest()

    def is_form_token(self, text: str) -> bool:
        """Tell in constant time whether a text is the form token.

        It tells who sent a form, as the cookie does, and nothing of what is in it: whoever has the cookie can make it.
        """
        return hmac.compare_digest(self.form_token.encode(), text.encode("utf-8", "surrogatepass"))

    def opens(self, session: PortalSession) -> bool:
        """Tell in constant time whether the secret is that of a session."""
        return hmac.compare_digest(_hash(self.secret), session.digest_hex)

    @classmethod
    def read(cls, cookie: str) -> SessionKey | None:
        """Return the key of a cookie's value, or None for what none of ours has."""
        match = _COOKIE.fullmatch(cookie)
        return cls(f"org_{match[1]}", f"lnk_{match[2]}", match[3]) if match else None


def new_attempt() -> str:
    """Return the name of an attempt to begin a session, which a form carries: sent again, it begins no second one."""
    return secrets.token_urlsafe(32)


def random_bytes_of(attempt: str, code: str, begun: datetime) -> Callable[[int], bytes] | None:
    """Return what the secret is made of for the session that an attempt began at a time; None for a malformed attempt.

    Whoever knows the code alone cannot make it, since the attempt is as long and known to one form only. A session that
    the same attempt begins later has another one.
    """
    if not _ATTEMPT.fullmatch(attempt):
        return None
    made = hmac.new(attempt.encode(), f"session of {code} begun {begun.isoformat()}".encode(), sha256).digest()
    return lambda length: made[:length]


def new_session(
    link: PortalLink,
    organization_name: str,
    now: datetime,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    browser: str | None = None,
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
        label=link.label,
        browser=browser,
        last_used=now,
    )
    return key, session


def is_session_id(text: str) -> bool:
    """Tell whether a text has the form of a session's id."""
    return _SESSION_ID.fullmatch(text) is not None


def _hash(text: str) -> str:
    return digest(text).hex()

"""Links that open the administrator's portal, and the codes in them. Only a code's hash is kept. Pure."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scim.directories.api_key import ApiKey
from scim.directories.bearer_token import checksum, digest, random_secret
from scim.directories.errors import InvalidValueError
from scim.directories.organization import check_text

DEFAULT_LINK_LIFE, LONGEST_LINK_LIFE = timedelta(days=7), timedelta(days=30)
KEPT_AFTER_END = timedelta(days=30)
"""How long a link is listed after it ended."""
DEFAULT_MAX_USES, MOST_MAX_USES = 1, 100
LONGEST_LABEL = 100

_CODE = re.compile(r"scimpl_([0-9a-f]{32})_[0-9A-Za-z]{49}", re.ASCII)
_LINK_ID = re.compile(r"lnk_[0-9a-f]{16}")
_ID_DIGITS = 16
_MISLEADING = re.compile("[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that are not seen and make a text look like another: breaks of lines, and changes of direction."""


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
    label: str | None = None
    """Whom it is for, in the words of who made it; shown to operators and administrators, and in no log."""
    max_uses: int | None = None
    """How many sessions may be begun with it; None for a link of before there was a limit, which has none."""
    uses: int = 0
    """How many sessions were begun with it; of a link of before, since there is a limit."""
    created_by: str | None = None
    """The id of the API key that made it; None for one that an operator made, and where it was not noted yet."""

    def is_valid(self, at: datetime) -> bool:
        """Tell whether the link is neither revoked nor expired at a time."""
        return self.revoked_at is None and at < self.expires_at

    @property
    def is_used_up(self) -> bool:
        """Whether no further session may be begun with it."""
        return self.max_uses is not None and self.uses >= self.max_uses

    def is_forgotten(self, at: datetime) -> bool:
        """Tell whether the link ended so long ago that it is no longer listed."""
        return at >= min(self.revoked_at or self.expires_at, self.expires_at) + KEPT_AFTER_END


@dataclass(frozen=True, slots=True)
class NewPortalLink:
    """A link just made, and its code, which is shown this once."""

    link: PortalLink
    code: str = field(repr=False)

    def url(self, base_url: str) -> str:
        """Return the address to send: the code is in the fragment, which browsers send to no server."""
        return f"{base_url}/portal/open#{self.code}"


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
    label: str | None = None,
    max_uses: int = DEFAULT_MAX_USES,
    made_by: ApiKey | None = None,
) -> PortalLink:
    """Return what is kept of a new link. One that an API key makes ends with the key at the latest.

    :raises InvalidValueError: When it would end in the past, or live too long, or a value is malformed.
    :raises BeyondKeyError: When it is asked to end later than the key that makes it.
    """
    if not 1 <= max_uses <= MOST_MAX_USES:
        raise InvalidValueError("max_uses", f"give 1 to {MOST_MAX_USES}")
    if label is not None:
        _check_label(label)
    expiry = expires_at or _default_expiry(now, made_by)
    if not now < expiry <= now + LONGEST_LINK_LIFE:
        raise InvalidValueError("expires_at", f"give a time within the next {LONGEST_LINK_LIFE.days} days")
    if made_by is not None:
        made_by.check_outlives(expiry)
    return PortalLink(
        link_id_of(code),
        organization_id,
        now,
        expiry,
        _hash(code),
        directory_id,
        return_url,
        label=label,
        max_uses=max_uses,
        created_by=made_by.id if made_by else None,
    )


def _default_expiry(now: datetime, made_by: ApiKey | None) -> datetime:
    expiry = now + DEFAULT_LINK_LIFE
    return min(expiry, made_by.expires_at) if made_by and made_by.expires_at else expiry


def _check_label(label: str) -> None:
    check_text("label", label, LONGEST_LABEL)
    if _MISLEADING.search(label):
        raise InvalidValueError("label", "leave out characters that change the direction of text or break lines")


def is_code_of(code: str, link: PortalLink) -> bool:
    """Tell in constant time whether a code is that of a link."""
    return hmac.compare_digest(_hash(code), link.digest_hex)


def is_link_id(text: str) -> bool:
    """Tell whether a text has the form of a link's id, which makes it safe as part of a key."""
    return _LINK_ID.fullmatch(text) is not None


def check_return_url(url: str, hosts: Iterable[str]) -> None:
    """Refuse an address to return to that is not of the application's own hosts, or not encrypted.

    :raises InvalidValueError: Saying what is accepted.
    """
    match = re.fullmatch(r"https://([a-z0-9.-]+)(:\d{1,5})?(/[!-;=?-~]*)?", url, re.ASCII)
    if match is None or len(url) > 1000 or match[1] not in hosts:  # noqa: PLR2004 - a longer one is no address to return to
        raise InvalidValueError("return_url", "give an https address on a host that SCIM_PORTAL_RETURN_HOSTS names")


def _hash(text: str) -> str:
    return digest(text).hex()

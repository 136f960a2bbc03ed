"""Bearer tokens: their format, what is kept of them, and what is wrong with one that fails. Pure.

Comparison decides whether a token is accepted; the format only explains failures, since an operator may set a token
of any form in the vault.
"""

from __future__ import annotations

import hmac
import re
import secrets
import string
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Literal

from scim.directories.actor import Actor

MAX_VALID_TOKENS = 3
"""How many tokens of a directory may be valid at a time."""
FINGERPRINT_BYTES = 8
FINGERPRINT_TAG = "fingerprint"
"""The tag by which a version in the secret store is recognised as made by us, and for which record."""
ROTATION_TAG = "rotation"
"""The tag that says which rotation made a version."""

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SECRET_BYTES, _SECRET_DIGITS, _CHECK_DIGITS = 32, 43, 6
_PREFIX = "scimdt_"
_FORMAT = re.compile(r"scimdt_([0-9a-f]{32})_[0-9A-Za-z]{49}", re.ASCII)
_LONGEST = 1024

TokenState = Literal["creating", "active", "ended"]
TokenOrigin = Literal["created", "rotated", "adopted"]
"""Made with its directory, by a rotation, or by an operator in the secret store."""
EndReason = Literal["replaced", "expired", "revoked", "disabled", "deleted"]
"""Its overlap was over, its expiry passed, somebody revoked it, or an operator ended its version in the store."""


class TokenMistake(StrEnum):
    """The likely mistake behind a request that was not authenticated."""

    MISSING = "missing"
    """No Authorization header."""
    EMPTY = "empty"
    """``Bearer`` without a token."""
    NOT_BEARER = "not_bearer"
    """Another scheme, or the token without the word Bearer."""
    BEARER_TWICE = "bearer_twice"
    """``Bearer Bearer …``: the word was pasted with the token."""
    CUT_OFF = "cut_off"
    """Our format, but shortened or altered: the checksum fails."""
    ANOTHER_DIRECTORY = "another_directory"
    """Well-formed, for another directory."""
    NOT_OUR_FORMAT = "not_our_format"
    """Nothing that this service hands out."""
    UNRECOGNISED = "unrecognised"
    """Well-formed, for this directory, but of none of the tokens it remembers."""
    ENDED = "ended"
    """An old token: rotated away or revoked."""
    EXPIRED = "expired"
    """A token past its expiry."""
    DISABLED_SECRET = "disabled_secret"  # noqa: S105
    """A token whose version was disabled or deleted in the secret store."""
    DIRECTORY_DISABLED = "directory_disabled"
    """The token is right, but the directory is disabled."""
    UNKNOWN_DIRECTORY = "unknown_directory"
    """There is no such directory."""


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """What a directory's row keeps of a token; never its value."""

    version: str
    """The version in the secret store; empty while ``creating``."""
    state: TokenState
    created: datetime
    last_four: str
    fingerprint: str
    """The first 8 bytes of the token's SHA-256, as hex."""
    ends_at: datetime | None = None
    """When a replaced token ends, or has ended."""
    expires_at: datetime | None = None
    origin: TokenOrigin = "created"
    rotation: str = ""
    """The id of the rotation that makes or made it; empty for any other origin."""
    end_reason: EndReason | None = None
    """Why it ended; None before, and where that was not kept."""
    told: tuple[str, ...] = ()
    """What has been told of it in events, so that nothing is told twice and nothing is left out."""
    made_by: Actor | None = None
    """Who made it; None where that was not kept."""
    ended_by: Actor | None = None
    """Who ended it; None before, and where that was not kept."""

    def is_valid(self, at: datetime) -> bool:
        """Tell whether the token is accepted at a time."""
        return (
            self.state == "active"
            and (self.ends_at is None or at < self.ends_at)
            and (self.expires_at is None or at < self.expires_at)
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that the row holds."""
        return {
            "version": self.version,
            "state": self.state,
            "created": self.created.isoformat(),
            "ends_at": self.ends_at and self.ends_at.isoformat(),
            "expires_at": self.expires_at and self.expires_at.isoformat(),
            "last_four": self.last_four,
            "fingerprint": self.fingerprint,
            "origin": self.origin,
            "rotation": self.rotation,
            "end_reason": self.end_reason,
            "told": list(self.told),
            "made_by": self.made_by and self.made_by.to_json(),
            "ended_by": self.ended_by and self.ended_by.to_json(),
        }

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> TokenRecord:
        """Return the record of its JSON form."""
        return cls(
            version=form["version"],
            state=form["state"],
            created=datetime.fromisoformat(form["created"]),
            last_four=form["last_four"],
            fingerprint=form["fingerprint"],
            ends_at=datetime.fromisoformat(form["ends_at"]) if form["ends_at"] else None,
            expires_at=datetime.fromisoformat(form["expires_at"]) if form["expires_at"] else None,
            origin=form.get("origin", "created"),
            rotation=form.get("rotation", ""),
            end_reason=form.get("end_reason"),
            told=tuple(form.get("told", ())),
            made_by=Actor.from_json(form["made_by"]) if form.get("made_by") else None,
            ended_by=Actor.from_json(form["ended_by"]) if form.get("ended_by") else None,
        )


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """What is kept of the token a request came with: its digest, and what its form suggests. Never the value."""

    digest: bytes
    mistake: TokenMistake
    """What is wrong when the digest is none of the directory's."""

    @classmethod
    def read(cls, authorization: str | None, directory_id: str) -> PresentedToken:
        """Return the token of an Authorization header (RFC 6750 §2.1) that was sent for a directory."""
        if authorization is None:
            return cls(digest(""), TokenMistake.MISSING)
        scheme, *rest = authorization.split(None, 1) or [""]
        token = "".join(rest).strip()
        if scheme.lower() != "bearer":
            return cls(digest(""), TokenMistake.NOT_BEARER if scheme else TokenMistake.EMPTY)
        if not token or len(token) > _LONGEST:
            return cls(digest(""), TokenMistake.NOT_OUR_FORMAT if token else TokenMistake.EMPTY)
        return cls(digest(token), _mistake_of(token, directory_id))


def new_token(directory_id: str, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Return a new token of a directory: ``scimdt_{directory}_{256 bits}{checksum}``."""
    body = f"{_PREFIX}{directory_id.removeprefix('dir_')}_{random_secret(random_bytes)}"
    return body + checksum(body)


def random_secret(random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Return 256 random bits as 43 base-62 digits."""
    return _base62(int.from_bytes(random_bytes(_SECRET_BYTES)), _SECRET_DIGITS)


def digest(token: str) -> bytes:
    """Return the SHA-256 of a token: what is compared and kept in memory in its place."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def fingerprint(token_digest: bytes) -> str:
    """Return what a row keeps of a digest: 16 hex digits that tell tokens apart and open nothing."""
    return token_digest[:FINGERPRINT_BYTES].hex()


def record_of(token: str, created: datetime, *, expires_at: datetime | None = None) -> TokenRecord:
    """Return the record of a token whose creation begins now."""
    return TokenRecord("", "creating", created, token[-4:], fingerprint(digest(token)), expires_at=expires_at)


def matches(presented: bytes, expected: bytes) -> bool:
    """Tell in constant time whether a presented digest is the expected one, or begins with an expected fingerprint."""
    same = hmac.compare_digest(presented[: len(expected)], expected)
    return same and len(expected) >= FINGERPRINT_BYTES


def explain(presented: PresentedToken, records: Iterable[TokenRecord], at: datetime) -> TokenMistake:
    """Return the likely mistake behind a token that was refused; a token that the directory remembers tells most."""
    known = next((record for record in records if record.fingerprint == fingerprint(presented.digest)), None)
    if known is None or known.state == "creating":
        return presented.mistake
    if known.is_valid(at):
        return TokenMistake.DISABLED_SECRET
    if known.end_reason in ("disabled", "deleted"):
        return TokenMistake.DISABLED_SECRET
    expired = known.state == "active" and known.expires_at is not None and at >= known.expires_at
    return TokenMistake.EXPIRED if expired or known.end_reason == "expired" else TokenMistake.ENDED


def _mistake_of(token: str, directory_id: str) -> TokenMistake:
    if token.lower().startswith("bearer"):
        return TokenMistake.BEARER_TWICE
    if not token.startswith(_PREFIX):
        return TokenMistake.NOT_OUR_FORMAT
    match = _FORMAT.fullmatch(token)
    if match is None or checksum(token[:-_CHECK_DIGITS]) != token[-_CHECK_DIGITS:]:
        return TokenMistake.CUT_OFF
    return TokenMistake.UNRECOGNISED if f"dir_{match[1]}" == directory_id else TokenMistake.ANOTHER_DIRECTORY


def checksum(body: str) -> str:
    """Return the six digits that end a token: with them a cut off or altered one is told from a wrong one."""
    return _base62(zlib.crc32(body.encode()), _CHECK_DIGITS)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, remainder = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[remainder])
    return "".join(reversed(digits))

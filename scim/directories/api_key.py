"""API keys: what the application's backend authenticates with. Only a key's hash is kept. Pure."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from scim.directories.bearer_token import checksum, digest, random_secret
from scim.directories.errors import InvalidValueError
from scim.directories.organization import MAX_NAME_LENGTH, check_text, is_organization_id

KeyScope = Literal["read", "write"]

KEY_NUMBER_LENGTH = 16
_PREFIX = "scimak_"
_FORMAT = re.compile(r"scimak_([0-9a-f]{16})_[0-9A-Za-z]{49}", re.ASCII)
_KEY_ID = re.compile(r"key_[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of an API key."""

    id: str
    """``key_`` and the 16 hex digits that the key itself carries."""
    name: str
    scope: KeyScope
    """``write`` may read, too."""
    created: datetime
    last_four: str
    digest_hex: str
    """The SHA-256 of the key."""
    organization_id: str | None = None
    """The only organization it opens, or None for all."""
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse a malformed name, scope or organization."""
        check_text("name", self.name, MAX_NAME_LENGTH)
        if self.scope not in ("read", "write"):
            raise InvalidValueError("scope", "give read or write")
        if self.organization_id is not None and not is_organization_id(self.organization_id):
            raise InvalidValueError("organization_id", "give the id of an organization, such as org_…, or leave it out")

    def is_valid(self, at: datetime) -> bool:
        """Tell whether the key is accepted at a time."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def may(self, scope: KeyScope) -> bool:
        """Tell whether the key opens operations of a scope."""
        return self.scope in (scope, "write")

    def opens(self, organization_id: str) -> bool:
        """Tell whether the key opens an organization."""
        return self.organization_id in (None, organization_id)

    def is_digest_of(self, presented: bytes) -> bool:
        """Tell in constant time whether a presented key's digest is this key's."""
        return hmac.compare_digest(presented, bytes.fromhex(self.digest_hex))


def new_key(random_bytes: Callable[[int], bytes] = secrets.token_bytes, number: str | None = None) -> tuple[str, str]:
    """Return the id and the value of a new key: ``scimak_{16 hex}_{256 bits}{checksum}``.

    :param number: The 16 hex digits, where they are known beforehand.
    """
    number = number or random_bytes(KEY_NUMBER_LENGTH // 2).hex()
    body = f"{_PREFIX}{number}_{random_secret(random_bytes)}"
    return f"key_{number}", body + checksum(body)


def id_in_key(text: str) -> str | None:
    """Return the id that a key carries, or None for what is no key: a wrong checksum costs no storage request."""
    match = _FORMAT.fullmatch(text)
    return f"key_{match[1]}" if match and checksum(text[:-6]) == text[-6:] else None


def is_key_id(text: str) -> bool:
    """Tell whether a text has the form of a key's id, which makes it safe as a row key."""
    return _KEY_ID.fullmatch(text) is not None


def key_digest(value: str) -> str:
    """Return what is kept of a key's value, as hex."""
    return digest(value).hex()

"""API keys: what the application's backend authenticates with. Only a key's hash is kept. Pure."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from scim.directories.bearer_token import checksum, digest, random_secret
from scim.directories.errors import BeyondKeyError, InvalidValueError
from scim.directories.organization import MAX_NAME_LENGTH, check_text, is_organization_id
from scim.directories.times import utc_text

KeyScope = Literal["read", "write", "keys"]
KEY_SCOPES: Final[tuple[KeyScope, ...]] = ("read", "write", "keys")
"""``write`` may read, too; ``keys`` makes and revokes API keys."""

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
    scopes: tuple[KeyScope, ...]
    """In the order of ``KEY_SCOPES``."""
    created: datetime
    last_four: str
    digest_hex: str
    """The SHA-256 of the key."""
    organization_id: str | None = None
    """The only organization it opens, or None for all."""
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used: datetime | None = None
    created_by: str | None = None
    """The id of the API key that made it; None for one that an operator made, and where it was not noted yet."""

    def __post_init__(self) -> None:
        """Refuse a malformed name or organization."""
        check_text("name", self.name, MAX_NAME_LENGTH)
        if self.organization_id is not None and not is_organization_id(self.organization_id):
            raise InvalidValueError("organization_id", "give the id of an organization, such as org_…, or leave it out")

    def is_valid(self, at: datetime) -> bool:
        """Tell whether the key is accepted at a time."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def may(self, scope: KeyScope) -> bool:
        """Tell whether the key opens operations of a scope."""
        return scope in self.scopes or (scope == "read" and "write" in self.scopes)

    def opens(self, organization_id: str) -> bool:
        """Tell whether the key opens an organization."""
        return self.organization_id in (None, organization_id)

    def sees(self, other: ApiKey) -> bool:
        """Tell whether the key is told of another: one of an organization is told of that organization's."""
        return self.organization_id in (None, other.organization_id)

    def check_makes(self, other: ApiKey) -> None:
        """Refuse that the key makes another which is wider than itself, or lives longer.

        :raises BeyondKeyError: Saying what it may make.
        """
        if not self.sees(other):
            raise BeyondKeyError(
                "this API key is limited to one organization and can only make keys of that organization"
            )
        missing = [scope for scope in other.scopes if not self.may(scope)]
        if missing:
            raise BeyondKeyError(f"this API key has not the scope {missing[0]} and can make no key that has it")
        self.check_outlives(other.expires_at)

    def check_ends(self, other: ApiKey) -> None:
        """Refuse that the key ends another which may do more than itself. Itself it may always end.

        :raises BeyondKeyError: When it may not.
        """
        if not all(self.may(scope) for scope in other.scopes):
            raise BeyondKeyError("this API key cannot revoke one that has scopes which it has not itself")

    def check_outlives(self, expires_at: datetime | None) -> None:
        """Refuse that the key makes what ends later than itself, or never.

        :raises BeyondKeyError: Saying when the key ends.
        """
        if self.expires_at is not None and (expires_at is None or expires_at > self.expires_at):
            end = utc_text(self.expires_at)
            raise BeyondKeyError(f"this API key expires: give an expires_at that is not after {end}")

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


def checked_scopes(scopes: Iterable[str]) -> tuple[KeyScope, ...]:
    """Return scopes in their order, each once.

    :raises InvalidValueError: When there is none, or one is unknown.
    """
    given = set(scopes)
    if not given or given - set(KEY_SCOPES):
        raise InvalidValueError("scopes", "give one or more of read, write and keys")
    return tuple(scope for scope in KEY_SCOPES if scope in given)


def descendants(key_id: str, keys: Collection[ApiKey]) -> Sequence[ApiKey]:
    """Return the keys that a key made, those that they made, and so on, oldest generation first."""
    found, makers = list[ApiKey](), {key_id}
    while generation := [key for key in keys if key.created_by in makers and key not in found]:
        found += generation
        makers = {key.id for key in generation}
    return found


def is_key_id(text: str) -> bool:
    """Tell whether a text has the form of a key's id, which makes it safe as a row key."""
    return _KEY_ID.fullmatch(text) is not None


def key_digest(value: str) -> str:
    """Return what is kept of a key's value, as hex."""
    return digest(value).hex()

"""The keys of the service itself: which of them signs at a time, which check, and how one follows another. Pure.

Up to three lie together in one secret. A new one is known everywhere before it signs, since processes read the secret
again sooner than that; one that no longer signs still checks for hours, longer than anything signed with it lives.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Literal

from scim.directories.errors import ServiceKeysFullError

SERVICE_KEYS_SECRET = "scim-service-keys"  # noqa: S105 - the name of a secret
"""Not of the form of a directory's: whoever lists or watches tokens does not meet it."""
MAX_KEYS = 3
SIGNS_AFTER = timedelta(minutes=15)
"""When a new key begins to sign: by then every process has read the secret again."""
STOPPED_CHECKS_FOR = timedelta(hours=8)
"""How long a key checks after it has stopped signing."""

KeyState = Literal["next", "signing", "checking"]
_KEY_BYTES = 32
_SIGNATURE = re.compile(r"(\d{1,9})\.([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """One key of the service."""

    number: int
    """Grows from key to key; every signature names it."""
    value: bytes = field(repr=False)
    made: datetime
    signs_from: datetime
    checks_until: datetime | None = None
    """When its last signature is refused; None while no other key follows it."""

    def mac(self, purpose: str, text: str) -> str:
        """Return the HMAC-SHA-256 of a text, as hex, under a key of its own for each purpose.

        That key is HKDF-Expand of this one (RFC 5869 §2.3), one block with the purpose as info.
        """
        derived = hmac.digest(self.value, purpose.encode() + b"\x01", "sha256")
        return hmac.new(derived, text.encode(), sha256).hexdigest()

    def checks(self, at: datetime) -> bool:
        """Tell whether signatures of the key are accepted at a time."""
        return self.checks_until is None or at < self.checks_until

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that the secret holds."""
        return {
            "number": self.number,
            "value": base64.b64encode(self.value).decode(),
            "made": self.made.isoformat(),
            "signs_from": self.signs_from.isoformat(),
            "checks_until": self.checks_until and self.checks_until.isoformat(),
        }

    @classmethod
    def from_json(cls, form: dict[str, Any]) -> ServiceKey:
        """Return the key of its JSON form."""
        return cls(
            form["number"],
            base64.b64decode(form["value"]),
            datetime.fromisoformat(form["made"]),
            datetime.fromisoformat(form["signs_from"]),
            datetime.fromisoformat(form["checks_until"]) if form["checks_until"] else None,
        )


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of the service, oldest first."""

    keys: tuple[ServiceKey, ...] = ()
    strays: tuple[ServiceKey, ...] = ()
    """What another process made at the same time, and may have signed with before it saw these: they check, too."""

    def signing(self, at: datetime) -> ServiceKey:
        """Return the key that signs at a time: the newest whose time has come."""
        begun = [key for key in self.keys if key.signs_from <= at]
        return begun[-1] if begun else self.keys[0]

    def state_of(self, key: ServiceKey, at: datetime) -> KeyState:
        """Return what a key does at a time."""
        if key is self.signing(at):
            return "signing"
        return "next" if at < key.signs_from else "checking"

    def sign(self, purpose: str, text: str, at: datetime) -> str:
        """Return the signature of a text for a purpose: the key's number, a dot, and the HMAC."""
        key = self.signing(at)
        return f"{key.number}.{key.mac(purpose, text)}"

    def is_signature(self, purpose: str, text: str, signature: str, at: datetime) -> bool:
        """Tell in constant time whether a signature is that of a text for a purpose."""
        match = _SIGNATURE.fullmatch(signature)
        if match is None:
            return False
        known = [key for key in (*self.keys, *self.strays) if key.number == int(match[1]) and key.checks(at)]
        return any(hmac.compare_digest(key.mac(purpose, text), match[2]) for key in known)

    def rotated(
        self, at: datetime, random_bytes: Callable[[int], bytes] = secrets.token_bytes, *, at_once: bool = False
    ) -> KeyRing:
        """Return the keys with a new one, and without those at their end.

        :param at_once: The new one signs now and alone, and what the others signed is refused: for keys that leaked.
        :raises ServiceKeysFullError: When there are three that still check.
        """
        number = self.keys[-1].number + 1
        if at_once:
            return KeyRing.first(number, at, random_bytes)
        signs_from = at + SIGNS_AFTER
        kept = tuple(_followed(key, signs_from) for key in self.keys if key.checks(at))
        if len(kept) >= MAX_KEYS:
            raise ServiceKeysFullError(min(key.checks_until or at for key in kept).isoformat())
        return KeyRing((*kept, ServiceKey(number, random_bytes(_KEY_BYTES), at, signs_from)))

    @classmethod
    def first(cls, number: int, at: datetime, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> KeyRing:
        """Return one new key, which signs at once."""
        return cls((ServiceKey(number, random_bytes(_KEY_BYTES), at, signs_from=at),))

    def to_text(self) -> str:
        """Return the value of the secret."""
        return json.dumps({"format": 1, "keys": [key.to_json() for key in self.keys]})

    @classmethod
    def from_text(cls, text: str) -> KeyRing:
        """Return the keys of the value of the secret.

        :raises ValueError, KeyError, TypeError: When it is none, or has none.
        """
        keys = tuple(map(ServiceKey.from_json, json.loads(text)["keys"]))
        if not keys:
            raise ValueError("no keys")
        return cls(keys)


def _followed(key: ServiceKey, signs_from: datetime) -> ServiceKey:
    """Return a key with its end, now that another follows it."""
    return key if key.checks_until else replace(key, checks_until=signs_from + STOPPED_CHECKS_FOR)

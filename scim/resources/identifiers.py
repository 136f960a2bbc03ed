"""Identifiers: of resources, carrying their type, and of operations, growing with time."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

ResourceName = Literal["User", "Group"]

_PREFIXES: dict[ResourceName, str] = {"User": "usr_", "Group": "grp_"}
_NAMES: dict[str, ResourceName] = {prefix: name for name, prefix in _PREFIXES.items()}
_ID_LENGTH = 36


def uuid7_hex(nanoseconds: int | None = None) -> str:
    """Return a new UUIDv7 as 32 hex digits; by one clock, later ones sort behind earlier ones.

    The 12 bits behind the milliseconds hold their fraction (RFC 9562 §6.2, method 3), 0.25 µs each; 62 bits are random.
    """
    milliseconds, rest = divmod(time.time_ns() if nanoseconds is None else nanoseconds, 1_000_000)
    fraction, random = (rest << 12) // 1_000_000, int.from_bytes(os.urandom(8)) >> 2
    return f"{(milliseconds & 0xFFFFFFFFFFFF) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random:032x}"


def _milliseconds(uuid7: str) -> int:
    return int(uuid7[:12], 16)


def new_resource_id(name: ResourceName) -> str:
    """Return a new id such as ``usr_0192…``; it tells the type, so a member's type and $ref need no read."""
    return _PREFIXES[name] + uuid7_hex()


def resource_name_of(resource_id: str) -> ResourceName | None:
    """Return the type an id tells, or None when it is none of ours."""
    if len(resource_id) != _ID_LENGTH or not resource_id[4:].isalnum() or not resource_id.isascii():
        return None
    return _NAMES.get(resource_id[:4])


@dataclass(frozen=True, slots=True)
class Operation:
    """One change under way: its id, which becomes the version of what it writes, and its time."""

    id: str
    time: str
    """ISO 8601 in UTC with milliseconds, such as ``2026-11-24T10:00:00.123Z``."""


def begin_operation(after: str = "") -> Operation:
    """Return a new operation whose id is greater than ``after``, the version it replaces.

    So the operations of one resource sort in the order of its changes, whatever the clocks of two machines say. No two
    have the same id, also behind the same version: that of one change may be the version of several resources.
    """
    candidate = uuid7_hex()
    if candidate <= after:
        candidate = uuid7_hex((_milliseconds(after) + 1) * 1_000_000)
    now = datetime.now(UTC)
    return Operation(candidate, now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z")

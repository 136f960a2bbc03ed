"""A token as it is told to those who may see a directory. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from scim.directories.bearer_token import EndReason, TokenRecord
from scim.directories.directory import Directory


@dataclass(frozen=True, slots=True)
class Token:
    """What is told of a token; never its value."""

    version: str
    """Empty while its rotation is under way."""
    state: Literal["pending", "current", "previous", "ended"]
    created: datetime
    expires_at: datetime | None
    ends_at: datetime | None
    """When it ends because another took its place, or when it has ended."""
    end_reason: EndReason | None
    last_four: str
    last_used: datetime | None
    """To the minute, and perhaps a minute late; None when no use is known."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made, and its value, which is shown this once."""

    directory: Directory
    record: TokenRecord
    token: str | None
    """None when the rotation was repeated too late to be shown its token again."""
    repeated: bool = False
    """Whether this rotation had come to its end before."""

    def __repr__(self) -> str:
        return f"NewToken({self.directory.id!r}, version={self.record.version!r}, token not shown)"


def described(record: TokenRecord, uses: Mapping[str, datetime]) -> Token:
    """Return what is told of a record that time has not ended."""
    # What a newer version calls otherwise is not accepted here, and so has ended.
    state: Literal["pending", "ended"] = "pending" if record.state == "creating" else "ended"
    return Token(
        version=record.version,
        state=("previous" if record.ends_at else "current") if record.state == "active" else state,
        created=record.created,
        expires_at=record.expires_at,
        ends_at=record.ends_at,
        end_reason=record.end_reason if record.end_reason in get_args(EndReason) else None,
        last_four=record.last_four,
        last_used=uses.get(record.version),
    )

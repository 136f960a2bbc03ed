"""What there is to tell of a directory's tokens, and to whom.

A change of a row and an event in a feed cannot be one transaction, so what is to be told follows from the row, and the
row keeps what has been told. Whoever comes by tells the rest: nothing is lost in a crash, and an event told twice has
the same id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any, Literal, Protocol

from scim.directories.actor import EXPIRY, UNKNOWN, Actor
from scim.directories.bearer_token import TokenRecord
from scim.directories.directory import Directory
from scim.directories.organization_events import ObjectType, event_json
from scim.directories.times import utc_text
from scim.directories.token_expiry import due_warning, marks_of_warning, warning_mark

TokenEventType = Literal["token.rotated", "token.adopted", "token.expiring", "token.revoked", "token.ended"]

_BEGUN: Mapping[str, TokenEventType] = {"rotated": "token.rotated", "adopted": "token.adopted"}
_BEGUN_MARK, _ENDED_MARK = "begun", "ended"


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """One thing that happened to a token, or will. Its id depends on nothing else, so telling it again is known."""

    type: TokenEventType
    organization_id: str
    directory_id: str
    version: str
    last_four: str
    timestamp: datetime
    """When it happened; of a warning, when it was found due."""
    data: Mapping[str, str | int | None] = field(default_factory=dict)
    """``expires_at`` and ``days`` of a warning; ``reason`` of an end; ``expires_at`` of a new token."""
    mark: str = ""
    """What tells it from other events of the token."""
    actor: Actor = UNKNOWN
    """Who made or ended the token; of a warning the service."""

    @property
    def id(self) -> str:
        """Return the id that every telling of this event has: 32 hex digits."""
        return sha256(f"{self.directory_id}|{self.version}|{self.mark}".encode()).hexdigest()[:32]

    @property
    def object_type(self) -> ObjectType:
        """What was changed: a token."""
        return "token"

    @property
    def object_id(self) -> str:
        """The token's version in the secret store."""
        return self.version

    def as_json(self) -> dict[str, Any]:
        """Return the event as it is stored and sent."""
        return event_json(self, {"token": {"version": self.version, "last_four": self.last_four, **self.data}})


class TokenEvents(Protocol):
    """Is told what happens to tokens."""

    async def tell(self, event: TokenEvent) -> None:
        """Keep an event; one whose id is known already changes nothing. What it raises makes it be told again."""
        ...


def untold_events(directory: Directory, at: datetime) -> tuple[TokenEvent, ...]:
    """Return what is to be told of a directory's tokens and has not been, oldest token first."""
    return tuple(event for token in directory.tokens for event in _untold(directory, token, at))


def mark_told(directory: Directory, events: tuple[TokenEvent, ...]) -> Directory:
    """Return the directory with events marked as told."""
    marks: dict[str, list[str]] = {}
    for event in events:
        marks.setdefault(event.version, []).extend(_marks_settled_by(event))
    tokens = [
        replace(token, told=tuple(dict.fromkeys((*token.told, *marks.get(token.version, ())))))
        for token in directory.tokens
    ]
    return replace(directory, tokens=tuple(tokens))


def _untold(directory: Directory, token: TokenRecord, at: datetime) -> Iterator[TokenEvent]:
    if not token.version:
        return  # a token under way, or one that was never shown
    about = partial(
        TokenEvent,
        organization_id=directory.organization_id,
        directory_id=directory.id,
        version=token.version,
        last_four=token.last_four,
    )
    expiry = utc_text(token.expires_at) if token.expires_at else None
    if token.origin in _BEGUN and _BEGUN_MARK not in token.told:
        yield about(
            _BEGUN[token.origin],
            timestamp=token.created,
            mark=_BEGUN_MARK,
            data={"expires_at": expiry},
            actor=token.made_by or UNKNOWN,
        )
    days = due_warning(token, at)
    if days is not None:
        data = {"expires_at": expiry, "days": days}
        yield about("token.expiring", timestamp=at, mark=warning_mark(days), data=data, actor=EXPIRY)
    if token.state == "ended" and _ENDED_MARK not in token.told:
        kind: TokenEventType = "token.revoked" if token.end_reason == "revoked" else "token.ended"
        yield about(
            kind,
            timestamp=token.ends_at or at,
            mark=_ENDED_MARK,
            data={"reason": token.end_reason},
            actor=token.ended_by or UNKNOWN,
        )


def _marks_settled_by(event: TokenEvent) -> tuple[str, ...]:
    days = event.data.get("days")
    return marks_of_warning(days) if isinstance(days, int) else (event.mark,)

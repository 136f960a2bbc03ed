"""Operations on the tokens of a directory. A token's value is in one answer only: that of its creation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from scim.directories.bearer_token import EndReason
from scim.directories.token import NewToken, Token
from scim.directories.token_changes import DEFAULT_OVERLAP, LONGEST_OVERLAP
from scim.directories.token_service import LONGEST_ROTATION_ID
from scim.management.models import Answer, Body, ListQuery, Page, Time
from scim.management.operation import Call, Operation, Secret


class TokenAnswer(Answer):
    """What is told of a token; never its value."""

    version: str = Field(description="Empty while its rotation is under way.")
    state: Literal["pending", "current", "previous", "ended"]
    created_at: datetime
    expires_at: datetime | None
    ends_at: datetime | None = Field(description="When it ends because another took its place, or when it ended.")
    end_reason: EndReason | None
    last_four: str
    last_used_at: datetime | None = Field(description="To the minute; null when no use is known.")


class TokenList(Page[TokenAnswer]):
    """The tokens of a directory, newest first."""


class Rotation(Body):
    """How to rotate."""

    overlap_seconds: int = Field(
        int(DEFAULT_OVERLAP.total_seconds()),
        ge=0,
        le=int(LONGEST_OVERLAP.total_seconds()),
        description="How long the token that was current stays valid.",
    )
    expires_at: Time | None = Field(None, description="When the new token expires; never when it is absent.")
    force: bool = Field(default=False, description="Whether to rotate although two tokens are valid.")
    rotation_id: Annotated[str, Field(min_length=1, max_length=LONGEST_ROTATION_ID)] | None = Field(
        None, description="Any id of the caller's: repeating a rotation makes no second token."
    )


class NewTokenAnswer(Answer):
    """A token just made, with its value, which is shown this once."""

    version: str
    token: str | None = Field(description="Null when a rotation was repeated too late to show its token again.")
    created_at: datetime
    expires_at: datetime | None
    last_four: str


async def list_tokens(call: Call) -> TokenList:
    """Return the tokens of a directory, those that ended last among them; all fit on one page."""
    call.start(lambda _: False)
    tokens = await call.services.tokens.tokens_of(call.directory)
    return TokenList(data=[shown(token) for token in tokens], list_metadata=call.metadata(""))


async def rotate_token(call: Call) -> NewTokenAnswer:
    """Return a new current token."""
    body: Rotation = call.body
    made = await call.services.tokens.rotate(
        call.directory.id,
        overlap=timedelta(seconds=body.overlap_seconds),
        expires_at=body.expires_at,
        force=body.force,
        rotation_id=body.rotation_id or call.creation.id,
    )
    return shown_once(made)


async def _token_again(call: Call, answer: Mapping[str, Any]) -> str | None:
    return await call.services.tokens.token_again(call.directory, answer["version"])


async def revoke_token(call: Call) -> None:
    """Revoke a token: refused everywhere within 30 seconds."""
    await call.services.tokens.revoke(call.directory.id, call.path["version"])


def shown_once(made: NewToken) -> NewTokenAnswer:
    """Return a token just made, with its value."""
    record = made.record
    return NewTokenAnswer(
        version=record.version,
        token=made.token,
        created_at=record.created,
        expires_at=record.expires_at,
        last_four=record.last_four,
    )


def shown(token: Token) -> TokenAnswer:
    """Return a token as the API shows it."""
    return TokenAnswer(
        version=token.version,
        state=token.state,
        created_at=token.created,
        expires_at=token.expires_at,
        ends_at=token.ends_at,
        end_reason=token.end_reason,
        last_four=token.last_four,
        last_used_at=token.last_used,
    )


_ALL = "directories/{directory_id}/tokens"
OPERATIONS = (
    Operation("list_tokens", "GET", _ALL, "read", "List the tokens", list_tokens, "2", TokenList, ListQuery),
    Operation(
        "rotate_token",
        "POST",
        _ALL,
        "write",
        "Rotate: make a new current token, shown once",
        rotate_token,
        "10",
        NewTokenAnswer,
        body=Rotation,
        status=201,
        problems=(409,),
        secret=Secret("token", _token_again),
    ),
    Operation(
        "revoke_token", "DELETE", f"{_ALL}/{{version}}", "write", "Revoke a token", revoke_token, "8", status=204
    ),
)

"""Operations on API keys. A key's value is in one answer only: that of its creation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from scim.directories.api_key import ApiKey, KeyScope
from scim.directories.errors import InvalidValueError
from scim.management.models import Answer, Body, ListQuery, Page, Query, Time
from scim.management.operation import Call, Operation, never_again
from scim.management.organizations import Name
from scim.management.problems import forbidden

Scopes = Annotated[list[KeyScope], Field(min_length=1, max_length=3)]


class KeyAnswer(Answer):
    """What is told of an API key; never its value."""

    id: str
    name: str
    scopes: list[KeyScope] = Field(description="What it may: `write` may read, too; `keys` makes and revokes API keys.")
    organization_id: str | None = Field(description="The only organization it opens; null for all.")
    last_four: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")
    created_by: str | None = Field(description="The API key that made it; null for one of the command line.")


class KeyList(Page[KeyAnswer]):
    """A page of API keys."""


class NewKeyAnswer(KeyAnswer):
    """An API key just made, with its value, which is shown this once."""

    key: str | None = Field(description="Null when the request was repeated: revoke the key and make another.")


class NewKey(Body):
    """An API key to make."""

    name: Name
    scopes: Scopes | None = Field(None, description="Required: what it may, at most what the key that makes it may.")
    scope: Literal["read", "write"] | None = Field(
        None,
        json_schema_extra={"deprecated": True},
        description="The form of before, accepted until the next release: `read` is `[read]`, `write` `[read, write]`.",
    )
    organization_id: str | None = Field(None, description="The only organization it opens; all when it is absent.")
    expires_at: Time | None = Field(None, description="Never when it is absent, which an API key that expires refuses.")


class RevokeQuery(Query):
    """What is revoked along with a key."""

    cascade: bool = Field(
        default=False,
        description="Whether to revoke what it made, too: keys, theirs, and links to the portal.",
    )


async def create_key(call: Call) -> NewKeyAnswer:
    """Return a new key, neither wider nor longer-lived than the one that makes it."""
    body: NewKey = call.body
    own = call.key.organization_id
    if own is not None and body.organization_id != own:
        raise forbidden("This API key is limited to one organization and can only make keys of that organization.")
    made = await call.services.keys.create(
        body.name,
        _scopes(body),
        organization_id=body.organization_id,
        expires_at=body.expires_at,
        creation=call.creation,
        made_by=call.key,
    )
    return NewKeyAnswer(**shown(made.key).model_dump(), key=made.value)


def _scopes(body: NewKey) -> list[KeyScope]:
    if body.scopes is not None and body.scope is not None:
        raise InvalidValueError("scope", "give scopes alone: scope is its form of before")
    if body.scopes is None and body.scope is None:
        raise InvalidValueError("scopes", "is required")
    return body.scopes or (["read", "write"] if body.scope == "write" else ["read"])


async def list_keys(call: Call) -> KeyList:
    """Return a page of the keys, revoked ones among them; a key of one organization sees that organization's."""
    page, metadata = call.page(await call.services.keys.list(call.key.organization_id), lambda key: key.id)
    return KeyList(data=[shown(key) for key in page], list_metadata=metadata)


async def get_key(call: Call) -> KeyAnswer:
    """Return a key, revoked or not."""
    return shown(await call.services.keys.get(call.path["key_id"], call.key))


async def revoke_key(call: Call) -> None:
    """Revoke a key: refused everywhere within 30 seconds. Also the caller's own, and none that may do more."""
    await call.services.key_revocation.revoke(call.path["key_id"], ended_by=call.key, cascade=call.query.cascade)


def shown(key: ApiKey) -> KeyAnswer:
    """Return a key as the API shows it."""
    return KeyAnswer(
        id=key.id,
        name=key.name,
        scopes=list(key.scopes),
        organization_id=key.organization_id,
        last_four=key.last_four,
        created_at=key.created,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used,
        created_by=key.created_by,
    )


OPERATIONS = (
    Operation(
        "create_key",
        "POST",
        "keys",
        "keys",
        "Make an API key, shown once",
        create_key,
        "1; for one organization 5",
        NewKeyAnswer,
        body=NewKey,
        status=201,
        secret=never_again("key"),
    ),
    Operation("list_keys", "GET", "keys", "read", "List API keys", list_keys, "1", KeyList, ListQuery),
    Operation("get_key", "GET", "keys/{key_id}", "read", "Get an API key", get_key, "1", KeyAnswer),
    Operation(
        "revoke_key",
        "DELETE",
        "keys/{key_id}",
        "keys",
        "Revoke an API key, and with `cascade=true` the keys and links that it made",
        revoke_key,
        "3, of one organization 6; with what it made 1 more for each generation and organization, 2 to 5 for each",
        query=RevokeQuery,
        status=204,
    ),
)

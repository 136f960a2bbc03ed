"""Operations on API keys. A key's value is in one answer only: that of its creation."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from scim.directories.api_key import ApiKey
from scim.directories.errors import KeyNotFoundError
from scim.management.models import Answer, Body, ListQuery, Page, Time
from scim.management.operation import Call, Operation, never_again
from scim.management.organizations import Name
from scim.management.problems import forbidden

Scope = Literal["read", "write"]


class KeyAnswer(Answer):
    """What is told of an API key; never its value."""

    id: str
    name: str
    scope: Scope
    organization_id: str | None = Field(description="The only organization it opens; null for all.")
    last_four: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")


class KeyList(Page[KeyAnswer]):
    """A page of API keys."""


class NewKeyAnswer(KeyAnswer):
    """An API key just made, with its value, which is shown this once."""

    key: str | None = Field(description="Null when the request was repeated: revoke the key and make another.")


class NewKey(Body):
    """An API key to make."""

    name: Name
    scope: Scope
    organization_id: str | None = Field(None, description="The only organization it opens; all when it is absent.")
    expires_at: Time | None = Field(None, description="Never when it is absent.")


async def create_key(call: Call) -> NewKeyAnswer:
    """Return a new key; a key of one organization makes keys of that organization only."""
    body: NewKey = call.body
    own = call.key.organization_id
    if own is not None and body.organization_id != own:
        raise forbidden("This API key is limited to one organization and can only make keys of that organization.")
    made = await call.services.keys.create(
        body.name,
        body.scope,
        organization_id=body.organization_id,
        expires_at=body.expires_at,
        creation=call.creation,
    )
    return NewKeyAnswer(**shown(made.key).model_dump(), key=made.value)


async def list_keys(call: Call) -> KeyList:
    """Return a page of the keys, revoked ones among them; a key of one organization sees that organization's."""
    page, metadata = call.page(await call.services.keys.list(call.key.organization_id), lambda key: key.id)
    return KeyList(data=[shown(key) for key in page], list_metadata=metadata)


async def revoke_key(call: Call) -> None:
    """Revoke a key: refused everywhere within 30 seconds."""
    key_id = call.path["key_id"]
    visible = await call.services.keys.list(call.key.organization_id)
    if key_id not in {key.id for key in visible}:
        raise KeyNotFoundError(key_id)
    await call.services.keys.revoke(key_id)


def shown(key: ApiKey) -> KeyAnswer:
    """Return a key as the API shows it."""
    return KeyAnswer(
        id=key.id,
        name=key.name,
        scope=key.scope,
        organization_id=key.organization_id,
        last_four=key.last_four,
        created_at=key.created,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used,
    )


OPERATIONS = (
    Operation(
        "create_key",
        "POST",
        "keys",
        "write",
        "Make an API key, shown once",
        create_key,
        "1; for one organization 2",
        NewKeyAnswer,
        body=NewKey,
        status=201,
        secret=never_again("key"),
    ),
    Operation("list_keys", "GET", "keys", "read", "List API keys", list_keys, "1", KeyList, ListQuery),
    Operation("revoke_key", "DELETE", "keys/{key_id}", "write", "Revoke an API key", revoke_key, "3", status=204),
)

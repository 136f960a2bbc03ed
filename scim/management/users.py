"""Operations on the users of a directory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import Field

from scim.directories.organization_events import event_time
from scim.management.models import Answer, ListQuery, Page, Query, Time
from scim.management.operation import Call, Operation
from scim.management.problems import FieldError, invalid, not_found
from scim.resources.directory_schemas import directory_schemas
from scim.resources.filter import parse_filter
from scim.resources.identifiers import ResourceName, resource_name_of
from scim.resources.profile import is_heavy_to_show, user_profile
from scim.resources.schema import ResourceSchema
from scim.resources.search import Search, SearchResult
from scim.resources.stored_document import StoredDocument
from scim.resources.worker_thread import run_apart

_MAX_VALUE_LENGTH = 500


class Profile(Answer):
    """What users and groups have in common."""

    id: str
    directory_id: str
    organization_id: str
    external_id: str | None
    display_name: str | None
    custom_attributes: dict[str, Any] = Field(description="The mapped attributes that have a value.")
    created_at: str
    updated_at: str
    version: str = Field(description="Changes with every change.")
    raw: dict[str, Any] = Field(default_factory=dict, description="The SCIM document; only on request.")


class UserAnswer(Profile):
    """A user as the application sees it."""

    active: bool
    email: str | None = Field(description="The primary address, else one of type work, else the first.")
    username: str | None
    given_name: str | None
    family_name: str | None
    middle_name: str | None
    formatted_name: str | None
    nick_name: str | None
    title: str | None
    user_type: str | None
    preferred_language: str | None
    locale: str | None
    timezone: str | None
    phone_number: str | None
    employee_number: str | None
    cost_center: str | None
    organization: str | None
    division: str | None
    department: str | None
    manager_id: str | None
    groups: list[str] = Field(default_factory=list, description="Ids of the user's groups; only on request.")


class UserList(Page[UserAnswer]):
    """A page of users."""


class UserQuery(Query):
    """What to add to a user."""

    raw: bool = Field(default=False, description="Whether to add the SCIM document.")
    groups: bool = Field(default=False, description="Whether to add the ids of the user's groups.")


class UserListQuery(ListQuery):
    """Which users."""

    username: str = Field(
        "", min_length=1, max_length=_MAX_VALUE_LENGTH, description="Letter case makes no difference."
    )
    email: str = Field(
        "",
        min_length=1,
        max_length=_MAX_VALUE_LENGTH,
        description="As `email` of the user; letter case makes no difference.",
    )
    external_id: str = Field("", min_length=1, max_length=_MAX_VALUE_LENGTH, description="Letter case counts.")
    updated_after: Time | None = Field(
        None,
        description="Users that changed later. All are looked through, so pages may be short: prefer the events.",
    )
    group: str = Field(
        "", min_length=1, max_length=100, description="The id of a group: its direct members that are users."
    )
    raw: bool = Field(default=False, description="Whether to add the SCIM documents.")


async def list_users(call: Call) -> UserList:
    """Return a page of users, oldest first."""
    schema = directory_schemas(call.directory.attribute_mappings).user
    query: UserListQuery = call.query
    wanted = {"userName": query.username, "externalId": query.external_id}
    if query.group:
        return await _users_of_group(call, is_narrowed=any((*wanted.values(), query.email)))
    found = await search(call, schema, wanted, email=query.email, updated_after=query.updated_after)
    return UserList(data=await _answers(call, found.documents), list_metadata=call.metadata(last_id(found)))


async def _users_of_group(call: Call, *, is_narrowed: bool) -> UserList:
    """Return a page of the members of a group that are users; it is short where others are among them."""
    if is_narrowed:
        raise invalid(FieldError("group", "cannot be combined with username, email or external_id; leave one out"))
    after, query = call.start(lambda position: resource_name_of(position) is not None), call.query
    group = await read_resource(call, "Group", query.group)
    members, last = await call.store.member_page(group.id, after, query.limit)
    ids = [member.id for member in members if resource_name_of(member.id) == "User"]
    found = [user for user in await asyncio.gather(*(call.store.read("User", each) for each in ids)) if user]
    if query.updated_after is not None:
        found = [user for user in found if user.last_modified > event_time(query.updated_after)]
    return UserList(data=await _answers(call, found), list_metadata=call.metadata(last))


async def _answers(call: Call, users: Sequence[StoredDocument]) -> list[UserAnswer]:
    return await run_apart(
        lambda: [UserAnswer(**user_profile(call.directory, user, raw=call.query.raw)) for user in users],
        is_heavy=is_heavy_to_show(call.directory, users),
    )


async def get_user(call: Call) -> UserAnswer:
    """Return a user."""
    stored = await read_resource(call, "User", call.path["user_id"])
    profile = user_profile(call.directory, stored, raw=call.query.raw)
    if call.query.groups:
        profile["groups"] = await call.store.groups_of(stored.id)
    return UserAnswer(**profile)


async def search(
    call: Call,
    schema: ResourceSchema,
    wanted: dict[str, str],
    *,
    email: str = "",
    updated_after: datetime | None = None,
) -> SearchResult:
    """Return the page of a list of resources; of the wanted values those that are not empty must be equal.

    :param email: The address that users' profiles must have; any when empty.
    :param updated_after: The time behind which they changed last; any when None.
    """
    after = call.start(lambda position: resource_name_of(position) == schema.name)
    terms = [f"{path} eq {json.dumps(value, ensure_ascii=False)}" for path, value in wanted.items() if value]
    if updated_after is not None:
        terms.append(f'meta.lastModified gt "{event_time(updated_after)}"')
    text = " and ".join(terms)
    position = {"d": "next", "k": None, "i": after} if after else None
    return await call.store.search(
        Search(
            schemas=[schema],
            filter=parse_filter(text) if text else None,
            leading_email=email,
            count=call.query.limit,
            start_index=None,
            position=position,
        )
    )


def last_id(found: SearchResult) -> str:
    """Return the id behind which a list goes on, empty at its end."""
    return str(found.next["i"]) if found.next else ""


async def read_resource(call: Call, name: ResourceName, resource_id: str) -> StoredDocument:
    """Return a resource of the directory.

    :raises Problem: 404, when there is none of this type and id.
    """
    stored = await call.store.read(name, resource_id) if resource_name_of(resource_id) == name else None
    if stored is None:
        raise not_found(f"There is no {name.lower()} of this id in the directory.")
    return stored


_ALL = "directories/{directory_id}/users"
OPERATIONS = (
    Operation(
        "list_users",
        "GET",
        _ALL,
        "read",
        "List users, or find them by username, email, external id, group or time of change",
        list_users,
        "2; found by a value 3; of a group 3, and 1 for each user; by time at most 42",
        UserList,
        UserListQuery,
    ),
    Operation(
        "get_user",
        "GET",
        f"{_ALL}/{{user_id}}",
        "read",
        "Get a user",
        get_user,
        "2; with groups at most 4",
        UserAnswer,
        UserQuery,
    ),
)

"""Operations on the groups of a directory, and on who is in them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from scim.management.models import Answer, ListQuery, Page, Query
from scim.management.operation import Call, Operation
from scim.management.users import Profile, last_id, read_resource, search
from scim.resources.directory_schemas import directory_schemas
from scim.resources.identifiers import resource_name_of
from scim.resources.profile import group_profile, is_heavy_to_show
from scim.resources.stored_document import StoredDocument
from scim.resources.worker_thread import run_apart


class GroupAnswer(Profile):
    """A group as the application sees it, without its members."""

    member_count: int | None = Field(None, description="Some seconds behind; null while it is not known.")


class GroupList(Page[GroupAnswer]):
    """A page of groups."""


class MemberAnswer(Answer):
    """A member of a group."""

    id: str
    type: Literal["user", "group"]


class MemberList(Page[MemberAnswer]):
    """A page of the members of a group."""


class GroupQuery(Query):
    """What to add to a group."""

    raw: bool = Field(default=False, description="Whether to add the SCIM document.")


class GroupListQuery(ListQuery):
    """Which groups."""

    display_name: str = Field("", min_length=1, max_length=500, description="Letter case makes no difference.")
    external_id: str = Field("", min_length=1, max_length=500, description="Letter case counts.")
    raw: bool = Field(default=False, description="Whether to add the SCIM documents.")


async def list_groups(call: Call) -> GroupList:
    """Return a page of groups, oldest first."""
    schema = directory_schemas(call.directory.attribute_mappings).group
    query: GroupListQuery = call.query
    found = await search(call, schema, {"displayName": query.display_name, "externalId": query.external_id})
    data = await _answers(call, found.documents, raw=query.raw)
    return GroupList(data=data, list_metadata=call.metadata(last_id(found)))


async def _answers(call: Call, groups: Sequence[StoredDocument], *, raw: bool = False) -> list[GroupAnswer]:
    """Return groups with their member counts. One storage request."""
    counts = await call.services.derived_of(call.directory).member_counts([group.id for group in groups])

    def answers() -> list[GroupAnswer]:
        shown = [group_profile(call.directory, each, member_count=counts.get(each.id), raw=raw) for each in groups]
        return [GroupAnswer(**{"member_count": None, **profile}) for profile in shown]

    return await run_apart(answers, is_heavy=is_heavy_to_show(call.directory, groups))


async def get_group(call: Call) -> GroupAnswer:
    """Return a group."""
    stored = await read_resource(call, "Group", call.path["group_id"])
    (answer,) = await _answers(call, [stored], raw=call.query.raw)
    return answer


async def list_members(call: Call) -> MemberList:
    """Return a page of the members of a group, in the order of their ids."""
    after, limit = call.start(lambda position: resource_name_of(position) is not None), call.query.limit
    stored = await read_resource(call, "Group", call.path["group_id"])
    members, last = await call.store.member_page(stored.id, after, limit)
    data = [MemberAnswer(id=each.id, type="user" if each.id.startswith("usr_") else "group") for each in members]
    return MemberList(data=data, list_metadata=call.metadata(last))


async def list_groups_of_user(call: Call) -> GroupList:
    """Return a page of the groups that a user is a direct member of, in the order of their ids."""
    stored = await read_resource(call, "User", call.path["user_id"])
    page, metadata = call.page(await call.store.groups_of(stored.id), str)
    found = await asyncio.gather(*(call.store.read("Group", group_id) for group_id in page))
    data = await _answers(call, [group for group in found if group is not None])
    return GroupList(data=data, list_metadata=metadata)


_ALL = "directories/{directory_id}/groups"
OPERATIONS = (
    Operation(
        "list_user_groups",
        "GET",
        "directories/{directory_id}/users/{user_id}/groups",
        "read",
        "List the groups of a user",
        list_groups_of_user,
        "at most 5, and 1 for each group",
        GroupList,
        ListQuery,
    ),
    Operation(
        "list_groups",
        "GET",
        _ALL,
        "read",
        "List groups, or find them by name or external id",
        list_groups,
        "3; found by a value 4",
        GroupList,
        GroupListQuery,
    ),
    Operation(
        "get_group", "GET", f"{_ALL}/{{group_id}}", "read", "Get a group", get_group, "3", GroupAnswer, GroupQuery
    ),
    Operation(
        "list_members",
        "GET",
        f"{_ALL}/{{group_id}}/members",
        "read",
        "List the members of a group",
        list_members,
        "3; with nested groups 4",
        MemberList,
        ListQuery,
    ),
)

"""What happened to one user or group in the last 30 days."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from pydantic import Field

from scim.management.models import Answer, ListQuery, Page
from scim.management.operation import Call, Operation
from scim.management.problems import not_found
from scim.management.users import read_resource
from scim.resources.derived import HistoryEntry
from scim.resources.identifiers import ResourceName, resource_name_of

_POSITION = re.compile(r"\d{20}\.\d{1,6}", re.ASCII)


class HistoryEntryAnswer(Answer):
    """One thing that happened, without the values: the events have them."""

    timestamp: str
    type: str = Field(description="The event's type, such as `user.updated` or `group.user_added`.")
    changed: list[str] = Field(description="Of an update: the SCIM attributes that differ.")
    related: list[str] = Field(description="Of a membership: the ids on the other side.")


class HistoryList(Page[HistoryEntryAnswer]):
    """A page of a history, newest first."""


async def list_user_history(call: Call) -> HistoryList:
    """Return a page of what happened to a user; also to one that was deleted."""
    return await _history(call, "User", call.path["user_id"])


async def list_group_history(call: Call) -> HistoryList:
    """Return a page of what happened to a group; also to one that was deleted."""
    return await _history(call, "Group", call.path["group_id"])


async def _history(call: Call, name: ResourceName, resource_id: str) -> HistoryList:
    after = call.start(lambda position: _POSITION.fullmatch(position) is not None)
    if resource_name_of(resource_id) != name:
        raise not_found(f"There is no {name.lower()} of this id in the directory.")
    page = await call.services.derived_of(call.directory).history(resource_id, after, call.query.limit)
    if not page.entries and not after:
        await read_resource(call, name, resource_id)
    return HistoryList(data=[_shown(entry) for entry in page.entries], list_metadata=call.metadata(page.last))


def _shown(entry: HistoryEntry) -> HistoryEntryAnswer:
    return HistoryEntryAnswer(
        timestamp=entry.time, type=entry.type, changed=list(entry.changed), related=list(entry.related)
    )


def _operation(name: str, path: str, answer: Callable[[Call], Awaitable[HistoryList]]) -> Operation:
    return Operation(
        f"list_{name}_history",
        "GET",
        f"directories/{{directory_id}}/{path}/history",
        "read",
        f"List what happened to a {name}",
        answer,
        "2, or 3 when nothing did",
        HistoryList,
        ListQuery,
    )


OPERATIONS = (
    _operation("user", "users/{user_id}", list_user_history),
    _operation("group", "groups/{group_id}", list_group_history),
)

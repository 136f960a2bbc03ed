"""The provisioning log of a directory: what failing and noteworthy SCIM requests did, why, and what to do."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from pydantic import Field

from scim.management.models import Answer, ListQuery, Page
from scim.management.operation import Call, Operation
from scim.resources.identifiers import resource_name_of
from scim.resources.log_words import words_of
from scim.resources.provisioning_log import LogFilter, LogPosition, ProvisioningLogEntry

_POSITION = re.compile(r"l\|\d{16}\|[0-9a-f]{16}", re.ASCII)


class ResourceLink(Answer):
    """A user or group."""

    type: Literal["user", "group"]
    id: str


class LogEntryAnswer(Answer):
    """What a request, and its repeats within an hour, did or did not do; never with a value of a resource."""

    first_at: datetime
    last_at: datetime
    count: int = Field(description="How often it happened from first_at to last_at.")
    result: Literal["failed", "noted"] = Field(description="`noted`: the request succeeded, and this is noteworthy.")
    method: str
    operation: str = Field(description="Such as `create`, `patch` or `search`.")
    resource_type: Literal["user", "group"] | None
    status: int
    scim_type: str | None = Field(description="The SCIM error's `scimType`.")
    cause: str = Field(description="A name for programs.")
    title: str
    explanation: str = Field(description="What happened, for an administrator.")
    remedy: str = Field(description="What to do about it.")
    detail: str | None = Field(description="What the identity provider was answered, without values.")
    attribute: str | None
    resource: ResourceLink | None = Field(description="The user or group that the request was on.")
    related: ResourceLink | None = Field(description="Another one, such as the one that has the userName already.")


class LogList(Page[LogEntryAnswer]):
    """A page of the log, newest first; with a filter it may be short, or empty, and there may be more."""


class LogQuery(ListQuery):
    """Which entries."""

    problems: bool = Field(default=False, description="Whether to leave out what is noted of requests that succeeded.")
    resource: str = Field(
        "", min_length=1, max_length=100, description="The id of a user or group that an entry is about."
    )


async def list_provisioning_log(call: Call) -> LogList:
    """Return a page of the log."""
    query: LogQuery = call.query
    position = call.start(lambda text: _POSITION.fullmatch(text) is not None)
    page = await call.services.provisioning_log.page(
        call.directory.id,
        LogPosition(position) if position else None,
        query.limit,
        LogFilter(problems_only=query.problems, resource_id=query.resource),
    )
    data = [_shown(entry) for _, entry in page.entries]
    return LogList(data=data, list_metadata=call.metadata(page.last.key if page.last else ""))


def _shown(entry: ProvisioningLogEntry) -> LogEntryAnswer:
    found, words = entry.finding, words_of(entry.finding)
    return LogEntryAnswer(
        first_at=entry.first,
        last_at=entry.last,
        count=entry.count,
        result="failed" if entry.is_problem else "noted",
        method=entry.method,
        operation=entry.operation,
        resource_type={"User": "user", "Group": "group"}.get(entry.resource_type),  # type: ignore[arg-type]  # two words
        status=entry.status,
        scim_type=entry.scim_type or None,
        cause=found.cause,
        title=words.title,
        explanation=words.explanation,
        remedy=words.remedy,
        detail=found.detail or None,
        attribute=found.attribute or None,
        resource=_link(found.resource_id),
        related=_link(found.related_id),
    )


def _link(resource_id: str) -> ResourceLink | None:
    name = resource_name_of(resource_id)
    if name is None:
        return None
    return ResourceLink(type="user" if name == "User" else "group", id=resource_id)


OPERATIONS = (
    Operation(
        "list_provisioning_log",
        "GET",
        "directories/{directory_id}/provisioning-log",
        "read",
        "Read what failed or is noteworthy, and what to do about it",
        list_provisioning_log,
        "2",
        LogList,
        LogQuery,
    ),
)

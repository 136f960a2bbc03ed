"""The audit log: who changed what, when, and with which key, link or session."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field

from scim.directories.actor import ActorType
from scim.directories.audit_log import AuditEntry, AuditFilter, AuditPage
from scim.directories.organization_events import ObjectType
from scim.management.events import ActorAnswer, EventData
from scim.management.models import Answer, ListQuery, Page
from scim.management.operation import Call, Operation
from scim.management.problems import forbidden

_POSITION = re.compile(r"a\|\d{16}\|[0-9a-f]{32}", re.ASCII)
_LONGEST_ID = 200


class ObjectAnswer(Answer):
    """What was changed."""

    type: str = Field(description="One of those that the log can be filtered by; later versions may add others.")
    id: str = Field(description="Of a token its version, of attribute mappings their directory's id.")


class AuditEntryAnswer(Answer):
    """One change; the event that told of it has the same id."""

    id: str
    type: str = Field(description="Such as `token.rotated` or `portal_link.redeemed`.")
    timestamp: str
    actor: ActorAnswer
    object: ObjectAnswer
    organization_id: str | None = Field(description="Null for what concerns the whole service.")
    directory_id: str | None = Field(description="Null where it is about no directory.")
    data: EventData
    changed: list[str] = Field(default_factory=list, description="Of an update: what differs.")
    previous_attributes: dict[str, Any] = Field(default_factory=dict, description="Their values before.")


class AuditList(Page[AuditEntryAnswer]):
    """A page of the audit log, newest first. With a filter it may be short, or empty, and still have a next one."""


class AuditQuery(ListQuery):
    """Which changes."""

    actor_type: ActorType | Literal[""] = Field("", description="Only what such an actor did.")
    actor_id: str = Field(
        "", max_length=_LONGEST_ID, description="Only what was done with this key, session or link, or by this tool."
    )
    object_type: ObjectType | Literal[""] = Field("", description="Only what was done to such an object.")
    object_id: str = Field("", max_length=_LONGEST_ID, description="Only what was done to the object of this id.")


async def list_organization_audit_log(call: Call) -> AuditList:
    """Return a page of the changes of an organization, its directories, tokens, links and keys."""
    log, after = call.services.audit_log, call.start(_is_position)
    return _shown(call, await log.of_organization(call.organization.id, after, call.query.limit, _filter(call.query)))


async def list_audit_log(call: Call) -> AuditList:
    """Return a page of what concerns the whole service: its keys, and organizations that come and go."""
    if call.key.organization_id is not None:
        raise forbidden("This API key is limited to one organization; that has an audit log of its own.")
    page = await call.services.audit_log.of_service(call.start(_is_position), call.query.limit, _filter(call.query))
    return _shown(call, page)


def _is_position(text: str) -> bool:
    return _POSITION.fullmatch(text) is not None


def _filter(query: AuditQuery) -> AuditFilter:
    return AuditFilter(query.actor_type, query.actor_id, query.object_type, query.object_id)


def _shown(call: Call, page: AuditPage) -> AuditList:
    return AuditList(data=[_entry(each) for each in page.entries], list_metadata=call.metadata(page.last))


def _entry(entry: AuditEntry) -> AuditEntryAnswer:
    about = {"type": entry.object_type, "id": entry.object_id}
    return AuditEntryAnswer.model_validate({**entry.event, "object": about})


OPERATIONS = (
    Operation(
        "list_organization_audit_log",
        "GET",
        "organizations/{organization_id}/audit-log",
        "read",
        "Read who changed what of an organization",
        list_organization_audit_log,
        "2",
        AuditList,
        AuditQuery,
    ),
    Operation(
        "list_audit_log",
        "GET",
        "audit-log",
        "read",
        "Read who changed what of the whole service",
        list_audit_log,
        "2",
        AuditList,
        AuditQuery,
    ),
)

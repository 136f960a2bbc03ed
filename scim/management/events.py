"""The events of a directory in their one order, and those of an organization and all its directories."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from scim.events.feed import FeedCursor
from scim.events.organization_feed import OrganizationCursor
from scim.events.rendering import rendered_event
from scim.management.models import CURSOR_FORM, Answer, ListQuery
from scim.management.operation import Call, Operation


class EventData(Answer):
    """What an event is about: a user or a group after the change, or before its deletion, or ids of a membership."""

    user: dict[str, Any] = Field(default_factory=dict, description="As a user is read, without times and version.")
    group: dict[str, Any] = Field(default_factory=dict, description="As a group is read, without times and version.")
    group_id: str = ""
    user_id: str = ""
    member_group_id: str = ""
    directory: dict[str, Any] = Field(default_factory=dict, description="Of a directory: id, name, provider, status.")
    attribute_mappings: dict[str, Any] = Field(
        default_factory=dict, description="Of changed mappings: the revision, and names that were added, and so on."
    )
    token: dict[str, Any] = Field(default_factory=dict, description="Of a token: version, last four characters.")
    organization: dict[str, Any] = Field(default_factory=dict, description="Of an organization: as it is read.")
    portal_link: dict[str, Any] = Field(default_factory=dict, description="Of a link to the portal: id, expiry.")
    api_key: dict[str, Any] = Field(default_factory=dict, description="Of an API key: id, name, last four characters.")
    service_key: dict[str, Any] = Field(default_factory=dict, description="Of a key of the service: its number.")


class ActorAnswer(Answer):
    """Who made a change."""

    type: str = Field(description="One of those that the audit log can be filtered by; later versions may add others.")
    id: str = Field(description="Of the key or the session; of an operator the tool; of the service what it does.")
    label: str | None = Field(description="A key's name, or whom a link says it is for.")
    link_id: str | None = Field(description="Of a session: the link to the portal that it was made with.")


class EventAnswer(Answer):
    """One committed change."""

    id: str = Field(description="Unique: use it to recognise an event that was handled before.")
    type: str
    timestamp: str
    organization_id: str | None = Field(description="Null for what concerns the whole service.")
    directory_id: str | None = Field(description="Null where it is about no directory.")
    actor: ActorAnswer | None = Field(
        None, description="Who made the change; absent where a user or group was changed by its identity provider."
    )
    data: EventData
    changed: list[str] = Field(
        default_factory=list, description="Of an update: the attributes that differ, under the profile's names."
    )
    previous_attributes: dict[str, Any] = Field(default_factory=dict, description="Their values before.")
    reason: str = Field(
        "",
        description="`mapping` where what the directory maps changed, not the user; `restore` where it was put back.",
    )
    omitted: str = Field("", description="What was left out because the change is too large.")


class EventQuery(ListQuery):
    """Which page of events of several feeds."""

    after: str = Field(
        "", max_length=6000, description="The `cursor` of the page before.", json_schema_extra=CURSOR_FORM
    )


class EventList(Answer):
    """Events, oldest first."""

    data: list[EventAnswer]
    cursor: str = Field(description="Send it as `after` to have the next events, also when there are none yet.")
    has_more: bool = Field(description="Whether there are more at this moment.")


async def list_events(call: Call) -> EventList:
    """Return events behind a cursor, or from the oldest one on that is kept."""
    after = FeedCursor.decoded(call.start(lambda text: FeedCursor.decoded(text) is not None)) or FeedCursor()
    page = await call.services.feed_of(call.directory, after, call.query.limit)
    return EventList(
        data=[EventAnswer(**rendered_event(call.directory, event)) for _, event in page.events],
        cursor=call.metadata(page.end.encoded()).after or "",
        has_more=page.has_more,
    )


async def list_organization_events(call: Call) -> EventList:
    """Return events of an organization and of all its directories behind a cursor, each directory's in their order."""
    after = OrganizationCursor.decoded(call.start(lambda text: OrganizationCursor.decoded(text) is not None))
    services, organization = call.services, call.organization
    page = await services.organization_events.read(
        organization.id,
        await services.directories.directories_of(organization.id),
        after or OrganizationCursor(),
        call.query.limit,
    )
    return EventList(
        data=[EventAnswer(**(rendered_event(of, event) if of else event)) for of, event in page.events],
        cursor=call.metadata(page.cursor.encoded()).after or "",
        has_more=page.has_more,
    )


OPERATIONS = (
    Operation(
        "list_events",
        "GET",
        "directories/{directory_id}/events",
        "read",
        "Read the events",
        list_events,
        "3, or 4 at the end; and what relaying new changes takes",
        EventList,
        ListQuery,
        problems=(410,),
    ),
    Operation(
        "list_organization_events",
        "GET",
        "organizations/{organization_id}/events",
        "read",
        "Read the events of all directories",
        list_organization_events,
        "at most 5, and at most 4 for each directory; and what relaying new changes takes",
        EventList,
        EventQuery,
        problems=(409, 410),
    ),
)

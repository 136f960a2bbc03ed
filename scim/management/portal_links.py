"""Operations on links to the administrator's portal. A link's secret is in one answer only: that of its creation."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from scim.directories.portal_access import LinkUse
from scim.directories.portal_link import DEFAULT_MAX_USES, LONGEST_LABEL, MOST_MAX_USES, PortalLink
from scim.management.models import Answer, Body, ListQuery, Page, Time
from scim.management.operation import Call, Operation, never_again


class PortalLinkAnswer(Answer):
    """What is told of a link; never its secret."""

    id: str
    directory_id: str | None = Field(description="The only directory it opens; null for all, and for new ones.")
    return_url: str | None = Field(description="Where the portal leads back to.")
    label: str | None = Field(description="Whom it is for, as it was given.")
    max_uses: int | None = Field(description="How many sessions it may begin; null, without limit, for one of before.")
    uses: int = Field(description="How many sessions were begun with it.")
    created_by: str | None = Field(description="The API key that made it; null for one of the command line.")
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class ListedPortalLink(PortalLinkAnswer):
    """A link, and how much it is in use."""

    open_sessions: int = Field(description="How many sessions made with it are open.")


class PortalLinkList(Page[ListedPortalLink]):
    """A page of the links of an organization."""


class NewPortalLinkAnswer(PortalLinkAnswer):
    """A link just made, with its address, which is shown this once."""

    url: str | None = Field(description="Null when the request was repeated: revoke the link and make another.")


class NewPortalLink(Body):
    """A link to make."""

    expires_at: Time | None = Field(
        None,
        description="When it ends: at most 30 days from now, and not after the API key; 7 days, or the key's end where "
        "that is earlier, when it is absent.",
    )
    label: str | None = Field(
        None, max_length=LONGEST_LABEL, description="Whom it is for; shown under Access in the portal."
    )
    max_uses: int = Field(
        DEFAULT_MAX_USES, ge=1, le=MOST_MAX_USES, description="How many sessions may be begun with it."
    )
    directory_id: str | None = Field(None, description="The only directory it opens; all when it is absent.")
    return_url: str | None = Field(
        None, description="An https address that the portal leads back to, on a host named in the settings."
    )


async def create_portal_link(call: Call) -> NewPortalLinkAnswer:
    """Return a new link to the portal of an organization."""
    body: NewPortalLink = call.body
    made = await call.services.portal_access.create_link(
        call.organization.id,
        expires_at=body.expires_at,
        directory_id=body.directory_id,
        return_url=body.return_url,
        label=body.label,
        max_uses=body.max_uses,
        creation=call.creation,
        made_by=call.key,
    )
    return NewPortalLinkAnswer(**_form(made.link), url=made.url(call.base_url))


async def list_portal_links(call: Call) -> PortalLinkList:
    """Return the links of an organization, ended ones for 30 days among them."""
    uses = await call.services.portal_access.link_uses(call.organization.id)
    page, metadata = call.page(uses, lambda use: use.link.id)
    return PortalLinkList(data=[_listed(use) for use in page], list_metadata=metadata)


async def get_portal_link(call: Call) -> ListedPortalLink:
    """Return a link of an organization."""
    return _listed(await call.services.portal_access.link_use(call.organization.id, call.path["link_id"]))


async def revoke_portal_link(call: Call) -> None:
    """End a link and every session made with it, at once."""
    await call.services.portal_access.revoke_link(call.organization.id, call.path["link_id"])


def _listed(use: LinkUse) -> ListedPortalLink:
    return ListedPortalLink(**_form(use.link), open_sessions=len(use.sessions))


def _form(link: PortalLink) -> dict[str, Any]:
    return {
        "id": link.id,
        "directory_id": link.directory_id,
        "return_url": link.return_url,
        "label": link.label,
        "max_uses": link.max_uses,
        "uses": link.uses,
        "created_by": link.created_by,
        "created_at": link.created,
        "expires_at": link.expires_at,
        "revoked_at": link.revoked_at,
        "last_used_at": link.last_used,
    }


_ALL = "organizations/{organization_id}/portal-links"
OPERATIONS = (
    Operation(
        "create_portal_link",
        "POST",
        _ALL,
        "write",
        "Make a link to the administrator's portal, shown once",
        create_portal_link,
        "3; for one directory 4",
        NewPortalLinkAnswer,
        body=NewPortalLink,
        status=201,
        secret=never_again("url"),
    ),
    Operation(
        "list_portal_links",
        "GET",
        _ALL,
        "read",
        "List the links to the portal",
        list_portal_links,
        "2",
        PortalLinkList,
        ListQuery,
    ),
    Operation(
        "get_portal_link",
        "GET",
        f"{_ALL}/{{link_id}}",
        "read",
        "Get a link to the portal",
        get_portal_link,
        "2",
        ListedPortalLink,
    ),
    Operation(
        "revoke_portal_link",
        "DELETE",
        f"{_ALL}/{{link_id}}",
        "write",
        "Revoke a link and the sessions made with it",
        revoke_portal_link,
        "4",
        status=204,
    ),
)

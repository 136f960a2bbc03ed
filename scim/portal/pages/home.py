"""The first page: the organization's directories, and the providers that can be connected."""

from __future__ import annotations

from scim.directories.directory import is_directory_id
from scim.portal.guide import guide
from scim.portal.rendering import page, see_other
from scim.portal.visit import Page, Visit
from scim.web import WebResponse

DIRECTORIES_OF_A_PAGE = 4
"""Each is a storage request; hardly an organization has more."""


async def show_home(visit: Visit) -> WebResponse:
    """Return some directories, oldest first, and the providers. At most six storage requests in all."""
    only = visit.session.directory_id
    if only is not None:
        return see_other(visit, f"/directories/{only}")
    named = visit.web.query.get("after", "")
    after = named if is_directory_id(named) else ""
    listed = await visit.services.directories.directory_page(visit.organization_id, after, DIRECTORIES_OF_A_PAGE)
    return page(visit, "home.html", listed=listed, after=after, providers=guide().providers)


PAGES = (Page("home", "GET", "", show_home),)

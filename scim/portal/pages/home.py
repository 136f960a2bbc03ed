"""The first page: the organization's directories, and the providers that can be connected."""

from __future__ import annotations

from scim.portal.guide import guide
from scim.portal.rendering import page, see_other
from scim.portal.visit import Page, Visit
from scim.web import WebResponse

MAX_DIRECTORIES = 100


async def show_home(visit: Visit) -> WebResponse:
    """Return the list of directories and providers. Two storage requests, and one for each directory."""
    only = visit.session.directory_id
    if only is not None:
        return see_other(visit, f"/directories/{only}")
    listed = await visit.services.directories.directory_page(visit.organization_id, "", MAX_DIRECTORIES)
    return page(visit, "home.html", directories=listed.directories, providers=guide().providers)


PAGES = (Page("home", "GET", "", show_home),)

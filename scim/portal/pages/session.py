"""How long the session still is, for the script, which asks before it says that the session is about to end."""

from __future__ import annotations

from scim.portal.visit import Page, Visit
from scim.web import WebResponse


async def show_rest(visit: Visit) -> WebResponse:
    """Return the seconds until the session ends unless it is used. No storage request beside that of admission.

    Asked without the header of a refresh it is a use, by which somebody stays who was warned.
    """
    rest = visit.session.ends_at - visit.services.now()
    return WebResponse(200, str(max(0, int(rest.total_seconds()))).encode(), {}, "text/plain")


PAGES = (Page("session", "GET", "/session", show_rest),)

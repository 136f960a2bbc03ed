"""The page that a link leads to. Looking at it changes nothing, since mail scanners do; its button opens a session."""

from __future__ import annotations

from scim.portal.problems import no_entry
from scim.portal.rendering import page, see_other
from scim.portal.same_origin import ended_cookie, session_cookie
from scim.portal.visit import Page, Visit
from scim.web import WebResponse


async def show_open(visit: Visit) -> WebResponse:
    """Return the form that takes the code; the script fills it in from the address. No storage request."""
    return page(visit, "open.html", ended="ended" in visit.web.query)


async def redeem(visit: Visit) -> WebResponse:
    """Return the way into the portal, with a new session. Two storage requests; none for a code that is cut off."""
    key = await visit.services.access.redeem(visit.form.get("code", ""))
    if key is None:
        raise no_entry()
    return see_other(visit, "", {"Set-Cookie": session_cookie(visit.base_url, key)})


async def close(visit: Visit) -> WebResponse:
    """Return the way out, with the session ended. Two storage requests and those of admission."""
    session = visit.session
    await visit.services.access.end_session(session.organization_id, session.link_id, session.id)
    return see_other(visit, "/open?ended=1", {"Set-Cookie": ended_cookie(visit.base_url)})


PAGES = (
    Page("open", "GET", "/open", show_open, needs_session=False),
    Page("redeem", "POST", "/open", redeem, needs_session=False),
    Page("close", "POST", "/close", close),
)

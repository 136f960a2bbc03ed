"""The page that a link leads to. Looking at it changes nothing, since mail scanners do; its button opens a session."""

from __future__ import annotations

from scim.directories.actor import Actor, become
from scim.directories.errors import LinkUsedUpError
from scim.directories.portal_link import code_in, link_id_of
from scim.portal.browser_family import browser_family
from scim.portal.problems import no_entry
from scim.portal.rendering import page, see_other
from scim.portal.same_origin import ended_cookie, session_cookie
from scim.portal.visit import Page, Visit
from scim.web import WebResponse


async def show_open(visit: Visit) -> WebResponse:
    """Return the form that takes the code; the script fills it in from the address. No storage request."""
    return page(visit, "open.html", ended="ended" in visit.web.query)


async def redeem(visit: Visit) -> WebResponse:
    """Return the way into the portal, with a new session. Four storage requests; none for a code that is cut off.

    A browser whose session was begun with a link that is used up stays in that session, for one request more.
    """
    code, attempt = visit.form.get("code", ""), visit.form.get("attempt", "")
    browser = browser_family(visit.web.headers.get("user-agent", ""))
    try:
        key = await visit.services.access.redeem(code, attempt=attempt, browser=browser)
    except LinkUsedUpError:
        if not await _was_begun_with(visit, code):
            raise
        return see_other(visit, "")
    if key is None:
        raise no_entry()
    become(Actor("portal_session", key.session_id, link_id=key.link_id))
    return see_other(visit, "", {"Set-Cookie": session_cookie(visit.base_url, key)})


async def _was_begun_with(visit: Visit, text: str) -> bool:
    """Tell whether the browser's session is open and was begun with the link of a text."""
    code, session = code_in(text), await visit.services.access.recognise(visit.key)
    return code is not None and session is not None and session.link_id == link_id_of(code)


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

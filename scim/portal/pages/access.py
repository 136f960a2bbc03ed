"""Access: the links that open the portal of this organization, the sessions made with them, and the end of either."""

from __future__ import annotations

from scim.portal.problems import not_found
from scim.portal.rendering import page, see_other
from scim.portal.same_origin import ended_cookie
from scim.portal.visit import Page, Visit
from scim.web import WebResponse


async def show_access(visit: Visit) -> WebResponse:
    """Return links and open sessions. One storage request and those of admission."""
    uses = await visit.services.access.link_uses(visit.organization_id)
    return page(visit, "access.html", uses=[use for use in reversed(uses) if _may_see(visit, use.link.id)])


async def revoke_link(visit: Visit) -> WebResponse:
    """Return to the list with a link and its sessions ended; a link that opened this session ends it, too."""
    link_id = _visible_link(visit)
    own = link_id == visit.session.link_id
    if own and visit.form.get("confirmed") != "yes":
        return page(visit, "revoke_link.html", link_id=link_id)
    await visit.services.access.revoke_link(visit.organization_id, link_id)
    return _left(visit) if own else see_other(visit, "/access")


async def end_session(visit: Visit) -> WebResponse:
    """Return to the list with a session ended."""
    link_id, session_id = _visible_link(visit), visit.path["session_id"]
    await visit.services.access.end_session(visit.organization_id, link_id, session_id)
    return _left(visit) if session_id == visit.session.id else see_other(visit, "/access")


def _left(visit: Visit) -> WebResponse:
    return see_other(visit, "/open?ended=1", {"Set-Cookie": ended_cookie(visit.base_url)})


def _may_see(visit: Visit, link_id: str) -> bool:
    """Tell whether a link is the session's to see: one that opens one directory alone sees itself alone."""
    return visit.session.directory_id is None or link_id == visit.session.link_id


def _visible_link(visit: Visit) -> str:
    link_id = visit.path["link_id"]
    if not _may_see(visit, link_id):
        raise not_found()
    return link_id


PAGES = (
    Page("access", "GET", "/access", show_access),
    Page("revoke_link", "POST", "/access/links/{link_id}/revoke", revoke_link),
    Page("end_session", "POST", "/access/links/{link_id}/sessions/{session_id}/end", end_session),
)

"""The portal's one entrance: who visits, what may be seen, and the answer, for all pages alike."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

from scim import last_place
from scim.directories.actor import become
from scim.events.directory_reading import DirectoryReading
from scim.fair_share import FairShare
from scim.portal.problems import PortalProblem, failure, no_session, not_found, problem_of, two_sessions
from scim.portal.rendering import page, problem_page
from scim.portal.routing import PREFIX, find_page
from scim.portal.same_origin import (
    SECURITY_HEADERS,
    has_two_sessions,
    read_form,
    require_form_token,
    require_same_origin,
    session_key,
)
from scim.portal.visit import Page, Services, Visit
from scim.readable_request import require_readable
from scim.request_log import BeginEntry, LogEntry, begin_entry
from scim.web import WebRequest, WebResponse

_log = logging.getLogger("scim.portal")


@dataclass(frozen=True, slots=True)
class PortalEndpoint:
    """Answers every request at and below ``/portal``. One per process; it keeps nothing of a visit."""

    services: Services
    public_base_url: str = ""
    begin_entry: BeginEntry = begin_entry
    fair_share: FairShare = field(default_factory=lambda: FairShare(at_once=16))
    """Who may work now, by organization: apart from the other surfaces, so that pages open whatever they do."""

    async def answer(self, web: WebRequest) -> WebResponse:
        """Return the answer to a request: a page whatever happens, never an exception."""
        entry = self.begin_entry("portal_request", web, "organization_id", "directory_id")
        visit = Visit(self.services, web, _UNKNOWN, {}, self.public_base_url or web.origin, entry.correlation_id)
        response = await last_place.answered(entry, lambda: self._response(visit, entry), _LAST_WORDS)
        return replace(response, headers={**SECURITY_HEADERS, **response.headers})

    async def _response(self, visit: Visit, entry: LogEntry) -> WebResponse:
        try:
            return await self._answered(visit, entry)
        except Exception as error:  # noqa: BLE001 - whatever is raised is answered with a page
            return problem_page(visit, _problem(error))

    async def _answered(self, visit: Visit, entry: LogEntry) -> WebResponse:
        require_readable(visit.web)
        found, parameters = find_page(visit.web.method, visit.web.path.removeprefix(PREFIX))
        entry.operation = found.name
        visit = replace(visit, page=found, path=parameters)
        if found.method == "POST":
            require_same_origin(visit.web, visit.base_url)
            visit = replace(visit, form=read_form(visit.web))
        visit = replace(visit, key=session_key(visit.web, visit.base_url))
        if not found.needs_session:
            return await found.answer(visit)
        if has_two_sessions(visit.web, visit.base_url):
            raise two_sessions(found.method)
        from_mail = visit.key is None and found.method == "GET" and "again" not in visit.web.query
        if from_mail and not visit.is_refresh:
            return page(visit, "again.html")
        visit = await self._recognised(visit, entry)
        async with self.fair_share.turn(visit.organization_id, entry):
            return await self._worked(await self._admitted(visit, entry))

    async def _worked(self, visit: Visit) -> WebResponse:
        try:
            return await visit.page.answer(visit)
        except Exception as error:  # noqa: BLE001 - the page of a problem leads back into the directory it is about
            return problem_page(visit, _problem(error))

    async def _recognised(self, visit: Visit, entry: LogEntry) -> Visit:
        """Return the visit with its session. One storage request."""
        session = await self.services.access.recognise(visit.key, is_use=not visit.is_refresh)
        if session is None or visit.key is None:
            raise no_session(visit.page.method)
        entry.facts["organization_id"] = session.organization_id
        become(session.actor)
        if visit.page.method == "POST":
            require_form_token(visit.form, visit.key)
        return replace(visit, found_session=session)

    async def _admitted(self, visit: Visit, entry: LogEntry) -> Visit:
        """Return the visit with its directory and the health of that. One storage request each."""
        reading = await self._reading(visit)
        if reading is None:
            return visit
        visit = replace(visit, found_reading=reading)
        entry.facts["directory_id"] = reading.directory.id
        found = visit.page
        shows_health = found.method == "GET" and found.shows_health and not found.is_fragment
        return replace(visit, found_standing=await reading.standing()) if shows_health else visit

    async def _reading(self, visit: Visit) -> DirectoryReading | None:
        """Return what reads the directory of the path; one that the session does not open looks like none."""
        directory_id = visit.path.get("directory_id")
        if directory_id is None:
            return None
        reading, session = await self.services.read_directory(directory_id), visit.session
        if reading is None or reading.directory.organization_id != session.organization_id:
            raise not_found()
        if not session.opens(reading.directory.id):
            raise not_found()
        return reading


async def _nothing(_: Visit) -> WebResponse:
    raise not_found()


_LAST_WORDS = WebResponse(500, failure().text.encode(), content_type="text/plain")
"""The text of a failure alone, where not even its page can be made."""

_UNKNOWN = Page("unknown", "GET", "", _nothing, needs_session=False)


def _problem(error: Exception) -> PortalProblem:
    known = problem_of(error)
    if known is not None:
        return known
    _log.error("a page failed", exc_info=error)
    return failure()

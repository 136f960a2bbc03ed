"""Templates, filled in: everything that is not a template's own text is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scim.directories.portal_access import IDLE_LIMIT, PortalSession, new_attempt
from scim.portal.problems import PortalProblem
from scim.portal.static_files import LOGO, static_path
from scim.portal.times import machine_time, plain_time, stored_time, time_ago
from scim.portal.visit import Visit
from scim.web import WebResponse, encoded

if TYPE_CHECKING:
    from jinja2 import Environment

IDLE_WARNING_AFTER = IDLE_LIMIT - timedelta(minutes=5)
"""After how long without use the script asks whether the session is about to end, and says so."""
WARNING_BEFORE_END = timedelta(minutes=20)
"""How long before a session ends its pages say so, on top (WCAG 2.2.1)."""
_TEMPLATES = Path(__file__).parent / "templates"
HTML = "text/html"


@cache
def _environment() -> Environment:
    """Return the templates of this process; each is compiled once. Jinja2 is imported here, with the first page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(machine_time=machine_time, plain_time=plain_time, moment=stored_time)
    return environment


def page(visit: Visit, template: str, *, status: int = 200, **values: Any) -> WebResponse:
    """Return the answer that shows a template to a visitor."""
    text = _environment().get_template(template).render(**_shared(visit), **values)
    return WebResponse(status, encoded(text), {}, HTML)


def problem_page(visit: Visit, problem: PortalProblem) -> WebResponse:
    """Return the page of a problem; it reads nothing, so it can be shown whatever is down."""
    shown = page(visit, "problem.html", status=problem.status, problem=problem)
    return WebResponse(shown.status, shown.body, dict(problem.headers), HTML)


def see_other(visit: Visit, path: str, headers: Mapping[str, str] | None = None) -> WebResponse:
    """Return the answer that leads from a form to a page, so that loading it again repeats nothing."""
    return WebResponse(303, b"", {"Location": f"{visit.root}{path}", **(headers or {})}, HTML)


def _shared(visit: Visit) -> dict[str, Any]:
    branding, now = visit.services.branding, visit.services.now()

    def ago(moment: datetime) -> str:
        return time_ago(moment, now)

    return {
        "visit": visit,
        "root": visit.root,
        "branding": branding,
        "session": visit.found_session,
        "directory": visit.found_reading.directory if visit.found_reading else None,
        "health": visit.found_standing.health(now) if visit.found_standing else None,
        "warn_in": _seconds_to_warning(visit.found_session, now),
        "idle_in": int(IDLE_WARNING_AFTER.total_seconds()),
        "form_token": visit.key.form_token if visit.key else "",
        "static": lambda name: f"{visit.root}/{static_path(name, branding.logo)}",
        "logo": LOGO if branding.logo else "",
        "ago": ago,
        "new_attempt": new_attempt,
        "now": now,
    }


def _seconds_to_warning(session: PortalSession | None, now: datetime) -> int:
    """Return in how many seconds a session's end is to be warned of; 0 for at once."""
    left = session.expires_at - WARNING_BEFORE_END - now if session else timedelta()
    return max(0, int(left.total_seconds()))

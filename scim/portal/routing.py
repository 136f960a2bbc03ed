"""The one list of pages: dispatch and the tests go by it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from scim.portal.pages import access, activity, attributes, groups, home, open_link, providers, session, tokens, users
from scim.portal.pages import directory as directory_page
from scim.portal.problems import not_allowed, not_found
from scim.portal.static_files import answer_static
from scim.portal.visit import Page

PREFIX = "/portal"

PAGES: tuple[Page, ...] = (
    *home.PAGES,
    *open_link.PAGES,
    *providers.PAGES,
    *directory_page.PAGES,
    *users.PAGES,
    *groups.PAGES,
    *attributes.PAGES,
    *activity.PAGES,
    *tokens.PAGES,
    *access.PAGES,
    *session.PAGES,
    Page("static_file", "GET", "/static/{hash}/{name}", answer_static, needs_session=False),
)


def find_page(method: str, path: str) -> tuple[Page, Mapping[str, str]]:
    """Return the page of a request below ``/portal``, with the parameters in its path.

    :raises PortalProblem: 404 when nothing has this path, 405 when it does not take this method.
    """
    found = [(page, match.groupdict()) for page in PAGES if (match := _PATTERNS[page.path].fullmatch(path.rstrip("/")))]
    for page, parameters in found:
        if page.method == method:
            return page, parameters
    raise not_allowed(", ".join(sorted({page.method for page, _ in found}))) if found else not_found()


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path.replace(".", r"\.")))


_PATTERNS: Mapping[str, re.Pattern[str]] = {page.path: _pattern(page.path) for page in PAGES}

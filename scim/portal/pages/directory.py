"""A directory: how it stands, and the guide filled in with its values, beside what has been seen of the setup."""

from __future__ import annotations

from scim.portal.custom_attributes import LONGEST_SOURCE, check_source, custom_urns
from scim.portal.guide import filled_in, guide
from scim.portal.newest_problems import ShownProblem, shown_problems
from scim.portal.progress import progress_of
from scim.portal.rendering import page
from scim.portal.visit import Page, Visit
from scim.resources.provisioning_log import LogFilter
from scim.web import WebResponse

SHOWN_PROBLEMS = 3


async def show_overview(visit: Visit) -> WebResponse:
    """Return how the directory stands. No storage request beside those of admission."""
    standing, now = visit.standing, visit.services.now()
    provider = guide().of(visit.directory.provider)
    return page(
        visit,
        "overview.html",
        provider=provider,
        standing=standing,
        tokens=[token for token in standing.tokens if token.state in ("current", "previous")],
        progress=progress_of(provider, standing.activity, now),
        runs=lambda text: filled_in(text, {}),
    )


async def show_guide(visit: Visit) -> WebResponse:
    """Return the guide with this directory's values. One storage request and those of admission."""
    directory, services = visit.directory, visit.services
    provider = guide().of(directory.provider)
    urns = custom_urns(directory.attribute_mappings, services.branding.name)
    values = {"tenant_url": visit.tenant_url, "application": services.branding.name, "custom_urn": urns[0]}
    source = visit.web.query.get("source", "")[:LONGEST_SOURCE]
    return page(
        visit,
        "guide.html",
        provider=provider,
        older=bool(provider.older_name) and visit.web.query.get("flow") == "older",
        runs=lambda text: filled_in(text, values),
        urns=urns,
        source=source,
        check=check_source(source) if source else None,
        progress=progress_of(provider, visit.standing.activity, services.now()),
        problems=await _problems(visit),
    )


async def show_progress(visit: Visit) -> WebResponse:
    """Return what has been seen of the setup, for a page that refreshes it. No storage request beside admission's."""
    provider = guide().of(visit.directory.provider)
    progress = progress_of(provider, visit.reading.activity, visit.services.now())
    return page(visit, "progress.html", progress=progress, runs=lambda text: filled_in(text, {}))


async def show_problems(visit: Visit) -> WebResponse:
    """Return the newest problems, for a page that refreshes them. One storage request and those of admission."""
    return page(visit, "problems.html", problems=await _problems(visit))


async def _problems(visit: Visit) -> list[ShownProblem]:
    log, problems_only = visit.services.provisioning_log, LogFilter(problems_only=True)
    newest = await log.page(visit.directory.id, None, SHOWN_PROBLEMS, problems_only)
    return shown_problems((entry for _, entry in newest.entries), visit.reading.activity.last.success)


_ONE = "/directories/{directory_id}"
PAGES = (
    Page("overview", "GET", _ONE, show_overview),
    Page("guide", "GET", f"{_ONE}/guide", show_guide),
    Page("progress", "GET", f"{_ONE}/progress", show_progress, is_fragment=True),
    Page("problems", "GET", f"{_ONE}/problems", show_problems, is_fragment=True),
)

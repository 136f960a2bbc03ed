"""A directory: how it stands, and the guide filled in with its values, beside what has been seen of the setup."""

from __future__ import annotations

from datetime import datetime

from scim.directories.directory import Provider
from scim.portal.custom_attributes import LONGEST_SOURCE, check_source, custom_urns
from scim.portal.guide import ProviderGuide, filled_in, guide
from scim.portal.newest_problems import ShownProblem, shown_problems
from scim.portal.problems import not_found
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
        fragment=_fragment_query(visit, visit.directory.id, provider.id),
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
        problems=await _problems(visit, directory.id, visit.standing.activity.last.success),
        fragment=_fragment_query(visit, directory.id, provider.id),
    )


async def show_progress(visit: Visit) -> WebResponse:
    """Return what has been seen of the setup, for a page that refreshes it. Two storage requests in all."""
    provider, services = _provider(visit), visit.services
    activity = await services.activity.activity(visit.path["directory_id"], services.now())
    progress = progress_of(provider, activity, services.now())
    return page(visit, "progress.html", progress=progress, runs=lambda text: filled_in(text, {}))


async def show_problems(visit: Visit) -> WebResponse:
    """Return the newest problems, for a page that refreshes them. Two storage requests in all.

    What a success has settled meanwhile, the script sees by the time that comes with the progress.
    """
    _provider(visit)
    return page(visit, "problems.html", problems=await _problems(visit, visit.path["directory_id"], None))


async def _problems(visit: Visit, directory_id: str, last_success: datetime | None) -> list[ShownProblem]:
    log = await visit.services.provisioning_log.page(directory_id, None, SHOWN_PROBLEMS, LogFilter(problems_only=True))
    return shown_problems((entry for _, entry in log.entries), last_success)


def _fragment_query(visit: Visit, directory_id: str, provider: Provider) -> str:
    return f"?provider={provider}&proof={visit.proof(_claim(directory_id, provider))}"


def _provider(visit: Visit) -> ProviderGuide:
    """Return the provider of a fragment's directory, as the page that holds the fragment has proved it."""
    directory_id, named = visit.path["directory_id"], visit.web.query.get("provider", "")
    proved = visit.proves(_claim(directory_id, named), visit.web.query.get("proof", ""))
    if not proved or not visit.session.opens(directory_id):
        raise not_found()
    return next(each for each in guide().providers if each.id == named)


def _claim(directory_id: str, provider: str) -> str:
    return f"{directory_id} is a directory of this session and of {provider}"


_ONE = "/directories/{directory_id}"
PAGES = (
    Page("overview", "GET", _ONE, show_overview),
    Page("guide", "GET", f"{_ONE}/guide", show_guide),
    Page("progress", "GET", f"{_ONE}/progress", show_progress, is_fragment=True),
    Page("problems", "GET", f"{_ONE}/problems", show_problems, is_fragment=True),
)

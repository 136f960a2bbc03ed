"""Activity: what changed and what went wrong, in one list by time, and the same as a CSV file."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from scim.portal.activity import ActivityPage, read_activity, read_query
from scim.portal.csv_file import csv_text
from scim.portal.guide import guide
from scim.portal.rendering import page
from scim.portal.times import machine_time
from scim.portal.visit import Page, Visit
from scim.web import WebResponse

_HEAD = ("Time", "What", "Whom", "Also", "Result", "Cause", "Remedy", "Detail", "Times", "Last time", "Id")


async def show_activity(visit: Visit) -> WebResponse:
    """Return a page of the list. 2 to 4 storage requests and those of admission."""
    query = read_query(visit.web.query)
    shown = await read_activity(visit, query)
    return page(
        visit,
        "activity.html",
        provider=guide().of(visit.directory.provider),
        standing=visit.standing,
        query=query,
        shown=shown,
        whose=shown.names.get(query.resource_id, query.resource_id),
        here=urlencode({**query.filters, **_place(visit)}),
        older=urlencode({**query.filters, "after": shown.after}),
        newest=urlencode(query.filters),
        is_first=not _place(visit),
    )


def _place(visit: Visit) -> dict[str, str]:
    after = visit.web.query.get("after", "")
    return {"after": after} if after else {}


async def download(visit: Visit) -> WebResponse:
    """Return what the page shows as a file. As many storage requests as the page."""
    shown = await read_activity(visit, read_query(visit.web.query))
    headers = {"Content-Disposition": 'attachment; filename="activity.csv"'}
    return WebResponse(200, csv_text(_HEAD, _rows(shown)).encode(), headers, "text/csv")


def _rows(shown: ActivityPage) -> Iterator[tuple[str, ...]]:
    for entry in shown.entries:
        also = [shown.names.get(each, each) for each in entry.related]
        yield (
            machine_time(entry.time),
            entry.title,
            entry.name or shown.names.get(entry.resource_id, ""),
            ", ".join([*also, *([f"and {entry.more_related} more"] if entry.more_related else [])]),
            entry.result,
            entry.cause,
            entry.remedy,
            entry.detail,
            str(entry.count),
            machine_time(entry.last) if entry.last else "",
            entry.resource_id,
        )


_ALL = "/directories/{directory_id}/activity"
PAGES = (
    Page("activity", "GET", _ALL, show_activity),
    Page("activity_csv", "GET", f"{_ALL}.csv", download, shows_health=False),
)

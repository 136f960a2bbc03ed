"""Changes and problems of a directory as one list by time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

from scim.events.feed import FeedCursor
from scim.portal.activity_words import ActivityEntry, entry_of_event, entry_of_history, entry_of_log
from scim.portal.visit import Visit
from scim.resources.identifiers import ResourceName, resource_name_of
from scim.resources.provisioning_log import LogFilter, LogPosition

PAGE_SIZE = 40
_CURSOR = re.compile(r"(?P<change>[\d.]{1,48}|-)~(?P<problem>l\|\d{16}(?:\|[0-9a-f]{16})?|-)", re.ASCII)
_FEED_PLACE = re.compile(r"\d{1,18}\.\d{1,6}", re.ASCII)
_HISTORY_PLACE = re.compile(r"\d{20}\.\d{1,6}", re.ASCII)
_NONE = "-"


@dataclass(frozen=True, slots=True)
class ActivityQuery:
    """What a visit asks for."""

    problems_only: bool = False
    resource_id: str = ""
    """The user or group that all is about, or empty."""
    since: date | None = None
    until: date | None = None
    """The first and the last day, in UTC."""
    change: str = ""
    """Behind which change to go on; empty for the newest."""
    problem: str = ""

    @property
    def begin(self) -> datetime | None:
        """The time before which nothing is wanted."""
        return datetime.combine(self.since, time(), UTC) if self.since else None

    @property
    def end(self) -> datetime | None:
        """The time from which on nothing is wanted."""
        if self.until is None or self.until == date.max:  # nothing is behind the last day that there is
            return None
        return datetime.combine(self.until, time(), UTC) + timedelta(days=1)

    @property
    def filters(self) -> dict[str, str]:
        """The query again, without its place."""
        values = {
            "show": "problems" if self.problems_only else "",
            "resource": self.resource_id,
            "since": self.since.isoformat() if self.since else "",
            "until": self.until.isoformat() if self.until else "",
        }
        return {name: value for name, value in values.items() if value}


def read_query(values: Mapping[str, str]) -> ActivityQuery:
    """Return what an address asks for; what cannot be read is not asked for."""
    resource_id, match = values.get("resource", ""), _CURSOR.fullmatch(values.get("after", ""))
    return ActivityQuery(
        problems_only=values.get("show") == "problems",
        resource_id=resource_id if resource_name_of(resource_id) else "",
        since=_day(values.get("since", "")),
        until=_day(values.get("until", "")),
        change=match["change"].replace(_NONE, "") if match else "",
        problem=match["problem"].replace(_NONE, "") if match else "",
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Source:
    """Entries of one kind, newest first, each with the place behind it."""

    entries: Sequence[tuple[str, ActivityEntry]] = ()
    end: str = ""
    """The place behind which older ones lie, empty where there are none."""


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """A part of the list, newest first; where to go on, empty at its end."""

    entries: Sequence[ActivityEntry]
    after: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    """What users and groups are called, by id."""

    @property
    def gone(self) -> frozenset[str]:
        """Those whose end is among the entries."""
        return frozenset(entry.resource_id for entry in self.entries if entry.is_gone)


async def read_activity(visit: Visit, query: ActivityQuery) -> ActivityPage:
    """Return the part of the list that is asked for.

    2 storage requests, and 1 for the names of users and 1 for those of groups that changes do not carry;
    to begin at a day, one for each halving of the feed.
    """
    changes, problems = await asyncio.gather(_changes(visit, query), _problems(visit, query))
    page = merged(changes, problems, query)
    return replace(page, names=await _names(visit, page.entries, query.resource_id))


async def _changes(visit: Visit, query: ActivityQuery) -> Source:
    if query.problems_only:
        return Source()
    if query.resource_id:
        return await _history(visit, query)
    place = _feed_place(query.change)
    if place is None and query.end is not None:
        place = await visit.reading.place_at(query.end)
    window = await visit.reading.events_before(place, PAGE_SIZE)
    entries = [(f"{at.number}.{at.index}", entry_of_event(visit.directory, event)) for at, event in window.events]
    return Source(entries, f"{window.end.number}.{window.end.index}" if window.end else "")


def _feed_place(text: str) -> FeedCursor | None:
    number, _, index = text.partition(".") if _FEED_PLACE.fullmatch(text) else ("", "", "")
    return FeedCursor(int(number), int(index)) if number else None


async def _history(visit: Visit, query: ActivityQuery) -> Source:
    after = query.change if _HISTORY_PLACE.fullmatch(query.change) else ""
    page = await visit.services.derived_of(visit.directory).history(query.resource_id, after, PAGE_SIZE)
    entries = [entry_of_history(query.resource_id, entry) for entry in page.entries]
    return Source(list(zip(page.places, entries, strict=True)), page.last)


async def _problems(visit: Visit, query: ActivityQuery) -> Source:
    log = visit.services.provisioning_log
    place = LogPosition(query.problem) if query.problem else log.place_at(query.end) if query.end else None
    wanted = LogFilter(problems_only=query.problems_only, resource_id=query.resource_id)
    page = await log.page(visit.directory.id, place, PAGE_SIZE, wanted)
    entries = [(at.key, entry_of_log(entry)) for at, entry in page.entries]
    return Source(entries, page.last.key if page.last else "")


def merged(changes: Source, problems: Source, query: ActivityQuery) -> ActivityPage:
    """Return the entries of both that are newer than what either has not read yet. Pure."""
    sources = {"change": changes, "problem": problems}
    waiting = {kind: list(source.entries) for kind, source in sources.items()}
    places = {"change": query.change, "problem": query.problem}
    shown: list[ActivityEntry] = []
    while len(shown) < PAGE_SIZE and any(waiting.values()):
        if any(source.end and not waiting[kind] for kind, source in sources.items()):
            break  # What comes next of this kind is not known, and may be newer.
        kind = max((each for each in waiting if waiting[each]), key=lambda each: waiting[each][0][1].time)
        places[kind], entry = waiting[kind].pop(0)
        if query.begin is not None and entry.time < query.begin:
            return ActivityPage(shown)
        if query.end is None or entry.time < query.end:
            shown.append(entry)
    places |= {kind: source.end for kind, source in sources.items() if source.end and not waiting[kind]}
    is_more = any(waiting.values()) or any(source.end for source in sources.values())
    after = f"{places['change'] or _NONE}~{places['problem'] or _NONE}"
    return ActivityPage(shown, after if is_more else "")


async def _names(visit: Visit, entries: Sequence[ActivityEntry], about: str) -> Mapping[str, str]:
    known = {entry.resource_id: entry.name for entry in entries[::-1] if entry.name}
    concerned = {about, *(each for entry in entries for each in (entry.resource_id, *entry.related))}
    asked = concerned - {""} - known.keys()
    kinds: tuple[ResourceName, ...] = ("User", "Group")
    found = await asyncio.gather(
        *(visit.reading.named(kind, sorted(each for each in asked if resource_name_of(each) == kind)) for kind in kinds)
    )
    return known | {each: summary.title for part in found for each, summary in part.items()}

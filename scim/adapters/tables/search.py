"""The one planner of searches: lookup rows first, the page map for whole lists, a bounded scan last."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from scim2_models import InvalidCursorException

from scim.adapters.tables.directory_index import DirectoryIndex, read_index
from scim.adapters.tables.lookup_plan import Lookup, plan_lookups
from scim.adapters.tables.lookups import found_by_lookups
from scim.adapters.tables.matching import Match, Matcher
from scim.adapters.tables.pages import page_at
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.relay import MAX_BACKLOG, relay
from scim.adapters.tables.walks import ScanBudget, backwards, forwards
from scim.resources.errors import TooManyRowsError
from scim.resources.identifiers import ResourceName
from scim.resources.schema import ResourceSchema
from scim.resources.search import Search, SearchResult
from scim.resources.sorting import Position
from scim.resources.stored_document import MAX_PAGE_CHARACTERS, StoredDocument, fitting

_SCAN_PAGE = 250


async def search_documents(partition: Partition, search: Search) -> SearchResult:
    """Return a page of the documents that match.

    :raises InvalidFilterException: When the filter asks what memberships cannot answer.
    :raises TooManyRowsError: When an answer by index, or in another order, needs more than 10,000 rows or 3 s.
    :raises InvalidCursorException: When the position is none of ours.
    """
    matcher = Matcher(partition, search)
    is_sorted = search.sort is not None and search.sort.text is not None
    by_cursor = search.start_index is None and not is_sorted
    found = await _look_up(partition, search, matcher, may_walk=by_cursor)
    if found is None and not is_sorted:
        if by_cursor:
            return await _page_by_cursor(partition, search, matcher)
        if search.filter is None:
            return await _page_by_index(partition, search)
    if found is None:
        found = await _scan(partition, search, matcher)
    return _page_of(search, found)


async def current_index(partition: Partition) -> DirectoryIndex:
    """Return the directory's index; a large backlog is relayed first, so that reading it stays cheap."""
    index = await read_index(partition)
    if len(index.outbox) > MAX_BACKLOG:
        await relay(partition)
        index = await read_index(partition)
    return index


def _names(search: Search) -> list[ResourceName]:
    return sorted(schema.name for schema in search.schemas)


async def _look_up(partition: Partition, search: Search, matcher: Matcher, *, may_walk: bool) -> list[Match] | None:
    """Return all matches when lookup rows lead to them, or None.

    :param may_walk: Whether None is an answer to too many candidates, since a walk can go on where a request ends.
    """
    plans = {schema.name: _plan(partition, search, schema) for schema in search.schemas}
    found = []
    for name in _names(search):
        plan = plans[name]
        if plan is None:
            return None
        try:
            candidates = await found_by_lookups(partition, name, plan)
        except TooManyRowsError:
            if may_walk:
                return None
            raise
        for stored in candidates:
            match = await matcher.match(stored)
            if match is not None:
                found.append(match)
    return found


def _plan(partition: Partition, search: Search, schema: ResourceSchema) -> tuple[Lookup, ...] | None:
    if search.leading_email:
        return (Lookup("leading_email", search.leading_email),)
    if search.filter is None:
        return None
    return plan_lookups(search.filter, schema, partition.attributes.searchable)


async def _scan(partition: Partition, search: Search, matcher: Matcher) -> list[Match]:
    """Return all matches by reading every resource, within the budget of a request."""
    budget, found = ScanBudget(), []
    async for stored in forwards(partition, _names(search), "", _SCAN_PAGE):
        if not await budget.spend(stored):
            raise TooManyRowsError
        match = await matcher.match(stored)
        if match is not None:
            found.append(match)
    return found


async def _page_by_index(partition: Partition, search: Search) -> SearchResult:
    index = await current_index(partition)
    offset, wanted, total = (search.start_index or 1) - 1, search.count, 0
    documents: list[StoredDocument] = []
    for name in _names(search):
        here = index.current_map(name).total
        if wanted and offset < here:
            page = await page_at(partition, index, name, offset, wanted)
            documents, wanted = documents + page, wanted - len(page)
            if fitting(documents) < len(documents):
                documents, wanted = documents[: fitting(documents)], 0
        offset, total = max(0, offset - here), total + here
    return SearchResult(documents, total)


async def _page_by_cursor(partition: Partition, search: Search, matcher: Matcher) -> SearchResult:
    """Return a page in id order; a filter that matches little gives a short page, and the cursor goes on behind it."""
    direction, anchor = _read_position(search.position)
    if search.count == 0:
        return SearchResult([])
    page_size = search.count + 1 if search.filter is None else _SCAN_PAGE
    if direction == "next":
        walk = forwards(partition, _names(search), anchor, page_size)
        page, last, more = await _collect(walk, search.count, matcher)
        begun = bool(anchor)
        return SearchResult(page, None, _link("next", last, given=more), _link("previous", _first(page), given=begun))
    walk = backwards(partition, await current_index(partition), _names(search), anchor, page_size)
    page, last, more = await _collect(walk, search.count, matcher)
    page.reverse()
    return SearchResult(
        page, None, _link("next", page[-1].id if page else "", given=True), _link("previous", last, given=more)
    )


def _first(page: Sequence[StoredDocument]) -> str:
    return page[0].id if page else ""


def _link(direction: str, resource_id: str, *, given: bool) -> dict[str, Any] | None:
    # The form of a position in an order, so that a walk and a lookup can take up each other's pages.
    return {"d": direction, "k": None, "i": resource_id} if given and resource_id else None


async def _collect(
    walk: AsyncIterator[StoredDocument], count: int, matcher: Matcher
) -> tuple[list[StoredDocument], str, bool]:
    """Return the next matches of a walk, the id to go on behind, and whether there is more."""
    budget, page, last, room = ScanBudget(), list[StoredDocument](), "", MAX_PAGE_CHARACTERS
    async for stored in walk:
        if await matcher.match(stored) is not None:
            room -= len(stored.text)
            if len(page) == count or (page and room < 0):
                return page, page[-1].id, True
            page.append(stored)
        last = stored.id
        if not await budget.spend(stored):
            return page, last, True
    return page, last, False


def _read_position(position: Any) -> tuple[str, str]:
    if position is None:
        return "next", ""
    direction, anchor = (position.get("d"), position.get("i")) if isinstance(position, dict) else (None, None)
    if direction not in ("next", "previous") or not isinstance(anchor, str) or not anchor:
        raise InvalidCursorException
    return direction, anchor


def _page_of(search: Search, found: list[Match]) -> SearchResult:
    """Return the asked page of all matches."""
    descending = search.sort is not None and search.sort.descending
    found.sort(key=lambda match: match.position, reverse=descending)
    if search.start_index is not None:
        start = search.start_index - 1
        stored = [match.stored for match in found[start : start + search.count]]
        return SearchResult(stored[: fitting(stored)], len(found))
    start, end = _bounds([match.position for match in found], search, descending=descending)
    large = [match.stored for match in found[start:end]]
    if search.position is not None and search.position["d"] == "previous":
        start = end - fitting(reversed(large))
    else:
        end = start + fitting(large)
    page = found[start:end]
    return SearchResult(
        [match.stored for match in page],
        len(found),
        {"d": "next", **page[-1].position.encoded()} if page and end < len(found) else None,
        {"d": "previous", **page[0].position.encoded()} if page and start > 0 else None,
    )


def _bounds(positions: list[Position], search: Search, *, descending: bool) -> tuple[int, int]:
    """Return where a page by cursor lies among the positions; what came or went meanwhile does not shift it."""
    if search.position is None:
        return 0, min(search.count, len(positions))
    direction = search.position.get("d") if isinstance(search.position, dict) else None
    anchor = Position.decoded(search.position)
    if direction not in ("next", "previous"):
        raise InvalidCursorException
    before = sum(1 for position in positions if (position > anchor if descending else position < anchor))
    if direction == "next":
        start = before + sum(1 for position in positions if position == anchor)
        return start, min(start + search.count, len(positions))
    return max(0, before - search.count), before

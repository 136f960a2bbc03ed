"""Searches: GET on users, groups or the root, and POST on ``.search`` (RFC 7644 §3.4.2, §3.4.3; RFC 9865)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from scim2_models import InvalidSyntaxException, InvalidValueException
from scim2_server.cursor import Cursors

from scim.provisioning.answers import list_answer, shown_texts
from scim.provisioning.groups import MAX_MEMBERS_SHOWN, member_references
from scim.provisioning.request import ScimRequest, projection_of
from scim.provisioning.service_provider import CURSOR_SECONDS, MAX_RESULTS
from scim.provisioning.users import group_references
from scim.resources.errors import TooManyMembersError
from scim.resources.filter import parse_filter
from scim.resources.membership import Member
from scim.resources.projection import Projection, read_projection
from scim.resources.schema import ResourceSchema
from scim.resources.search import Search, SearchResult
from scim.resources.sorting import read_sort_key
from scim.resources.stored_document import StoredDocument
from scim.resources.worker_thread import run_apart
from scim.web import WebResponse

DEFAULT_COUNT = 100
_SEARCH_URN = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
_AT_ONCE = 8
_RANDOM_MATCH = re.compile(r'.{1,300} eq "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"', re.IGNORECASE | re.ASCII)
"""How Entra ID tests a connection: it looks for somebody by a random GUID, and expects nobody."""

Parameters = Mapping[str, Any]


async def search_by_query(request: ScimRequest, schemas: tuple[ResourceSchema, ...]) -> WebResponse:
    """Answer a search by query parameters."""
    projection = projection_of(request.query.get("attributes"), request.query.get("excludedAttributes"), schemas)
    return await _search(request, schemas, request.query, projection)


async def search_by_body(request: ScimRequest, schemas: tuple[ResourceSchema, ...]) -> WebResponse:
    """Answer a search by a SearchRequest body."""
    payload = await run_apart(lambda: request.payload, is_heavy=request.is_large)
    if not isinstance(payload, Mapping):
        raise InvalidSyntaxException(detail="The body must be a JSON object: a SearchRequest.")
    listed = payload.get("schemas")
    if not isinstance(listed, list) or _SEARCH_URN.lower() not in [str(urn).lower() for urn in listed]:
        raise InvalidSyntaxException(detail=f'The body must hold "schemas": ["{_SEARCH_URN}"].')
    names, excluded = payload.get("attributes"), payload.get("excludedAttributes")
    projection = read_projection(names, excluded, schemas) if names or excluded else projection_of(None, None, schemas)
    return await _search(request, schemas, payload, projection)


async def _search(
    request: ScimRequest, schemas: Sequence[ResourceSchema], parameters: Parameters, projection: Projection
) -> WebResponse:
    cursors = _SealedCursors(request, schemas, parameters)
    search = _read_search(schemas, parameters, cursors)
    result = await request.store.search(search)
    if result.total == 0 and _RANDOM_MATCH.fullmatch(_text(parameters, "filter") or ""):
        request.notes.signals["connection_tested"] = ""
    resources = await _shown(request, schemas, result, projection)
    return list_answer(
        resources, total=result.total, start_index=search.start_index, cursors=cursors.of(result, search.count)
    )


def _read_search(schemas: Sequence[ResourceSchema], parameters: Parameters, cursors: _SealedCursors) -> Search:
    text = _text(parameters, "filter")
    cursor = _text(parameters, "cursor")
    start_index = _number(parameters, "startIndex")
    if cursor is not None and start_index is not None:
        raise InvalidValueException(detail="Page either by cursor or by startIndex, not by both.")
    count = min(MAX_RESULTS, max(0, _number(parameters, "count", DEFAULT_COUNT)))
    sort_by, sort_order = _text(parameters, "sortBy"), _text(parameters, "sortOrder")
    return Search(
        schemas=schemas,
        filter=parse_filter(text) if text is not None else None,
        sort=read_sort_key(sort_by, sort_order, schemas) if sort_by or sort_order else None,
        count=count,
        start_index=None if cursor is not None else max(1, start_index or 1),
        position=cursors.open(cursor, count) if cursor else None,
    )


def _text(parameters: Parameters, name: str) -> str | None:
    value = parameters.get(name)
    if value is None or isinstance(value, str):
        return value
    raise InvalidValueException(detail=f"{name} must be text.")


def _number(parameters: Parameters, name: str, default: int | None = None) -> Any:
    value = parameters.get(name)
    if value is None or value == "":
        return default
    try:
        number = int(value) if not isinstance(value, (bool, float)) else None
    except (TypeError, ValueError):
        number = None
    if number is None:
        raise InvalidValueException(detail=f"{name} must be a whole number.")
    return max(-1, min(number, 2**53))


class _SealedCursors:
    """The cursors of one search: bound to the directory by its secret, and to the query by a digest."""

    def __init__(self, request: ScimRequest, schemas: Sequence[ResourceSchema], parameters: Parameters) -> None:
        self._query = [
            [schema.name for schema in schemas],
            *(parameters.get(name) for name in ("filter", "sortBy", "sortOrder")),
        ]
        self._secret = f"{request.directory.cursor_secret}{request.directory.id}"

    @cached_property
    def _digest(self) -> str:
        return hashlib.sha256(json.dumps(self._query, default=str).encode()).hexdigest()[:32]

    def open(self, cursor: str, count: int) -> Any:
        """Return the position a cursor holds.

        :raises InvalidCursorException, InvalidCountException, ExpiredCursorException: When it cannot be used here.
        """
        return Cursors(self._secret).open(cursor, self._digest, count, CURSOR_SECONDS)

    def of(self, result: SearchResult, count: int) -> Iterator[tuple[str, str]]:
        """Yield the cursors of the pages before and after a result."""
        for name, position in (("previousCursor", result.previous), ("nextCursor", result.next)):
            if position is not None:
                yield name, Cursors(self._secret).seal(self._digest, count, position)


async def _shown(
    request: ScimRequest, schemas: Sequence[ResourceSchema], result: SearchResult, projection: Projection
) -> list[str]:
    references = await _references(request, result.documents, projection)
    shown = list(zip(result.documents, references, strict=True))
    return await shown_texts(shown, request, {schema.name: schema for schema in schemas}, projection)


async def _references(
    request: ScimRequest, documents: Sequence[StoredDocument], projection: Projection
) -> list[Mapping[str, Sequence[Member]]]:
    """Return the members of each group and the groups of each user, where the answer shows them.

    :raises TooManyMembersError: When the groups of the page have more than 20,000 members together.
    """
    if not projection.needs_members and (projection.is_default or not projection.needs_groups):
        return [{}] * len(documents)
    places, left = asyncio.Semaphore(_AT_ONCE), MAX_MEMBERS_SHOWN

    async def of(stored: StoredDocument) -> Mapping[str, Sequence[Member]]:
        nonlocal left
        async with places:
            if stored.name == "User":
                return await group_references(request, stored.id, projection)
            found = await member_references(request, stored.id, projection)
        left -= len(found.get("members", ()))
        if left < 0:
            raise TooManyMembersError
        return found

    return list(await asyncio.gather(*(of(stored) for stored in documents)))

"""A list of users or groups: a page of it, or what a search finds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scim.events.directory_reading import SEARCHED_ROWS
from scim.portal.visit import Visit
from scim.resources.directory_schemas import directory_schemas
from scim.resources.filter import parse_filter
from scim.resources.identifiers import ResourceName
from scim.resources.search import Search
from scim.resources.summary import LONGEST_TEXT, MembershipCount, Summary, summary_of

PAGE_SIZE = 25
MAX_SHOWN = 50
"""Of what a search finds, no more is shown: a longer text finds less."""
LONGEST_SEARCH = 500
_EXACT: Mapping[ResourceName, Sequence[str]] = {
    "User": ("userName", 'emails[type eq "work"].value', "externalId"),
    "Group": ("displayName", "externalId"),
}
"""Attributes by which a resource is found at any size, the likeliest first."""
LIMITS: Mapping[ResourceName, int] = {"User": SEARCHED_ROWS, "Group": SEARCHED_ROWS // 2}
"""Up to how many resources are searched for a part of a text; a group has two rows."""
_PAGE_NUMBER = re.compile(r"[1-9]\d{0,5}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, and what of it is shown."""

    found: Sequence[Summary]

    @property
    def shown(self) -> Sequence[Summary]:
        """As many as a page holds."""
        return self.found[:MAX_SHOWN]


@dataclass(frozen=True, slots=True)
class ShownList:
    """A list as its page shows it."""

    rows: Sequence[Summary]
    by_part: bool
    """Whether a search may be for a part of a text."""
    text: str = ""
    search: Found | None = None
    """Of a search, what it found."""
    memberships: Mapping[str, MembershipCount] = field(default_factory=dict)
    number: int = 1
    last: int = 1


async def shown_list(visit: Visit, name: ResourceName) -> ShownList:
    """Return the part of a list that a visit asks for. 2 storage requests; for a search at most 5."""
    standing, text = visit.standing, visit.web.query.get("q", "").strip()[:LONGEST_SEARCH]
    total = standing.users if name == "User" else standing.groups
    by_part = total <= LIMITS[name]
    if text:
        found = Found(await _find(visit, name, text))
        return ShownList(found.shown, by_part, text, found)
    last = max(1, -(-total // PAGE_SIZE))
    number = min(last, _page_number(visit.web.query.get("page", "")))
    page = await visit.reading.page(name, (number - 1) * PAGE_SIZE, PAGE_SIZE)
    return ShownList(page.summaries, by_part, memberships=page.memberships, number=number, last=last)


def _page_number(text: str) -> int:
    return int(text) if _PAGE_NUMBER.fullmatch(text) else 1


async def _find(visit: Visit, name: ResourceName, text: str) -> Sequence[Summary]:
    page = await visit.reading.find(name, text) if len(text) <= LONGEST_TEXT else None
    return await _find_whole(visit, name, text) if page is None else page.summaries


async def _find_whole(visit: Visit, name: ResourceName, text: str) -> Sequence[Summary]:
    """Return what has a text as one of the values that lookup rows lead to. At most 4 storage requests for one."""
    schemas = directory_schemas(visit.directory.attribute_mappings)
    schema = schemas.user if name == "User" else schemas.group
    for path in _EXACT[name]:
        node = parse_filter(f"{path} eq {json.dumps(text, ensure_ascii=False)}")
        found = await visit.store.search(Search([schema], node, count=MAX_SHOWN))
        if found.documents:
            return [summary_of(name, each.document(), each.last_modified) for each in found.documents]
    return []

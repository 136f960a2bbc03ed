"""What events say, beside what is there: they differ where a copy made during writes was put back.

Compared where a feed was put back, until a repair has told what its events do not say. Memory is in proportion to the
directory then.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Any, Final

from scim.adapters.tables import keys
from scim.adapters.tables.consistency.counts import RESOURCE_NAMES
from scim.adapters.tables.consistency.readable import has_readable_events, readable_document
from scim.adapters.tables.consistency.row_kind import kind_of
from scim.adapters.tables.generation import RENEWED, RETOLD
from scim.adapters.tables.outbox import read_events
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import Row
from scim.resources.values import parse_datetime

_CLOCKS: Final = timedelta(minutes=10)
"""How far events may be from the order of their times, where older ones were deleted."""
_EVENTS_PAGE: Final = 200
Pair = tuple[str, str]
"""A group and a member of it."""


@dataclass(frozen=True, slots=True)
class Word:
    """The last that events say of a resource."""

    is_there: bool
    digest: bytes
    """Of its document; empty where it was too large to be told."""
    document: Mapping[str, Any] | None
    """Of one that may be gone: kept where :class:`Story` is asked to."""


@dataclass(slots=True)
class Story:
    """What events say: of resources by id, and who is in which group."""

    resources: dict[str, Word] = field(default_factory=dict)
    members: dict[Pair, bool] = field(default_factory=dict)

    def take(self, event: Mapping[str, Any], wanted: frozenset[str] = frozenset()) -> None:
        """Take the next event.

        :param wanted: The resources whose documents are kept.
        """
        data, kind = event.get("data"), str(event["type"])
        if not isinstance(data, dict):
            return
        if "group_id" in data:
            member_id = data.get("user_id") or data.get("member_group_id")
            self.members[str(data["group_id"]), str(member_id)] = kind.endswith("_added")
            return
        document = data.get("resource")
        resource_id = str((document or data).get("id", ""))
        kept = document if resource_id in wanted else None
        self.resources[resource_id] = Word(not kind.endswith(".deleted"), digest_of(document), kept)


@dataclass(frozen=True, slots=True)
class Differences:
    """What events do not say, or say otherwise."""

    untold: list[str]
    """Resources that are there."""
    gone: list[str]
    """Resources that are not there, and of which they say that they are."""
    changed: list[str]
    joined: list[Pair]
    """Members that are in a group."""
    left: list[Pair]
    resources: int
    """How many there are."""

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self.untold) or bool(self.others)

    @property
    def others(self) -> int:
        """How many there are beside untold resources."""
        return len(self.gone) + len(self.changed) + len(self.joined) + len(self.left)

    def also_in(self, later: Differences) -> Differences:
        """Return those that a later look found, too."""
        return Differences(
            sorted({*self.untold} & {*later.untold}),
            sorted({*self.gone} & {*later.gone}),
            sorted({*self.changed} & {*later.changed}),
            sorted({*self.joined} & {*later.joined}),
            sorted({*self.left} & {*later.left}),
            later.resources,
        )


async def is_to_be_told(partition: Partition) -> bool:
    """Tell whether a feed was put back, and its events have not been compared with what came back."""
    head = await partition.read(keys.HEAD, select=(RENEWED, RETOLD))
    return head is not None and RENEWED in head.values and head.values[RENEWED] != head.values.get(RETOLD)


async def read_differences(partition: Partition) -> Differences:
    """Return how what events say differs from what is there; writes that go on meanwhile seem to differ.

    One storage request for each 1,000 rows of users, groups and members, and for each 200 events.
    """
    # Rows first: the event of each of them is in the outbox then, or was, and is in the feed.
    documents = {
        keys.last_id(row.key): digest_of(readable_document(name, row))
        for name in RESOURCE_NAMES
        async for row in partition.rows(keys.document_range(name))
        if kind_of(row.key) in ("user", "group")
    }
    members = {_pair(row) async for row in partition.rows(("m|", "m}"), select=("RowKey",))}
    return _differences(documents, members, await read_story(partition), await _begin(partition))


async def read_story(partition: Partition, wanted: frozenset[str] = frozenset()) -> Story:
    """Return what all events say that are kept or wait.

    :param wanted: The resources whose documents are kept.
    """
    outbox = [row async for row in partition.rows((keys.OUTBOX_FIRST, keys.OUTBOX_END), page_size=_EVENTS_PAGE)]
    story, waiting = Story(), {keys.last_id(row.key): row for row in outbox}
    async for row in partition.rows((keys.FEED_FIRST, keys.FEED_END), page_size=_EVENTS_PAGE):
        waiting.pop(str(row.values.get("operation")), None)
        _take_row(story, row, wanted)
    for row in waiting.values():
        _take_row(story, row, wanted)
    return story


def _take_row(story: Story, row: Row, wanted: frozenset[str]) -> None:
    for event in read_events(row) if has_readable_events(row) else ():
        story.take(event, wanted)


async def _begin(partition: Partition) -> str:
    """Return the part of ids of which the feed tells everything: those that were made behind it."""
    first = await partition.first_rows((keys.FEED_FIRST, keys.FEED_END), 1)
    time = parse_datetime(str(first.rows[0].values.get("time", ""))) if first.rows else None
    if time is None:
        return "~"
    if first.rows[0].key == keys.feed(1):
        return ""
    return f"{int((time + _CLOCKS).astimezone(UTC).timestamp() * 1000):012x}"


def _differences(documents: Mapping[str, bytes], members: set[Pair], story: Story, begin: str) -> Differences:
    told = {each for each, word in story.resources.items() if word.is_there}
    return Differences(
        untold=[each for each in sorted(documents.keys() - told) if each in story.resources or _made(each) > begin],
        gone=[each for each in story.resources if each in told and each not in documents],
        changed=[each for each in documents if each in told and _differ(documents[each], story.resources[each].digest)],
        joined=sorted(
            pair
            for pair in members
            if pair[0] in documents and not story.members.get(pair, max(map(_made, pair)) <= begin)
        ),
        left=[
            pair
            for pair, is_member in story.members.items()
            if is_member and pair[0] in documents and pair not in members
        ],
        resources=len(documents),
    )


def _differ(document: bytes, told: bytes) -> bool:
    """Tell whether two digests are of different documents, and both are known."""
    return document != told and b"" not in (document, told)


def digest_of(document: Mapping[str, Any] | None) -> bytes:
    """Return a digest of a document, empty for none."""
    if document is None:
        return b""
    return hashlib.blake2b(json.dumps(document, sort_keys=True).encode(), digest_size=16).digest()


def _pair(row: Row) -> Pair:
    _, group_id, member_id = row.key.split("|")
    return group_id, member_id


def _made(resource_id: str) -> str:
    """Return the part of an id that sorts as the time does when it was made."""
    return resource_id.partition("_")[2][:12]

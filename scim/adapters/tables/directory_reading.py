"""A directory as pages read it: small columns instead of documents, and nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from scim.adapters.tables import keys
from scim.adapters.tables.derived_rows import TableDerivedReader
from scim.adapters.tables.directory_index import DirectoryIndex, read_index
from scim.adapters.tables.feed import number_at, read_window
from scim.adapters.tables.memberships import read_member_page
from scim.adapters.tables.partition import Partition, in_parallel
from scim.adapters.tables.relay import relay
from scim.adapters.tables.summary_columns import COLUMNS, ROWS_EACH, summaries_in
from scim.adapters.tables.table import Row
from scim.directories.activity import ActivityStore, DirectoryActivity
from scim.directories.directory import Directory
from scim.directories.health import Standing
from scim.directories.token import Token
from scim.events.directory_reading import SEARCHED_ROWS
from scim.events.feed import CursorExpiredError, FeedCursor, FeedWindow
from scim.resources.comparison_key import comparison_key
from scim.resources.identifiers import ResourceName
from scim.resources.summary import MembershipCount, Summary, SummaryPage

_AT_ONCE = 1000


class TableDirectoryReading:
    """Implements ``DirectoryReading`` for one request."""

    def __init__(
        self, partition: Partition, directory: Directory, activity: DirectoryActivity, tokens: Sequence[Token]
    ) -> None:
        self.directory = directory
        self._partition = partition
        self.activity = activity
        self._tokens = tokens
        self._known_index: DirectoryIndex | None = None

    async def _index(self) -> DirectoryIndex:
        if self._known_index is None:
            self._known_index = await read_index(self._partition)
        return self._known_index

    async def standing(self) -> Standing:
        """Return all that the directory's health follows from. One storage request."""
        index = await self._index()
        counts = index.current_counts()
        return Standing(
            self.directory,
            self.activity,
            self._tokens,
            counts["users"],
            counts["active"],
            counts["groups"],
            index.waiting_since,
        )

    async def page(self, name: ResourceName, offset: int, count: int) -> SummaryPage:
        """Return a part of a list, in id order, with memberships counted. The index, and 2 requests at any depth."""
        pages = (await self._index()).current_map(name)
        if not 0 <= offset < pages.total:
            return SummaryPage([], pages.total)
        first_id, skipped = pages.locate(offset)
        first, end = keys.document_range(name)
        first = keys.document(first_id) if first_id else first
        listed = await self._summaries(name, (first, end), skipped + count)
        shown = listed[skipped : skipped + count]
        ids = [each.id for each in shown]
        counts = await (self._group_counts(ids) if name == "User" else self._member_counts(ids))
        return SummaryPage(shown, pages.total, counts)

    async def find(self, name: ResourceName, text: str) -> SummaryPage | None:
        """Return all that have a part of a text; None where there are too many to look at.

        One storage request for each 1,000 rows, of which users have one each and groups two: at most 5; and the index.
        """
        total = (await self._index()).current_map(name).total
        if total * ROWS_EACH[name] > SEARCHED_ROWS:
            return None
        key = comparison_key(text)
        listed = await self._summaries(name, keys.document_range(name), total)
        return SummaryPage([each for each in listed if each.holds(key)], total)

    async def named(self, name: ResourceName, ids: Sequence[str]) -> Mapping[str, Summary]:
        """Return the existing ones of some resources by id.

        One storage request where all lie close together; else one more for each that the first did not reach.
        """
        found: dict[str, Summary] = {}
        missing = sorted(ids)
        if len(missing) > 1:
            key_range = keys.document(missing[0]), keys.document_end(missing[-1])
            rows = await self._rows(key_range, _AT_ONCE)
            found = {each.id: each for each in summaries_in(name, rows)}
            reached = keys.last_id(rows[-1].key.removesuffix("|v")) if len(rows) == _AT_ONCE else f"{missing[-1]}~"
            missing = [each for each in missing if each not in found and each >= reached]
        alone = await in_parallel(missing, lambda each: self._one(name, each))
        found |= {each.id: each for each in alone if each is not None}
        return {each: found[each] for each in ids if each in found}

    async def events_before(self, place: FeedCursor | None, rows: int) -> FeedWindow:
        """Return events before a place, or the newest, out of so many feed rows; what waits is relayed first.

        A place of a feed that is no more leads to the newest.
        """
        if place is not None:
            with suppress(CursorExpiredError):
                return await read_window(self._partition, place, rows)
        if (await self._index()).outbox:
            await relay(self._partition)
            self._known_index = None
        return await read_window(self._partition, FeedCursor((await self._index()).number + 1), rows)

    async def place_at(self, moment: datetime) -> FeedCursor:
        """Return the place before which the events up to a time lie."""
        return FeedCursor(await number_at(self._partition, (await self._index()).number, moment) + 1)

    async def groups_of(self, user_id: str) -> Sequence[str]:
        """Return the ids of the groups that a user is in, at most 1,000; of those that are half-made, too."""
        return [keys.last_id(row.key) for row in await self._rows(keys.group_range_of(user_id), _AT_ONCE)]

    async def member_ids(self, group_id: str, after: str, limit: int) -> tuple[Sequence[str], str]:
        """Return ids of members behind one, and the id to go on behind, empty at the end."""
        members = await read_member_page(self._partition, group_id, after, limit + 1)
        ids = [member.id for member in members[:limit]]
        return ids, ids[-1] if len(members) > limit else ""

    async def _one(self, name: ResourceName, resource_id: str) -> Summary | None:
        rows = await self._rows((keys.document(resource_id), keys.document_end(resource_id)), ROWS_EACH[name])
        return next(iter(summaries_in(name, rows)), None)

    async def _summaries(self, name: ResourceName, key_range: tuple[str, str], count: int) -> list[Summary]:
        return summaries_in(name, await self._rows(key_range, count * ROWS_EACH[name]))

    async def _rows(self, key_range: tuple[str, str], count: int) -> list[Row]:
        rows: list[Row] = []
        continuation: Mapping[str, str] | None = None
        while len(rows) < count:
            limit = min(_AT_ONCE, count - len(rows))
            page = await self._partition.page(key_range, select=COLUMNS, limit=limit, continuation=continuation)
            rows += page.rows
            continuation = page.continuation
            if continuation is None:
                break
        return rows

    async def _member_counts(self, ids: Sequence[str]) -> Mapping[str, MembershipCount]:
        """Return how many members groups have, those that were counted by now."""
        counted = await TableDerivedReader(self._partition).member_counts(ids)
        return {group_id: MembershipCount(number, is_exact=True) for group_id, number in counted.items()}

    async def _group_counts(self, ids: Sequence[str]) -> Mapping[str, MembershipCount]:
        """Return how many groups users that follow each other are in, as far as 1,000 rows tell."""
        key_range = keys.group_range_of(ids[0])[0], keys.group_range_of(ids[-1])[1]
        page = await self._partition.page(key_range, select=("RowKey",), limit=_AT_ONCE)
        owners = [row.key.split("|")[1] for row in page.rows if row.key.count("|") > 1]
        counts, last = Counter(owners), owners[-1] if owners and page.continuation is not None else None
        counted = ids if page.continuation is None else [each for each in ids if last is not None and each <= last]
        return {each: MembershipCount(counts[each], is_exact=each != last) for each in counted}


@dataclass(frozen=True, slots=True)
class TableDirectoryReadings:
    """Implements ``DirectoryReadings``."""

    activity: ActivityStore
    partition_of: Callable[[Directory], Partition]
    described: Callable[[Directory, Mapping[str, datetime]], Sequence[Token]]
    """Gives what is told of a directory's tokens, with their uses."""
    now: Callable[[], datetime]

    async def open(self, directory_id: str) -> TableDirectoryReading | None:
        """Return what reads a directory, None where there is none of this id. One storage request."""
        found = await self.activity.with_directory(directory_id, self.now())
        return None if found is None else self._reading(*found)

    async def standing_of(self, directory: Directory) -> Standing:
        """Return all that the health of a directory just read follows from. 2 storage requests."""
        activity = await self.activity.activity(directory.id, self.now())
        return await self._reading(directory, activity).standing()

    def _reading(self, directory: Directory, activity: DirectoryActivity) -> TableDirectoryReading:
        tokens = self.described(directory, activity.uses)
        return TableDirectoryReading(self.partition_of(directory), directory, activity, tokens)

"""The service may answer a query with an empty page and where to continue: nothing is missing then."""

from __future__ import annotations

from scim.adapters.tables.feed import read_feed
from scim.events.feed import FeedCursor
from tests.directories import FilledDirectory
from tests.fakes.memory_table import MemoryTable


async def test_a_group_is_found_behind_an_empty_page() -> None:
    directory = FilledDirectory(MemoryTable(empty_pages=2))
    group = await directory.group("Team")
    assert await directory.store.read("Group", group.id) == group


async def test_a_group_is_found_when_its_rows_come_one_by_one() -> None:
    directory = FilledDirectory(MemoryTable(page_size=1))
    group = await directory.group("Team")
    assert await directory.store.read("Group", group.id) == group


async def test_the_feed_goes_on_behind_an_empty_page() -> None:
    directory = FilledDirectory(MemoryTable(empty_pages=2))
    for name in ("anna", "ben"):
        await directory.user(name)
    first = await read_feed(directory.partition, FeedCursor(), 1)
    second = await read_feed(directory.partition, first.events[0][0], 1)
    names = [page.events[0][1]["data"]["resource"]["userName"] for page in (first, second)]
    assert (names, first.has_more, second.has_more) == (["anna", "ben"], True, False)

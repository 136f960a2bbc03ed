"""Generations of feeds: a cursor is good in the feed whose numbers it has, and no page leaves anything out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scim.adapters.tables import keys
from scim.adapters.tables.consistency.check import check_directory
from scim.adapters.tables.consistency.repairs import repair_directory
from scim.adapters.tables.directory_index import read_index
from scim.adapters.tables.feed import RETENTION_DAYS, forget_old_events, read_feed, read_window
from scim.adapters.tables.feed_renewal import renew_feed
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import delete, merge, replace
from scim.composed_stores import DIRECTORIES_TABLE
from scim.events.feed import CursorExpiredError, FeedCursor
from scim.events.organization_feed import OrganizationCursor
from tests.api import ApiClient
from tests.fakes.memory_table import MemoryTable, Request
from tests.service import ScimClient

kinds = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])


async def places(partition: Partition, after: FeedCursor = FeedCursor(), limit: int = 100) -> list[FeedCursor]:  # noqa: B008 - frozen
    """Return the places of the events behind a cursor."""
    return [place for place, _ in (await read_feed(partition, after, limit)).events]


async def forget_head_columns(partition: Partition) -> None:
    """Leave a head as the service wrote it before there were generations."""
    head = await partition.read(keys.HEAD)
    assert head is not None
    old = {name: value for name, value in head.values.items() if name not in ("generation", "renewed")}
    await partition.commit([replace(keys.HEAD, old, head.etag)])


@kinds
async def test_every_cursor_names_the_generation_that_the_head_has_kept_since_it_began(scim: ScimClient) -> None:
    await scim.new_users(2)
    first = await places(scim.partition)
    await scim.new_users(2, "later")
    second = await places(scim.partition)

    head = await read_index(scim.partition)
    assert len(head.generation) == 8
    assert {each.generation for each in (*first, *second)} == {head.generation}


@kinds
async def test_a_cursor_of_another_generation_is_refused_although_its_number_is_there(scim: ScimClient) -> None:
    await scim.new_users(5)
    before = await places(scim.partition)
    await renew_feed(scim.partition)
    await scim.new_users(5, "later")

    for place in before:
        with pytest.raises(CursorExpiredError):
            await read_feed(scim.partition, place, 10)
    after = await places(scim.partition)
    assert [place.number for place in after] == list(range(1, 11))
    assert await places(scim.partition, after[3]) == after[4:]


async def test_a_feed_whose_head_was_lost_begins_another_generation(scim: ScimClient, rows: MemoryTable) -> None:
    await scim.new_users(3)
    (old, *_) = await places(scim.partition)
    stored = rows.rows(scim.directory.id)
    await scim.partition.commit([delete(key) for key in stored if key.startswith(("e", "f"))])
    await scim.new_users(3, "again")

    assert len(await places(scim.partition)) == 3
    with pytest.raises(CursorExpiredError):
        await read_feed(scim.partition, old, 10)


@kinds
async def test_cursors_and_heads_from_before_generations_go_on_until_the_generation_changes(scim: ScimClient) -> None:
    await scim.new_users(3)
    await scim.relay()
    await forget_head_columns(scim.partition)
    old = FeedCursor.decoded("2.0")
    assert old is not None

    assert [place.encoded() for place in await places(scim.partition, old)] == ["3.0"]
    await scim.new_user("anna")
    assert [place.encoded() for place in await places(scim.partition, old)] == ["3.0", "4.0"]
    assert await check_directory(scim.partition) == []
    await renew_feed(scim.partition)

    with pytest.raises(CursorExpiredError):
        await read_feed(scim.partition, old, 10)


async def test_a_cursor_of_a_feed_before_its_first_event_leads_to_all_of_them_and_to_no_later_feed(
    scim: ScimClient,
) -> None:
    empty = (await read_feed(scim.partition, FeedCursor(), 10)).end
    await scim.new_users(3)

    assert [place.number for place in await places(scim.partition, empty)] == [1, 2, 3]
    later = datetime.now(UTC) + timedelta(days=RETENTION_DAYS, minutes=1)
    assert await forget_old_events(scim.partition, now=later) == 3
    with pytest.raises(CursorExpiredError):
        await read_feed(scim.partition, empty, 10)
    await renew_feed(scim.partition)
    with pytest.raises(CursorExpiredError):
        await read_feed(scim.partition, empty, 10)


async def test_without_a_cursor_a_feed_whose_events_all_were_deleted_is_begun_at_its_end(scim: ScimClient) -> None:
    await scim.new_users(3)
    later = datetime.now(UTC) + timedelta(days=RETENTION_DAYS, minutes=1)
    await scim.relay()
    assert await forget_old_events(scim.partition, now=later) == 3

    page = await read_feed(scim.partition, FeedCursor(), 10)
    assert (list(page.events), page.has_more, page.end.number) == ([], False, 3)
    await scim.new_user("anna")
    assert [place.number for place in await places(scim.partition, page.end)] == [4]


async def test_a_repair_of_the_counts_keeps_the_generation(scim: ScimClient) -> None:
    await scim.new_users(3)
    (last, *_) = reversed(await places(scim.partition))
    await scim.partition.commit([merge(keys.HEAD, {"users": 77})])

    assert [each.kind for each in (await repair_directory(scim.partition)).mended] == ["wrong_count"]

    assert await places(scim.partition, last) == []
    assert (await read_index(scim.partition)).generation == last.generation


# -- Rows that vanish while they are read -------------------------------


@pytest.mark.parametrize("gone", [(1,), (4,), (2, 3), (3, 4, 5, 6)])
async def test_a_page_whose_rows_vanish_while_it_is_read_is_refused_and_no_gap(
    scim: ScimClient, rows: MemoryTable, gone: tuple[int, ...]
) -> None:
    await scim.new_users(8)
    before = (await read_feed(scim.partition, FeedCursor(), 100)).events
    after = FeedCursor(0, 0, before[0][0].generation)
    rows.page_size = 2
    _delete_while_read(scim, rows, gone)

    with pytest.raises(CursorExpiredError):
        await read_feed(scim.partition, after, 100)


async def test_what_is_read_without_a_cursor_begins_behind_what_vanished_meanwhile(
    scim: ScimClient, rows: MemoryTable
) -> None:
    await scim.new_users(8)
    await scim.relay()
    rows.page_size = 2
    _delete_while_read(scim, rows, (1, 2, 3, 4, 5))

    assert [place.number for place in await places(scim.partition)] == [6, 7, 8]


def _delete_while_read(scim: ScimClient, rows: MemoryTable, numbers: tuple[int, ...]) -> None:
    """Let the rows of these numbers be deleted once the first page of the feed was read."""

    def delete_now(request: Request) -> None:
        if request.operation == "query" and request.keys[1] == keys.FEED_END:
            rows.after = None
            for number in numbers:
                rows._partitions[scim.directory.id].pop(keys.feed(number), None)

    rows.after = delete_now


async def test_the_newest_first_end_where_older_ones_vanished_and_a_place_behind_all_is_refused(
    scim: ScimClient,
) -> None:
    await scim.new_users(8)
    await scim.relay()
    await scim.partition.commit([delete(keys.feed(number)) for number in (3, 4)])

    window = await read_window(scim.partition, FeedCursor(9), 8)

    assert ([place.number for place, _ in window.events], window.end) == ([8, 7, 6, 5], None)
    with pytest.raises(CursorExpiredError):
        await read_window(scim.partition, FeedCursor(12), 8)


async def test_the_portal_shows_the_newest_where_a_place_is_of_a_feed_that_is_no_more(scim: ScimClient) -> None:
    await scim.new_users(3)
    await scim.relay()
    reading = await scim.application.readings.open(scim.directory.id)
    assert reading is not None

    window = await reading.events_before(FeedCursor(40, 1), 50)

    assert [place.number for place, _ in window.events] == [3, 2, 1]


# -- Through the API ----------------------------------------------------


@kinds
async def test_a_cursor_of_another_generation_is_a_410_at_every_list_of_events(
    api: ApiClient, scim: ScimClient
) -> None:
    organization = scim.directory.organization_id
    paths = (f"directories/{scim.directory.id}/events", f"organizations/{organization}/events")
    await scim.new_users(5)
    cursors = [(await api.get(path, {"limit": "3"})).json["cursor"] for path in paths]
    assert [(await api.get(path, {"after": at})).status for path, at in zip(paths, cursors, strict=True)] == [200, 200]

    await renew_feed(scim.partition)
    await scim.new_users(5, "later")

    assert [(await api.get(path, {"after": at})).status for path, at in zip(paths, cursors, strict=True)] == [410, 410]
    assert [(await api.get(path)).status for path in paths] == [200, 200]


@kinds
async def test_a_directory_that_had_no_event_stands_in_the_cursor_of_its_organization_all_the_same(
    api: ApiClient, scim: ScimClient
) -> None:
    path = f"organizations/{scim.directory.organization_id}/events"
    cursor = (await api.get(path)).json["cursor"]
    await renew_feed(scim.partition)

    assert (await api.get(path, {"after": cursor})).status == 410


@kinds
async def test_an_organizations_own_feed_has_its_generation_in_every_row(api: ApiClient, scim: ScimClient) -> None:
    organization = scim.directory.organization_id
    path, one = f"organizations/{organization}/events", f"directories/{scim.directory.id}"
    cursor = (await api.get(path)).json["cursor"]
    await api.patch(one, {"name": "Second"})
    assert [event["type"] for event in (await api.get(path, {"after": cursor})).json["data"]] == ["directory.updated"]

    await api.application.organization_feed.renew(organization)
    refused = await api.get(path, {"after": cursor})
    renewed = await api.get(path)
    await api.patch(one, {"name": "Third"})
    new = await api.get(path, {"after": renewed.json["cursor"]})

    assert (refused.status, new.status) == (410, 200)
    assert [event["type"] for event in renewed.json["data"]] == ["directory.created", "directory.updated"]
    assert [event["type"] for event in new.json["data"]] == ["directory.updated"]
    table = api.application.account.table(DIRECTORIES_TABLE)
    page = await table.query(organization, keys.FEED_FIRST, keys.FEED_END)
    row = await table.read(organization, "o")
    assert row is not None
    assert {each.values["generation"] for each in page.rows} == {row.values["generation"]}


async def test_an_organizations_rows_that_vanish_while_they_are_read_are_a_410_and_no_gap(
    api: ApiClient, scim: ScimClient
) -> None:
    organization = scim.directory.organization_id
    path, table = f"organizations/{organization}/events", api.application.account.table(DIRECTORIES_TABLE)
    cursor = (await api.get(path)).json["cursor"]
    for name in ("Second", "Third", "Fourth"):
        await api.patch(f"directories/{scim.directory.id}", {"name": name})
    await table.commit(organization, [delete(keys.feed(3))])

    assert (await api.get(path, {"after": cursor})).status == 410
    assert [event["data"]["directory"]["name"] for event in (await api.get(path)).json["data"]] == ["Fourth"]


@kinds
async def test_a_feed_that_was_put_back_without_its_last_events_ends_with_the_last_one_there_is(
    api: ApiClient, scim: ScimClient
) -> None:
    organization = scim.directory.organization_id
    path, table = f"organizations/{organization}/events", api.application.account.table(DIRECTORIES_TABLE)
    await api.patch(f"directories/{scim.directory.id}", {"name": "Second"})
    await table.commit(organization, [delete(keys.feed(2))])
    feed = api.application.organization_feed

    await feed.renew(organization)
    first = await api.get(path)
    again = await api.get(path, {"after": first.json["cursor"]})

    assert ([event["type"] for event in first.json["data"]], again.status) == (["directory.created"], 200)
    marks = await table.query(organization, "told|", "told}")
    assert len(marks.rows) == 1


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("3,", "3,"),
        (f"3,{'a' * 32},{'b' * 32}=4.0", f"3,{'a' * 32},{'b' * 32}=4.0"),
        (f"3@0a1b,,{'b' * 32}=4.2@c3d4", f"3@0a1b,,{'b' * 32}=4.2@c3d4"),
    ],
)
def test_cursors_of_organizations_with_and_without_generations_are_read(text: str, again: str) -> None:
    cursor = OrganizationCursor.decoded(text)
    assert cursor is not None
    assert cursor.encoded() == again


@pytest.mark.parametrize("text", ["3@", "3@A", "3@!", "3.0@x y", f"3,,{'b' * 32}=4.0@", f"3,,{'b' * 32}="])
def test_made_up_generations_are_refused(text: str) -> None:
    assert OrganizationCursor.decoded(text) is None


async def test_events_of_the_api_come_with_their_place_and_its_generation(scim: ScimClient) -> None:
    user: dict[str, Any] = await scim.new_user("anna")
    await scim.patch(f"/Users/{user['id']}", {"op": "replace", "value": {"title": "Boss", "active": False}})

    page = await read_feed(scim.partition, FeedCursor(), 10)

    generation = (await read_index(scim.partition)).generation
    listed = [place.encoded() for place, _ in page.events]
    assert listed == [f"{place}@{generation}" for place in ("1.0", "2.1", "2.0")]
    assert page.end.encoded() == f"2.0@{generation}"


async def test_an_event_that_is_told_while_a_feed_is_renewed_keeps_its_number(api: ApiClient, scim: ScimClient) -> None:
    organization = scim.directory.organization_id
    one, table = f"directories/{scim.directory.id}", api.application.account.table(DIRECTORIES_TABLE)
    assert isinstance(table, MemoryTable)
    tellings = iter([api.patch(one, {"name": "Meanwhile"})])
    commit = table.commit

    async def overtaken(partition: str, writes: Any) -> list[str]:
        if partition == organization and writes[0].key == "o" and "renewed" in writes[0].values:
            for telling in tellings:
                assert (await telling).status == 200
        return await commit(partition, writes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(table), "commit", lambda _, partition, writes: overtaken(partition, writes))
        await api.application.organization_feed.renew(organization)

    await api.patch(one, {"name": "Later"})
    events = (await api.get(f"organizations/{organization}/events")).json["data"]
    assert [event["type"] for event in events] == ["directory.created", "directory.updated", "directory.updated"]

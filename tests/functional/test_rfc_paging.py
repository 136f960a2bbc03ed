"""Pages by index (RFC 7644 §3.4.2.4) and by cursor (RFC 9865)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import pytest

from tests.service import SEARCH_URN, Answer, ScimClient

SEARCHES: Sequence[Mapping[str, str]] = [
    {},
    {"filter": 'userName co "0"'},
    {"sortBy": "userName", "sortOrder": "descending"},
    {"filter": 'userName co "0"', "sortBy": "title"},
]


async def page(scim: ScimClient, cursor: str, **query: str) -> Answer:
    answer = await scim.get("/Users", {"count": "3", **query, "cursor": cursor})
    assert answer.status == 200, answer.json
    return answer


async def walk(
    scim: ScimClient, query: Mapping[str, str], link: str = "nextCursor", start: Answer | None = None
) -> list[Answer]:
    """Return the pages behind a page, or all of them, following one kind of link."""
    pages = [start or await page(scim, "", **query)]
    while link in pages[-1].json:
        pages.append(await page(scim, pages[-1].json[link], **query))
    return pages[1:] if start else pages


def ids(pages: Sequence[Answer]) -> list[str]:
    return [resource_id for answer in pages for resource_id in answer.ids]


@pytest.mark.parametrize("query", SEARCHES)
async def test_cursors_lead_through_every_resource_once_and_back(scim: ScimClient, query: dict[str, str]) -> None:
    await scim.new_users(11)
    expected = (await scim.get("/Users", query)).ids

    forwards = await walk(scim, query)
    backwards = await walk(scim, query, "previousCursor", forwards[-1])

    assert ids(forwards) == expected
    assert [len(answer.resources) for answer in forwards] == [3, 3, 3, 2]
    assert "previousCursor" not in forwards[0].json
    assert [answer.ids for answer in backwards] == [answer.ids for answer in forwards[-2::-1]]
    assert {answer.json.get("totalResults", 11) for answer in forwards} == {11}
    assert all("startIndex" not in answer.json for answer in forwards)


@pytest.mark.parametrize("query", SEARCHES)
async def test_pages_by_cursor_stay_stable_under_insertions_and_deletions(
    scim: ScimClient, query: dict[str, str]
) -> None:
    await scim.new_users(11)
    expected = (await scim.get("/Users", query)).ids
    first = await page(scim, "", **query)

    await scim.delete(f"/Users/{first.ids[-1]}")
    await scim.delete(f"/Users/{expected[5]}")
    await scim.new_users(2, prefix="zz0")
    await scim.new_users(2, prefix="aa0")
    rest = await walk(scim, query, "nextCursor", first)

    walked = [resource_id for resource_id in ids([first, *rest]) if resource_id in expected]
    assert walked == [resource_id for resource_id in expected if resource_id != expected[5]]
    assert len(set(ids(rest))) == len(ids(rest))


async def test_the_page_before_does_not_move_when_the_page_changes(scim: ScimClient) -> None:
    await scim.new_users(9)
    first, second = (await walk(scim, {}))[:2]

    await scim.delete(f"/Users/{second.ids[0]}")
    before = await page(scim, second.json["previousCursor"])

    assert before.ids == first.ids
    assert "previousCursor" not in before.json


async def test_users_and_groups_are_paged_as_one_collection_at_the_root(scim: ScimClient) -> None:
    users = await scim.new_users(4)
    groups = sorted([(await scim.new_group(f"Team {number}"))["id"] for number in range(3)])
    found, links, cursor = list[str](), list[str](), ""
    while cursor is not None:
        answer = await scim.get("", {"cursor": cursor, "count": "2"})
        found += answer.ids
        links += [link for link in ("previousCursor", "nextCursor") if link in answer.json]
        cursor = answer.json.get("nextCursor")
    by_index = await scim.get("", {"startIndex": "3", "count": "3"})

    assert found == [*groups, *users]
    assert links == ["nextCursor", *["previousCursor", "nextCursor"] * 2, "previousCursor"]
    assert (by_index.ids, by_index.json["totalResults"]) == (found[2:5], 7)


async def test_a_search_by_body_pages_by_cursor(scim: ScimClient) -> None:
    created = await scim.new_users(3)
    body = {"schemas": [SEARCH_URN], "cursor": "", "count": 2}

    first = await scim.post("/Users/.search", body)
    second = await scim.post("/Users/.search", {**body, "cursor": first.json["nextCursor"]})

    assert [first.ids, second.ids] == [created[:2], created[2:]]


async def test_a_count_of_zero_gives_no_resource_and_no_cursor(scim: ScimClient) -> None:
    await scim.new_users(3)

    by_index, by_cursor = await scim.get("/Users", {"count": "0"}), await page(scim, "", count="0")

    assert (by_index.json["totalResults"], by_index.resources) == (3, [])
    assert (by_cursor.resources, by_cursor.json.get("nextCursor")) == ([], None)


@pytest.mark.parametrize(
    ("change", "scim_type"),
    [
        ({"filter": "userName pr"}, "invalidCursor"),
        ({"sortBy": "userName"}, "invalidCursor"),
        ({"count": "4"}, "invalidCount"),
        ({"cursor": "AAAA"}, "invalidCursor"),
        ({"cursor": "é"}, "invalidCursor"),
        ({"startIndex": "1"}, "invalidValue"),
    ],
)
async def test_a_cursor_is_good_for_the_search_that_gave_it_only(
    scim: ScimClient, change: Mapping[str, str], scim_type: str
) -> None:
    await scim.new_users(5)
    cursor = (await page(scim, "")).json["nextCursor"]

    answer = await scim.get("/Users", {"cursor": cursor, "count": "3", **change})

    assert (answer.status, answer.json["scimType"]) == (400, scim_type)


async def test_a_cursor_is_not_good_for_another_resource_type_or_when_altered(scim: ScimClient) -> None:
    await scim.new_users(5)
    cursor = (await page(scim, "")).json["nextCursor"]
    altered = cursor[:-3] + ("A" if cursor[-3] != "A" else "B") + cursor[-2:]

    for path, sent in (("/Groups", cursor), ("", cursor), ("/Users", altered)):
        answer = await scim.get(path, {"cursor": sent, "count": "3"})
        assert (answer.status, answer.json["scimType"]) == (400, "invalidCursor")


async def test_a_cursor_expires_as_announced(scim: ScimClient, monkeypatch: pytest.MonkeyPatch) -> None:
    await scim.new_users(5)
    cursor = (await page(scim, "")).json["nextCursor"]
    announced = (await scim.get("/ServiceProviderConfig")).json["pagination"]["cursorTimeout"]
    now = time.time()

    monkeypatch.setattr("scim2_server.cursor.time.time", lambda: now + announced - 2)
    assert (await page(scim, cursor)).status == 200
    monkeypatch.setattr("scim2_server.cursor.time.time", lambda: now + announced + 2)
    answer = await scim.get("/Users", {"cursor": cursor, "count": "3"})

    assert (answer.status, answer.json["scimType"]) == (400, "expiredCursor")


@pytest.mark.parametrize(
    ("query", "start", "size"),
    [
        ({}, 1, 7),
        ({"startIndex": "-5", "count": "3"}, 1, 3),
        ({"startIndex": "0", "count": "-1"}, 1, 0),
        ({"startIndex": "6", "count": "5"}, 6, 2),
        ({"startIndex": "8"}, 8, 0),
        ({"startIndex": "999999999999999999999999"}, 2**53, 0),
        ({"count": "999999999999999999999999"}, 1, 7),
    ],
)
async def test_pages_by_index_are_numbered_from_one(
    scim: ScimClient, query: Mapping[str, str], start: int, size: int
) -> None:
    created = await scim.new_users(7)

    for text in ({}, {"filter": "userName pr"}):
        answer = await scim.get("/Users", {**query, **text})

        assert (answer.json["startIndex"], answer.json["itemsPerPage"], answer.json["totalResults"]) == (start, size, 7)
        assert answer.ids == created[start - 1 : start - 1 + size]


async def test_a_page_holds_as_many_as_announced_at_most(scim: ScimClient) -> None:
    await scim.new_users(203)
    announced = (await scim.get("/ServiceProviderConfig")).json

    sizes = [
        (await scim.get("/Users", query)).json["itemsPerPage"] for query in ({}, {"count": "1000"}, {"cursor": ""})
    ]

    pagination = announced["pagination"]
    assert sizes == [pagination["defaultPageSize"], pagination["maxPageSize"], pagination["defaultPageSize"]]
    assert announced["filter"]["maxResults"] == pagination["maxPageSize"]


@pytest.mark.parametrize("query", [{"count": "many"}, {"startIndex": "1.5"}, {"startIndex": "one"}])
async def test_what_is_no_number_is_refused(scim: ScimClient, query: Mapping[str, str]) -> None:
    answer = await scim.get("/Users", query)

    assert (answer.status, answer.json["scimType"]) == (400, "invalidValue")


async def test_the_total_is_exact_before_and_after_the_relay(scim: ScimClient) -> None:
    created = await scim.new_users(5)
    await scim.delete(f"/Users/{created.pop(1)}")
    before = await scim.get("/Users", {"startIndex": "2"})
    await scim.relay()
    after = await scim.get("/Users", {"startIndex": "2"})
    await scim.delete(f"/Users/{created.pop()}")
    last = await scim.get("/Users")

    assert (
        (before.json["totalResults"], before.ids)
        == (after.json["totalResults"], after.ids)
        == (4, [*created[1:], *before.ids[-1:]])
    )
    assert (last.json["totalResults"], last.ids) == (3, created)

"""Searches that no lookup row answers: bounded for one request, complete by cursor (docs/storage.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from scim.adapters.tables.walks import ScanBudget
from tests.service import Answer, ScimClient, add_members

READ_AT_ONCE = 7


@pytest.fixture(autouse=True)
def small_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one request read only a few rows."""
    monkeypatch.setattr("scim.adapters.tables.search.ScanBudget", lambda: ScanBudget(rows=READ_AT_ONCE))


async def walk(scim: ScimClient, link: str, cursor: str, **query: str) -> list[Answer]:
    pages = []
    while True:
        answer = await scim.get("/Users", {"count": "5", **query, "cursor": cursor})
        assert answer.status == 200, answer.json
        pages.append(answer)
        if link not in answer.json:
            return pages
        cursor = answer.json[link]


def ids(pages: list[Answer]) -> list[str]:
    return [resource_id for answer in pages for resource_id in answer.ids]


@pytest.mark.parametrize(
    "query",
    [
        {"filter": "title pr"},
        {"filter": 'title eq "Boss"', "startIndex": "2"},
        {"sortBy": "userName"},
        {"sortBy": "userName", "cursor": ""},
        {"filter": 'not (userName eq "user00001")'},
    ],
)
async def test_what_reads_too_much_for_one_answer_says_what_is_matched_quickly(
    scim: ScimClient, query: Mapping[str, str]
) -> None:
    await scim.new_users(READ_AT_ONCE + 1)

    answer = await scim.get("/Users", query)

    assert (answer.status, answer.json["scimType"]) == (400, "tooMany")
    for quick in ("userName", "externalId", 'emails[type eq "work"].value', "displayName", "cursor"):
        assert quick in answer.json["detail"]


async def test_few_resources_are_searched_in_any_way(scim: ScimClient) -> None:
    created = await scim.new_users(READ_AT_ONCE - 1)

    assert await scim.find("not (title pr)") == created
    assert sorted((await scim.get("/Users", {"sortBy": "userName"})).ids) == created


async def test_a_lookup_and_anything_reads_only_what_is_found(scim: ScimClient) -> None:
    await scim.new_users(20)

    for text in ('userName eq "user00003" and not (title pr)', 'active ne false and userName eq "user00003"'):
        assert len(await scim.find(text)) == 1


async def test_by_cursor_a_search_gives_short_pages_and_goes_on(scim: ScimClient) -> None:
    created = await scim.new_users(40)
    matching = {created[3], created[4], created[18], created[39]}
    for resource_id in matching:
        await scim.patch(f"/Users/{resource_id}", {"op": "replace", "path": "title", "value": "Boss"})

    forwards = await walk(scim, "nextCursor", "", filter='title eq "boss"')

    assert ids(forwards) == sorted(matching)
    assert all("totalResults" not in answer.json for answer in forwards)
    assert max(answer.storage_requests for answer in forwards) <= 2


async def test_a_search_by_cursor_goes_back_the_same_way(scim: ScimClient) -> None:
    created = await scim.new_users(40)
    for resource_id in created[::3]:
        await scim.patch(f"/Users/{resource_id}", {"op": "replace", "path": "title", "value": "Boss"})
    forwards = await walk(scim, "nextCursor", "", filter="title pr")
    last = next(answer for answer in reversed(forwards) if answer.ids)

    backwards = await walk(scim, "previousCursor", last.json["previousCursor"], filter="title pr")

    seen = ids(backwards)
    assert sorted(seen) == created[::3][: len(seen)]
    assert seen + last.ids == [*seen, *created[::3][len(seen) :]]


async def test_a_membership_of_very_many_is_answered_by_cursor(
    scim: ScimClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scim.adapters.tables.lookups.MAX_CANDIDATES", 10)
    created = await scim.new_users(20)
    group_id = (await scim.new_group("Team", created[:15]))["id"]
    await scim.patch(f"/Groups/{group_id}", add_members(created[19]))
    text = f'groups eq "{group_id}"'

    refused = await scim.get("/Users", {"filter": text})
    first, *others = await walk(scim, "nextCursor", "", filter=text)
    monkeypatch.undo()
    others_by_lookup = await walk(scim, "nextCursor", first.json["nextCursor"], filter=text)

    assert (refused.status, refused.json["scimType"]) == (400, "tooMany")
    assert ids([first, *others]) == ids([first, *others_by_lookup]) == [*created[:15], created[19]]


async def test_a_long_search_lets_other_requests_have_their_turn(
    scim: ScimClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scim.new_users(64)
    monkeypatch.setattr("scim.adapters.tables.search.ScanBudget", ScanBudget)
    turns, others_wait = 0, True

    async def other() -> None:
        nonlocal turns
        while others_wait:
            turns += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(other())
    assert await scim.find("title pr") == []
    others_wait = False
    await waiting

    assert turns >= 64 // 16

"""Costs that do not grow with a directory, counted in storage requests."""

from __future__ import annotations

from typing import Any

import pytest

from scim.adapters.tables.consistency.check import check_directory
from tests.large.conftest import LargeDirectory
from tests.service import Answer, add_members, remove_members

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


async def test_a_page_costs_the_same_at_any_depth_and_the_total_counts_own_writes(large: LargeDirectory) -> None:
    scim, total = large.scim, large.users
    for start in (1, total // 2, total - 99):
        page = await scim.get("/Users", {"startIndex": str(start), "count": "100"})
        assert (page.json["totalResults"], len(page.ids)) == (total, 100)
        assert page.storage_requests <= 4
    new = await scim.new_user("own.write@large.example")
    last = await scim.get("/Users", {"startIndex": str(total + 1), "count": "100"})
    assert (last.json["totalResults"], last.ids) == (total + 1, [new["id"]])
    assert (await scim.delete(f"/Users/{new['id']}")).status == 204
    assert (await scim.get("/Users", {"count": "1"})).json["totalResults"] == total


async def test_pages_by_index_give_every_user_once(large: LargeDirectory) -> None:
    seen: list[str] = []
    for start in range(1, large.users + 1, 200):
        page = await large.scim.get("/Users", {"startIndex": str(start), "count": "200", "attributes": "id"})
        assert page.storage_requests <= 4
        seen += page.ids
    assert len(seen) == len(set(seen)) == large.users


async def test_a_cursor_goes_on_at_the_same_cost(large: LargeDirectory) -> None:
    page = await large.scim.get("/Users", {"cursor": "", "count": "200", "attributes": "id"})
    seen = page.ids
    for _ in range(20):
        page = await large.scim.get("/Users", {"cursor": page.json["nextCursor"], "count": "200", "attributes": "id"})
        assert page.storage_requests <= 2
        seen += page.ids
    back = await large.scim.get("/Users", {"cursor": page.json["previousCursor"], "count": "200", "attributes": "id"})
    assert back.storage_requests <= 2
    assert back.ids == seen[-400:-200]


async def member_costs(large: LargeDirectory, group_id: str, member: str) -> dict[str, int]:
    """Return what each kind of change of a group costs; the group is as it was afterwards."""
    scim, path = large.scim, f"/Groups/{group_id}"
    answers: dict[str, Answer] = {
        "read": await scim.get(path, {"excludedAttributes": "members"}),
        "remove": await scim.patch(path, remove_members(member)),
        "add": await scim.patch(path, add_members(member)),
        "add again": await scim.patch(path, add_members(member)),
        "is member": await scim.get(
            "/Groups", {"filter": f'id eq "{group_id}" and members eq "{member}"'} | {"attributes": "id"}
        ),
        "rename": await scim.patch(path, {"op": "Replace", "path": "displayName", "value": f"Renamed {group_id}"}),
    }
    assert all(answer.status in (200, 204) for answer in answers.values())
    assert answers["is member"].json["totalResults"] == 1
    return {name: answer.storage_requests for name, answer in answers.items()}


async def test_changing_a_group_costs_the_same_at_any_size(large: LargeDirectory) -> None:
    first = (await large.scim.get("/Users", {"count": "1"})).ids[0]
    costs = {size: await member_costs(large, group_id, first) for size, group_id in large.groups.items()}
    smallest, *others = costs.values()
    assert all(other == smallest for other in others), costs
    assert (smallest["add"], smallest["remove"], smallest["rename"]) == (1, 1, 2)


async def test_a_filter_without_lookup_is_refused_by_index_and_answered_in_parts_by_cursor(
    large: LargeDirectory,
) -> None:
    query: dict[str, Any] = {"filter": 'nickName eq "nobody has it"', "count": "10"}
    refused = await large.scim.get("/Users", query)
    assert (refused.status, refused.json["scimType"]) == (400, "tooMany")
    assert "userName" in refused.json["detail"]
    page, pages = await large.scim.get("/Users", query | {"cursor": ""}), 1
    while "nextCursor" in page.json:
        assert page.ids == []
        page, pages = await large.scim.get("/Users", query | {"cursor": page.json["nextCursor"]}), pages + 1
    assert large.users // 10_000 <= pages <= large.users // 500


async def test_sorting_all_users_is_refused_with_what_to_do(large: LargeDirectory) -> None:
    refused = await large.scim.get("/Users", {"sortBy": "displayName"})
    assert (refused.status, refused.json["scimType"]) == (400, "tooMany")


async def test_all_members_of_the_largest_group_fit_an_answer_or_are_refused(large: LargeDirectory) -> None:
    answer = await large.scim.get(f"/Groups/{large.groups[large.users]}")
    if large.users <= 20_000:
        assert len(answer.json["members"]) == large.users
    else:
        assert answer.json["scimType"] == "tooMany"
        assert "excludedAttributes=members" in answer.json["detail"]


async def test_deleting_a_group_costs_the_same_at_any_size_and_frees_its_name(large: LargeDirectory) -> None:
    scim, costs = large.scim, set()
    for size in (10, large.users):
        group_id = large.groups[size]
        name = (await scim.get(f"/Groups/{group_id}", {"excludedAttributes": "members"})).json["displayName"]
        deleted = await scim.delete(f"/Groups/{group_id}")
        assert deleted.status == 204
        costs.add(deleted.storage_requests)
        await scim.delete(f"/Groups/{(await scim.new_group(name))['id']}")
    assert costs == {2}
    await scim.relay()
    assert await check_directory(scim.partition) == []

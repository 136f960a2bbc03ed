"""The storage requests of each SCIM operation when warm, counted where they leave the process (docs/storage.md)."""

from __future__ import annotations

import pytest

from tests.service import ScimClient, add_members, group, remove_members, user

pytestmark = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])

WITHOUT_MEMBERS = {"excludedAttributes": "members"}


async def test_authentication_of_a_known_directory_and_token_costs_nothing(scim: ScimClient) -> None:
    assert (await scim.get("/Schemas")).storage_requests == 0


async def test_reading_by_id_costs_one_request(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna"))["id"]
    group_id = (await scim.new_group("Team", [user_id]))["id"]

    assert (await scim.get(f"/Users/{user_id}")).storage_requests == 1
    assert (await scim.get(f"/Groups/{group_id}", WITHOUT_MEMBERS)).storage_requests == 1


@pytest.mark.parametrize(
    ("text", "miss"),
    [
        ('userName eq "ANNA"', 'userName eq "nobody"'),
        ('externalId eq "e1"', 'externalId eq "E1"'),
        ('emails[type eq "work"].value eq "anna@example.com"', 'emails[type eq "work"].value eq "no@example.com"'),
        ('userName eq "anna" and active eq true', 'userName eq "nobody" and active eq true'),
    ],
)
async def test_a_matching_query_for_a_user_costs_one_request_and_one_more_for_a_hit(
    scim: ScimClient, text: str, miss: str
) -> None:
    await scim.new_user("anna", externalId="e1", active=True, emails=[{"type": "work", "value": "anna@example.com"}])

    missed, hit = await scim.get("/Users", {"filter": miss}), await scim.get("/Users", {"filter": text})

    assert (missed.json["totalResults"], hit.json["totalResults"]) == (0, 1)
    assert (missed.storage_requests, hit.storage_requests) == (1, 2)


@pytest.mark.parametrize(
    ("text", "miss"),
    [('displayName eq "TEAM"', 'displayName eq "none"'), ('externalId eq "e1"', 'externalId eq "e2"')],
)
async def test_a_matching_query_for_a_group_costs_one_request_and_one_more_for_a_hit(
    scim: ScimClient, text: str, miss: str
) -> None:
    await scim.new_group("Team", externalId="e1")

    missed = await scim.get("/Groups", {"filter": miss, **WITHOUT_MEMBERS})
    hit = await scim.get("/Groups", {"filter": text, **WITHOUT_MEMBERS})

    assert (missed.json["totalResults"], hit.json["totalResults"]) == (0, 1)
    assert (missed.storage_requests, hit.storage_requests) == (1, 2)


async def test_creating_a_user_or_a_group_costs_one_request(scim: ScimClient) -> None:
    members = await scim.new_users(30)

    assert (await scim.post("/Users", user("anna", externalId="e1"))).storage_requests == 1
    assert (await scim.post("/Groups", group("Team"))).storage_requests == 1
    assert (await scim.post("/Groups", group("Large team", members))).storage_requests == 1


async def test_changing_a_user_costs_two_requests(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna"))["id"]
    path = f"/Users/{user_id}"

    assert (await scim.patch(path, {"op": "Replace", "path": "active", "value": "False"})).storage_requests == 2
    assert (await scim.patch(path, {"op": "replace", "path": "userName", "value": "bea"})).storage_requests == 2
    assert (await scim.put(path, user("carla"))).storage_requests == 2


async def test_changing_a_group_itself_costs_two_requests_whatever_its_size(scim: ScimClient) -> None:
    group_id = (await scim.new_group("Team", await scim.new_users(40)))["id"]

    renamed = await scim.patch(f"/Groups/{group_id}", {"op": "Replace", "path": "displayName", "value": "Crew"})

    assert (renamed.status, renamed.storage_requests) == (204, 2)


@pytest.mark.parametrize("number", [1, 30])
async def test_adding_and_removing_up_to_30_members_costs_one_request(scim: ScimClient, number: int) -> None:
    members = await scim.new_users(number)
    group_id = (await scim.new_group("Team"))["id"]

    added = await scim.patch(f"/Groups/{group_id}", add_members(*members))
    removed = await scim.patch(f"/Groups/{group_id}", remove_members(*members))

    assert (added.status, added.storage_requests) == (204, 1)
    assert (removed.status, removed.storage_requests) == (204, 1)


async def test_adding_100_members_costs_five_requests_and_removing_them_four(scim: ScimClient) -> None:
    """One proves that all of them exist, then one for each 30."""
    members = await scim.new_users(100)
    group_id = (await scim.new_group("Team"))["id"]

    added = await scim.patch(f"/Groups/{group_id}", add_members(*members))
    removed = await scim.patch(f"/Groups/{group_id}", remove_members(*members))

    assert (added.status, added.storage_requests) == (204, 5)
    assert (removed.status, removed.storage_requests) == (204, 4)


@pytest.mark.parametrize("number", [1, 14, 30])
async def test_members_already_there_or_gone_are_looked_up_one_by_one(scim: ScimClient, number: int) -> None:
    """One transaction that is refused, the version and each member (docs/decisions/0004), one that writes the rest."""
    members = await scim.new_users(number + 1)
    path = f"/Groups/{(await scim.new_group('Team', members[:1]))['id']}"

    repeated = await scim.patch(path, add_members(members[0]))
    partly = await scim.patch(path, add_members(*members[:number]))
    await scim.patch(path, remove_members(*members))
    gone = await scim.patch(path, remove_members(*members[:number]))

    assert (repeated.status, repeated.storage_requests) == (204, 1 + 2)
    assert (partly.status, partly.storage_requests) == (204, 1 + (number + 1) + (1 if number > 1 else 0))
    assert (gone.status, gone.storage_requests) == (204, 1 + (number + 1))


async def test_adding_members_with_a_condition_or_an_answer_costs_one_request_more(scim: ScimClient) -> None:
    first, second, third = await scim.new_users(3)
    created = await scim.new_group("Team")
    path = f"/Groups/{created['id']}"

    guarded = await scim.patch(path, add_members(first), if_match=created["meta"]["version"])
    answered = await scim.patch(path, add_members(second), query={"attributes": "displayName"})
    without = await scim.patch(path, add_members(third), query=WITHOUT_MEMBERS)

    assert (guarded.status, guarded.storage_requests) == (204, 2)
    assert (answered.status, answered.storage_requests) == (200, 2)
    assert (without.status, without.storage_requests) == (200, 2)


async def test_a_reference_check_of_a_member_costs_two_requests_at_most(scim: ScimClient) -> None:
    members = await scim.new_users(2)
    group_id = (await scim.new_group("Team", members[:1]))["id"]

    for member, expected in zip(members, (1, 0), strict=True):
        text = f'id eq "{group_id}" and members eq "{member}"'
        checked = await scim.get("/Groups", {"filter": text, "attributes": "id"})

        assert (checked.json["totalResults"], checked.storage_requests) == (expected, 2)


async def test_a_reference_check_of_a_manager_costs_one_request(scim: ScimClient) -> None:
    manager = (await scim.new_user("boss"))["id"]
    user_id = (await scim.new_user("anna"))["id"]
    await scim.patch(f"/Users/{user_id}", {"op": "Add", "path": "manager", "value": manager})

    text = f'id eq "{user_id}" and manager eq "{manager}"'
    checked = await scim.get("/Users", {"filter": text, "attributes": "id"})

    assert (checked.json["totalResults"], checked.storage_requests) == (1, 1)


async def test_deleting_a_user_in_no_group_costs_three_requests_at_most(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna"))["id"]

    deleted = await scim.delete(f"/Users/{user_id}")

    assert deleted.status == 204
    assert deleted.storage_requests <= 3


async def test_deleting_a_group_costs_two_requests_whatever_its_size(scim: ScimClient) -> None:
    group_id = (await scim.new_group("Team", await scim.new_users(40)))["id"]

    deleted = await scim.delete(f"/Groups/{group_id}")

    assert (deleted.status, deleted.storage_requests) == (204, 2)


@pytest.fixture
async def listed(scim: ScimClient, storage_kind: str) -> list[str]:
    """The ids of many users, in order; on Azurite, which needs a while for each, of fewer."""
    ids = await scim.new_users(1300 if storage_kind == "memory" else 60)
    await scim.relay()
    return ids


async def test_a_page_by_index_costs_four_requests_at_most_at_any_depth(scim: ScimClient, listed: list[str]) -> None:
    number = len(listed)
    for start in (1, number // 2, number - 20, number + 1):
        page = await scim.get("/Users", {"startIndex": str(start), "count": "50"})

        assert page.ids == listed[start - 1 : start + 49]
        assert page.json["totalResults"] == number
        assert page.storage_requests <= 4


async def test_a_page_by_cursor_costs_two_requests_at_most_forwards_and_backwards(
    scim: ScimClient, listed: list[str]
) -> None:
    pages = [await scim.get("/Users", {"cursor": "", "count": "200"})]
    while "nextCursor" in pages[-1].json:
        pages.append(await scim.get("/Users", {"cursor": pages[-1].json["nextCursor"], "count": "200"}))
    forwards = [page.ids for page in pages]
    while "previousCursor" in pages[-1].json:
        pages.append(await scim.get("/Users", {"cursor": pages[-1].json["previousCursor"], "count": "200"}))

    assert [resource_id for ids in forwards for resource_id in ids] == listed
    assert [page.ids for page in pages[len(forwards) :]] == forwards[-2::-1]
    assert max(page.storage_requests for page in pages) <= 2

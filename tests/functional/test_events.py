"""The events that changes make, as the feed gives them (docs/events.md)."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from scim.adapters.tables import large_groups
from scim.adapters.tables.feed import read_feed
from scim.events.feed import FeedCursor
from scim.resources.errors import StorageUnavailableError
from scim.resources.schema import ENTERPRISE_URN
from tests.fakes.memory_table import MemoryTable, Request
from tests.service import ScimClient, add_members, group, references, remove_members, user

DEACTIVATE = {"op": "Replace", "path": "active", "value": "False"}
ACTIVATE = {"op": "Replace", "path": "active", "value": "True"}


async def events(scim: ScimClient) -> list[dict[str, Any]]:
    """Return all events of a directory in their order."""
    listed, cursor, has_more = list[dict[str, Any]](), FeedCursor(), True
    while has_more:
        page = await read_feed(scim.partition, cursor, 1000)
        listed += [event for _, event in page.events]
        has_more, cursor = page.has_more, page.events[-1][0] if page.events else cursor
    return listed


async def news(scim: ScimClient, before: int) -> list[dict[str, Any]]:
    return (await events(scim))[before:]


def types(listed: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in listed]


async def test_each_change_of_a_user_makes_its_event(scim: ScimClient) -> None:
    path = f"/Users/{(await scim.new_user('anna', title='Boss', active=True))['id']}"

    await scim.patch(path, {"op": "replace", "path": "title", "value": "Chief"})
    await scim.patch(path, DEACTIVATE)
    await scim.patch(path, ACTIVATE)
    await scim.put(path, user("anna", active=False))
    await scim.put(path, user("anna"))
    await scim.delete(path)

    assert types(await events(scim)) == [
        "user.created",
        "user.updated",
        "user.deactivated",
        "user.reactivated",
        "user.updated",
        "user.deactivated",
        "user.reactivated",
        "user.deleted",
    ]


async def test_an_event_says_whose_change_it_is_and_when(scim: ScimClient) -> None:
    created = await scim.new_user("anna", externalId="e1", unknown=[1])

    (event,) = await events(scim)

    assert event["id"].startswith("evt_")
    assert event["directory_id"] == scim.directory.id
    assert event["organization_id"] == scim.directory.organization_id
    assert event["timestamp"] == created["meta"]["created"]
    assert event["data"]["resource"] == {name: value for name, value in created.items() if name != "meta"}
    assert "changed" not in event


async def test_an_update_names_what_changed_and_what_was_before(scim: ScimClient) -> None:
    created = await scim.new_user("anna", title="Boss", nickName="Annie", **{ENTERPRISE_URN: {"department": "Sales"}})
    operations = [
        {"op": "replace", "path": "title", "value": "Chief"},
        {"op": "remove", "path": "nickName"},
        {"op": "add", "path": "displayName", "value": "Anna"},
        {"op": "replace", "path": f"{ENTERPRISE_URN}:department", "value": "IT"},
        DEACTIVATE,
    ]

    changed = await scim.patch(f"/Users/{created['id']}", *operations)
    updated, deactivated = await news(scim, 1)

    assert types([updated, deactivated]) == ["user.updated", "user.deactivated"]
    assert updated["changed"] == ["displayName", "nickName", "title", ENTERPRISE_URN]
    assert updated["previous_attributes"] == {
        "nickName": "Annie",
        "title": "Boss",
        ENTERPRISE_URN: {"department": "Sales"},
    }
    stored = {name: value for name, value in changed.json.items() if name != "meta"}
    assert updated["data"]["resource"] == deactivated["data"]["resource"] == stored
    assert "changed" not in deactivated
    assert updated["id"] != deactivated["id"]


async def test_what_changes_nothing_makes_no_event_and_asks_for_no_relay(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna", title="Boss", active=True))["id"]
    group_id = (await scim.new_group("Team", [user_id]))["id"]
    before, asked = len(await events(scim)), len(scim.application.relay_requests.asked)  # type: ignore[attr-defined]

    for answer in (
        await scim.patch(f"/Users/{user_id}", {"op": "replace", "path": "title", "value": "Boss"}, ACTIVATE),
        await scim.patch(f"/Users/{user_id}"),
        await scim.patch(f"/Users/{user_id}", {"op": "replace", "path": "password", "value": "secret"}),
        await scim.put(f"/Users/{user_id}", user("anna", active="true", title="Boss", password="x")),
        await scim.patch(f"/Groups/{group_id}", add_members(user_id)),
        await scim.patch(f"/Groups/{group_id}", remove_members("usr_" + "0" * 32)),
        await scim.patch(f"/Groups/{group_id}", {"op": "replace", "path": "displayName", "value": "Team"}),
        await scim.put(f"/Groups/{group_id}", group("Team", [user_id])),
    ):
        assert answer.status in (200, 204)
    for answer in (
        await scim.post("/Users", user("ANNA")),
        await scim.post("/Groups", group("Crew", ["usr_" + "0" * 32])),
        await scim.patch(f"/Users/{user_id}", DEACTIVATE, if_match='W/"outdated"'),
        await scim.patch(f"/Users/{user_id}", DEACTIVATE, {"op": "replace", "path": "id", "value": "x"}),
        await scim.delete("/Users/usr_" + "0" * 32),
    ):
        assert answer.status in (400, 404, 409, 412)

    assert await news(scim, before) == []
    assert len(scim.application.relay_requests.asked) == asked  # type: ignore[attr-defined]


async def test_every_change_asks_for_the_relay_of_its_directory(scim: ScimClient) -> None:
    user_id = (await scim.new_user("anna"))["id"]
    path = f"/Groups/{(await scim.new_group('Team'))['id']}"

    await scim.patch(f"/Users/{user_id}", DEACTIVATE)
    await scim.patch(path, add_members(user_id))
    await scim.delete(path)
    await scim.delete(f"/Users/{user_id}")

    assert scim.application.relay_requests.asked == [scim.directory.id] * 6  # type: ignore[attr-defined]


async def test_each_member_that_really_comes_or_goes_makes_its_event(scim: ScimClient) -> None:
    first, second, third = await scim.new_users(3)
    group_id = (await scim.new_group("Team", [first]))["id"]
    path = f"/Groups/{group_id}"

    await scim.patch(path, add_members(first, second))
    await scim.patch(path, remove_members(first, third))
    await scim.put(path, group("Crew", [third]))
    await scim.patch(path, {"op": "remove", "path": "members"})

    listed = await news(scim, 3)
    assert [(event["type"], event["data"].get("user_id")) for event in listed] == [
        ("group.created", None),
        ("group.user_added", first),
        ("group.user_added", second),
        ("group.user_removed", first),
        ("group.updated", None),
        ("group.user_added", third),
        ("group.user_removed", second),
        ("group.user_removed", third),
    ]
    assert listed[4]["changed"] == ["displayName"]
    assert {event["data"]["group_id"] for event in listed if "group_id" in event["data"]} == {group_id}
    assert "members" not in listed[0]["data"]["resource"]


@pytest.mark.parametrize("number", [31, 95])
async def test_many_members_in_one_request_make_one_event_each(scim: ScimClient, number: int) -> None:
    ids = await scim.new_users(number)
    path = f"/Groups/{(await scim.new_group('Team'))['id']}"
    before = len(await events(scim))

    await scim.patch(path, add_members(*ids))
    await scim.patch(path, {"op": "replace", "path": "members", "value": references(ids[0])})

    added, removed = (await news(scim, before))[:number], (await news(scim, before))[number:]
    assert [(event["type"], event["data"]["user_id"]) for event in added] == [("group.user_added", i) for i in ids]
    assert set(types(removed)) == {"group.user_removed"}
    assert sorted(event["data"]["user_id"] for event in removed) == ids[1:]


@pytest.mark.parametrize("number", [30, 31, 600])
async def test_a_large_group_is_announced_before_its_members(scim: ScimClient, number: int) -> None:
    ids = await scim.new_users(number)

    group_id = (await scim.new_group("Team", ids))["id"]

    created, *added = (await events(scim))[number:]
    assert (created["type"], created["data"]["resource"]["id"]) == ("group.created", group_id)
    assert set(types(added)) == {"group.user_added"}
    assert sorted(event["data"]["user_id"] for event in added) == ids
    await scim.relay()
    assert len(await events(scim)) == 2 * number + 1


@pytest.mark.parametrize("steps", [0, 1])
async def test_a_large_group_can_be_deleted_before_it_is_announced_to_the_end(
    scim: ScimClient, rows: MemoryTable, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_groups, "_EVENTS_PER_ROW", 15)
    announcing = count()
    ids = await scim.new_users(40)

    def outage(request: Request) -> Exception | None:
        announces = request.operation == "commit" and len(request.keys) == 3
        fails = announces and next(announcing) >= steps
        return StorageUnavailableError("storage is down") if fails else None

    rows.before = outage
    created = await scim.post("/Groups", group("Team", ids))
    rows.before = None
    path, etag = f"/Groups/{created.json['id']}", created.etag
    assert created.status == 201
    assert (await scim.delete(path, if_match=etag)).status == 204
    await scim.relay()

    announced = types(await news(scim, 40))
    assert announced == ["group.created", *["group.user_added"] * 40, "group.deleted"]
    assert not [key for key in rows.rows(scim.directory.id) if key.startswith(("m|", "e!t|"))]


async def test_a_group_that_cannot_be_created_is_announced_by_nothing(scim: ScimClient) -> None:
    ids = await scim.new_users(40)
    await scim.new_group("Team")

    taken = await scim.post("/Groups", group("TEAM", ids))
    unknown = await scim.post("/Groups", group("Crew", [*ids, "usr_" + "0" * 32]))

    assert (taken.status, unknown.status) == (409, 400)
    assert types(await news(scim, 40)) == ["group.created"]


@pytest.mark.parametrize("number", [2, 20, 45])
async def test_a_deleted_user_leaves_each_group_before_it_goes(scim: ScimClient, number: int) -> None:
    (user_id,) = await scim.new_users(1)
    groups = sorted([(await scim.new_group(f"Team {index}", [user_id]))["id"] for index in range(number)])
    before = len(await events(scim))

    await scim.delete(f"/Users/{user_id}")
    await scim.relay()

    *removed, deleted = await news(scim, before)
    assert deleted["type"] == "user.deleted"
    assert deleted["data"]["resource"]["userName"] == "user00000"
    assert set(types(removed)) == {"group.user_removed"}
    assert sorted(event["data"]["group_id"] for event in removed) == groups
    assert {event["data"]["user_id"] for event in removed} == {user_id}


async def test_a_deleted_group_goes_at_once_and_leaves_the_groups_it_was_in(scim: ScimClient) -> None:
    ids = await scim.new_users(3)
    inner = (await scim.new_group("Inner", ids))["id"]
    outer = (await scim.new_group("Outer", [inner, ids[0]]))["id"]
    before = len(await events(scim))

    await scim.delete(f"/Groups/{inner}")
    at_once = await news(scim, before)
    await scim.relay()
    await scim.relay()

    assert types(at_once) == ["group.deleted"]
    deleted, left = await news(scim, before)
    assert deleted["data"]["resource"]["displayName"] == "Inner"
    assert (left["type"], left["data"]) == ("group.group_removed", {"group_id": outer, "member_group_id": inner})


async def test_a_change_too_large_for_a_row_is_told_in_part(scim: ScimClient) -> None:
    titles = ["a" * 250_000, "b" * 250_000]
    path = f"/Users/{(await scim.new_user('anna', title=titles[0], active=True))['id']}"

    await scim.patch(path, {"op": "replace", "path": "title", "value": titles[1]}, DEACTIVATE)

    updated, deactivated = await news(scim, 1)
    assert (updated["changed"], updated["previous_attributes"]) == (["title"], {})
    assert updated["data"]["resource"]["title"] == titles[1]
    assert deactivated["data"] == {"id": path.rpartition("/")[2]}
    assert (updated["omitted"], deactivated["omitted"]) == ("previous_attributes", "resource")


async def test_the_operations_of_a_bulk_request_make_their_events_in_order(scim: ScimClient) -> None:
    body = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [
            {"method": "POST", "path": "/Groups", "bulkId": "g", "data": group("Team", ["bulkId:u"])},
            {"method": "POST", "path": "/Users", "bulkId": "u", "data": user("anna")},
        ],
    }

    assert (await scim.post("/Bulk", body)).status == 200

    assert types(await events(scim)) == ["user.created", "group.created", "group.user_added"]

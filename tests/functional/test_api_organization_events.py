"""The events of an organization and of all its directories through the API, and what reading them costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scim.adapters.tables.feed import RETENTION_DAYS, forget_old_events
from scim.composed_stores import DIRECTORIES_TABLE
from scim.directories.deletion import QUIET
from scim.events.organization_feed import MAX_DIRECTORIES, OrganizationCursor
from scim.resources.errors import StorageUnavailableError
from tests.api import ApiClient
from tests.fakes.memory_table import MemoryTable, Request
from tests.functional.test_api_directories import scim_of
from tests.service import EXTENSION_URN, ScimClient, pass_in_storage

kinds = pytest.mark.parametrize("storage_kind", ["memory", "azurite"])


async def opened(api: ApiClient, organization: str) -> ScimClient:
    return await scim_of(api, await api.new_directory(organization))


def directories_table(api: ApiClient) -> MemoryTable:
    table = api.application.account.table(DIRECTORIES_TABLE)
    assert isinstance(table, MemoryTable)
    return table


async def read_all(api: ApiClient, organization: str, limit: int) -> list[dict[str, Any]]:
    events, after, more = list[dict[str, Any]](), "", True
    while more:
        answer = await api.get(f"organizations/{organization}/events", {"limit": str(limit), "after": after})
        assert answer.status == 200, answer.json
        assert len(answer.json["data"]) <= limit
        events += answer.json["data"]
        after, more = answer.json["cursor"], answer.json["has_more"]
    return events


def types(events: list[dict[str, Any]], directory_id: str) -> list[str]:
    return [event["type"] for event in events if event["directory_id"] == directory_id]


@kinds
@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_the_events_of_all_directories_come_each_once_and_in_the_order_of_their_directory(
    api: ApiClient, limit: int
) -> None:
    organization, other = await api.new_organization(), await api.new_organization()
    first, second = await opened(api, organization), await opened(api, organization)
    foreign = await opened(api, other)
    await first.new_users(5)
    await second.new_group("Team")
    await second.new_user("anna")
    await foreign.new_user("bob")
    await api.patch(f"directories/{first.directory.id}", {"name": "Renamed"})

    events = await read_all(api, organization, limit)

    own = ["directory.created", "directory.updated"]
    assert sorted(types(events, first.directory.id)) == sorted([*own, *["user.created"] * 5])
    assert types(events, second.directory.id)[-2:] == ["group.created", "user.created"]
    assert len({event["id"] for event in events}) == len(events) == 2 + 5 + 3
    names = [
        each["data"]["user"]["username"]
        for each in events
        if each["type"] == "user.created" and each["directory_id"] == first.directory.id
    ]
    assert names == [f"user{number:05d}" for number in range(5)]


@kinds
async def test_what_reading_the_events_of_an_organization_costs(api: ApiClient) -> None:
    organization = await api.new_organization()
    directories = [await opened(api, organization) for _ in range(3)]
    for each in directories:
        await each.new_user("anna")
        await each.relay()
    path = f"organizations/{organization}/events"

    first = await api.get(path)
    end = await api.get(path, {"after": first.json["cursor"]})

    assert len(first.json["data"]) == 3 + 3
    assert (end.json["data"], end.json["has_more"]) == ([], False)
    assert first.storage_requests <= 5 + 4 * 3
    assert end.storage_requests <= 5 + 4 * 3


async def test_no_directory_waits_for_another(api: ApiClient) -> None:
    organization = await api.new_organization()
    busy, quiet = await opened(api, organization), await opened(api, organization)
    path = f"organizations/{organization}/events"
    after = (await api.get(path)).json["cursor"]
    await busy.new_users(10)
    await quiet.new_user("anna")

    pages = []
    for _ in range(2):
        answer = await api.get(path, {"after": after, "limit": "4"})
        after = answer.json["cursor"]
        pages.append({event["directory_id"] for event in answer.json["data"]})

    assert quiet.directory.id in pages[0] | pages[1]


async def test_a_cursor_meets_directories_that_came_and_went(api: ApiClient) -> None:
    organization = await api.new_organization()
    first = await opened(api, organization)
    await first.new_user("anna")
    path = f"organizations/{organization}/events"
    cursor = (await api.get(path)).json["cursor"]
    second = await opened(api, organization)
    await second.new_user("bob")
    await api.delete(f"directories/{first.directory.id}")

    answer = await api.get(path, {"after": cursor})

    assert [event["type"] for event in answer.json["data"]] == ["directory.created", "user.created"]


async def test_a_cursor_behind_what_is_kept_is_a_410(api: ApiClient) -> None:
    organization = await api.new_organization()
    scim = await opened(api, organization)
    path = f"organizations/{organization}/events"
    later = datetime.now(UTC) + timedelta(days=RETENTION_DAYS + 1)
    feed = api.application.organization_feed
    cursor = (await api.get(path)).json["cursor"]
    for name in ("First", "Second"):
        await api.patch(f"directories/{scim.directory.id}", {"name": name})
    await feed.forget_old(organization, now=later)

    assert (await api.get(path, {"after": cursor})).status == 410
    assert (await api.get(path)).json["data"] == []

    await scim.new_users(3)
    cursor = (await api.get(path, {"limit": "1"})).json["cursor"]
    assert await forget_old_events(scim.partition, now=later) == 3
    assert (await api.get(path, {"after": cursor})).status == 410


@pytest.mark.parametrize("position", ["x", "1,", "1,zz", f"1,,{'0' * 32}=1", f"1,,{'0' * 32}=1.0,", "1,,=", "-1,"])
async def test_a_made_up_cursor_is_refused(position: str) -> None:
    assert (OrganizationCursor.decoded(position) is None) == (position != "1,")


async def test_a_cursor_of_another_organization_is_refused(api: ApiClient) -> None:
    one, other = await api.new_organization(), await api.new_organization()
    cursor = (await api.get(f"organizations/{one}/events")).json["cursor"]

    assert (await api.get(f"organizations/{other}/events", {"after": cursor})).status == 422


async def test_more_directories_than_a_cursor_holds_are_read_one_by_one(
    api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    organization = await api.new_organization()
    scim = await opened(api, organization)
    reader = api.application.management.services.directories

    async def many(_: str) -> list[Any]:
        return [scim.directory] * (MAX_DIRECTORIES + 1)

    monkeypatch.setattr(reader, "directories_of", many)

    assert (await api.get(f"organizations/{organization}/events")).status == 409


async def test_each_change_of_a_directory_is_told_with_what_it_was(api: ApiClient) -> None:
    organization = await api.new_organization()
    one = f"directories/{(await api.new_directory(organization))['id']}"
    mapping = {"name": "tag", "path": f"{EXTENSION_URN}:tag"}
    for change in (
        {"name": "Entra ID"},
        {"name": "Entra ID"},
        {"status": "disabled"},
        {"status": "active"},
        {"attribute_mappings": [mapping]},
        {"attribute_mappings": [mapping]},
    ):
        await api.patch(one, change)

    created, renamed, disabled, enabled, mapped = await read_all(api, organization, 100)

    assert created["type"] == "directory.created"
    assert (renamed["changed"], renamed["previous_attributes"]) == (["name"], {"name": "Entra"})
    assert renamed["data"]["directory"]["name"] == "Entra ID"
    assert [disabled["type"], enabled["type"]] == ["directory.disabled", "directory.enabled"]
    assert mapped["data"] == {"attribute_mappings": {"added": ["tag"], "removed": [], "changed": [], "revision": 1}}


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("number", range(8))
async def test_a_change_is_told_once_wherever_its_telling_breaks_off(api: ApiClient, number: int, lost: bool) -> None:
    """The change itself is the first two requests: from its commit on the event must not be lost, nor told twice."""
    organization = await api.new_organization()
    one = f"directories/{(await api.new_directory(organization))['id']}"
    await api.get("organizations")
    table = directories_table(api)
    requests = iter(range(1000))

    def fault(_: Request) -> Exception | None:
        return StorageUnavailableError("gone") if next(requests) >= number else None

    table.before, table.after = (None, fault) if lost else (fault, None)
    answer = await api.patch(one, {"name": "Renamed"})
    table.before = table.after = None
    changed = (await api.get(one)).json["name"] == "Renamed"
    await api.application.background.sweep()
    await api.application.background.sweep()

    told = [event["type"] for event in await read_all(api, organization, 100)]
    assert told == ["directory.created", *(["directory.updated"] if changed else [])]
    assert changed or answer.status == 503


async def test_events_of_tokens_are_in_the_feed_and_the_feed_outlives_their_directory(api: ApiClient) -> None:
    organization = await api.new_organization()
    one = (await api.new_directory(organization))["id"]
    rotated = await api.post(f"directories/{one}/tokens", {})
    await api.delete(f"directories/{one}/tokens/{rotated.json['version']}")

    events = await read_all(api, organization, 100)

    assert [event["type"] for event in events] == ["directory.created", "token.rotated", "token.revoked"]
    assert events[1]["data"]["token"].items() >= {"version": rotated.json["version"], "expires_at": None}.items()
    assert rotated.json["token"] not in str(events)


async def test_events_of_organizations_are_forgotten_after_30_days_and_their_marks_with_them(api: ApiClient) -> None:
    organization = await api.new_organization()
    await api.new_directory(organization)
    feed, table = api.application.organization_feed, directories_table(api)
    now = datetime.now(UTC)

    assert await feed.forget_old(organization, now=now + timedelta(days=RETENTION_DAYS - 1)) == 0
    assert await feed.forget_old(organization, now=now + timedelta(days=RETENTION_DAYS, minutes=1)) == 1
    assert [key for key in table.rows(organization) if key[:2] not in ("d|", "a|")] == ["o"]
    await api.application.background.forget_what_is_old()


async def test_an_organization_takes_its_feed_with_it(api: ApiClient) -> None:
    organization = await api.new_organization()
    one = (await api.new_directory(organization))["id"]
    application = api.application
    await application.deletion.begin(one)
    pass_in_storage(application, QUIET)
    await application.deletion.proceed(await application.directories.get_directory(one))

    assert (await api.delete(f"organizations/{organization}")).status == 204
    assert organization not in directories_table(api).partitions()

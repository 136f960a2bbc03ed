"""Rows that earlier versions wrote: served as they are, brought to today's format, and left alone by older versions."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from scim.adapters.tables import format_upgrades, keys
from scim.adapters.tables.consistency.check import check_directory
from scim.adapters.tables.consistency.violation import Violation
from scim.adapters.tables.format_upgrades import STEPS
from scim.adapters.tables.table import merge
from scim.composed_stores import DIRECTORIES_TABLE, RESOURCES_TABLE
from scim.directories.errors import DirectoryStoreUnavailableError, NewerRowsError
from scim.directories.row_format import WRITTEN_FORMAT
from scim.directories.staleness import MARGIN
from scim.events.feed import FeedCursor
from scim.resources.errors import StorageUnavailableError
from tests.api import ApiClient
from tests.fakes.memory_table import Request
from tests.formats.stored import FILES, NEWEST, StoredService, serve
from tests.service import EXTENSION_URN, add_members, user

MET_IN_FORMAT_0 = {"older_format", "missing_lookup", "wrong_page_map"}
"""What a check finds in rows that no upgrade has brought to format 1."""
OLDER = [name for name in FILES if int(name[0]) < WRITTEN_FORMAT]


async def test_there_are_rows_of_every_format_that_is_read_and_the_newest_are_todays() -> None:
    formats = {name: (await serve(name)).format for name in FILES}

    assert sorted(set(formats.values())) == list(range(WRITTEN_FORMAT + 1))
    assert formats[NEWEST] == WRITTEN_FORMAT


@pytest.mark.parametrize("name", FILES)
async def test_users_and_groups_of_any_format_are_read_found_and_listed(name: str) -> None:
    stored = await serve(name)
    client, (ada, bob, celik) = await stored.client(), stored.file["users"]

    assert (await client.get(f"/Users/{ada}")).json["title"] == "Lead"
    assert (await client.get(f"/Users/{bob}")).json["active"] is False
    assert len((await client.get(f"/Users/{stored.file['big']}")).json["title"]) == 33_000
    assert await client.find('userName eq "ÇELIK@contoso.com"') == [celik]
    assert await client.find('externalId eq "e-3"') == [celik]
    assert await client.find('emails[type eq "work"].value eq "bob@contoso.com"') == [bob]
    assert await client.find(f'{EXTENSION_URN}:badge eq "b-ada"') == [ada]
    listed = (await client.get("/Users", {"startIndex": "2", "count": "2"})).json
    assert (listed["totalResults"], len(listed["Resources"])) == (4, 2)
    members = (await client.get(f"/Groups/{stored.file['group']}")).json["members"]
    assert {member["value"] for member in members} == {bob, celik}


@pytest.mark.parametrize("name", FILES)
async def test_rows_of_any_format_are_changed_relayed_and_right_afterwards(name: str) -> None:
    stored = await serve(name)
    client, (ada, bob, _) = await stored.client(), stored.file["users"]

    changed = await client.patch(f"/Users/{ada}", {"op": "Replace", "path": "displayName", "value": "Ada L."})
    joined = await client.patch(f"/Groups/{stored.file['group']}", add_members(ada))
    renamed = await client.patch(f"/Groups/{stored.file['group']}", {"op": "Replace", "value": {"displayName": "All"}})
    deleted = await client.delete(f"/Users/{bob}")
    await client.new_user("dora@contoso.com")
    await client.relay()

    assert [each.status for each in (changed, joined, renamed, deleted)] == [200, 204, 204, 204]
    events = await _feed(stored)
    assert events[:3] == ["user.created"] * 3
    assert events[-6:] == [
        "user.updated",
        "group.user_added",
        "group.updated",
        "group.user_removed",
        "user.deleted",
        "user.created",
    ]
    assert {each.kind for each in await _found(stored)} <= (MET_IN_FORMAT_0 if stored.format == 0 else set())


@pytest.mark.parametrize("name", OLDER)
async def test_an_upgrade_waits_until_no_process_knows_the_old_format_and_then_brings_every_row(name: str) -> None:
    clock = Clock()
    stored = await serve(name, clock)
    upgrades, directories = stored.application.format_upgrades, stored.application.directories
    directory_id = stored.file["directory"]

    begun = await upgrades.proceed(await directories.get_directory(directory_id))
    assert (begun.row_format, begun.reached_format) == (WRITTEN_FORMAT, stored.format)
    clock.now += MARGIN - timedelta(seconds=1)
    assert await upgrades.proceed(begun) == begun
    clock.now += timedelta(seconds=2)
    done = await upgrades.proceed(begun)

    assert (done.row_format, done.upgrade) == (WRITTEN_FORMAT, None)
    await (await stored.client()).relay()
    assert await _found(stored) == []
    for user_id in stored.file["users"]:
        row = stored.account.table(RESOURCES_TABLE).rows(directory_id)[keys.document(user_id)]
        assert row.values["user_name"] == row.values["email"]
    client = await stored.client()
    assert (await client.get("/Users")).status == 200
    assert (await client.get("/Users", {"filter": f'{EXTENSION_URN}:badge eq "b-ada"'})).storage_requests == 2


@pytest.mark.parametrize("name", OLDER)
async def test_an_upgrade_that_crashes_anywhere_goes_on_where_it_stopped(name: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(format_upgrades, "ROWS_AT_ONCE", 2)
    for at in count(1):
        clock = Clock()
        stored = await serve(name, clock)
        upgrades, directories = stored.application.format_upgrades, stored.application.directories
        await upgrades.begin(await directories.get_directory(stored.file["directory"]))
        clock.now += MARGIN
        crash = CrashAt(at)
        for table in stored.account.tables.values():
            table.after = crash
        with suppress(StorageUnavailableError, DirectoryStoreUnavailableError):
            await upgrades.proceed(await directories.get_directory(stored.file["directory"]))
        done = await upgrades.proceed(await directories.get_directory(stored.file["directory"]))

        assert (done.row_format, done.upgrade) == (WRITTEN_FORMAT, None)
        assert await _found(stored) == []
        if crash.left > 0:
            assert at > 5
            return


async def test_an_upgrade_makes_no_event_and_no_version() -> None:
    clock = Clock()
    stored = await serve("0-before-list-columns.json", clock)
    client, ada = await stored.client(), stored.file["users"][0]
    version, events = (await client.get(f"/Users/{ada}")).etag, await _feed(stored)

    await stored.application.format_upgrades.begin(client.directory)
    clock.now += MARGIN
    await stored.application.format_upgrades.proceed(
        await stored.application.directories.get_directory(client.directory.id)
    )

    assert (await client.get(f"/Users/{ada}")).etag == version
    assert await _feed(stored) == events


async def test_the_sweep_takes_small_steps_by_itself() -> None:
    clock = Clock()
    stored = await serve("0-before-list-columns.json", clock)
    assert all(step.is_small for step in STEPS.values())

    await stored.application.background.sweep()
    clock.now += MARGIN
    await stored.application.background.sweep()

    directory = await stored.application.directories.get_directory(stored.file["directory"])
    assert (directory.row_format, directory.upgrade) == (WRITTEN_FORMAT, None)
    assert await _found(stored) == []


@pytest.mark.parametrize("values", [{"format": WRITTEN_FORMAT + 1}, {"format": 99}, {"status": "hibernating"}])
async def test_what_a_newer_version_wrote_is_refused_with_both_versions_and_left_alone(values: dict[str, Any]) -> None:
    stored = await serve(NEWEST)
    client, ada = await stored.client(), stored.file["users"][0]
    directories = stored.account.table(DIRECTORIES_TABLE)
    await directories.commit(client.directory.id, [merge("directory", values)])
    before = _all_rows(stored)
    api = ApiClient(stored.application, stored.file["api_key"], stored.account.requests)

    answers = [
        await client.get(f"/Users/{ada}"),
        await client.patch(f"/Users/{ada}", {"op": "Replace", "path": "title", "value": "x"}),
        await client.post("/Users", user("new@contoso.com")),
        await client.delete(f"/Users/{ada}"),
        await api.get(f"directories/{client.directory.id}"),
        await api.get(f"directories/{client.directory.id}/events"),
        await api.patch(f"directories/{client.directory.id}", {"name": "Other"}),
        await api.delete(f"directories/{client.directory.id}"),
    ]

    named = next(iter(values.values()))
    assert [answer.status for answer in answers] == [503] * len(answers)
    assert all(answer.headers["Retry-After"] == "60" for answer in answers)
    assert all(str(named) in answer.json["detail"] and "this one reads" in answer.json["detail"] for answer in answers)
    signals = await stored.application.background.sweep()
    assert signals.failures == 1
    with pytest.raises(NewerRowsError):
        await stored.application.format_upgrades.begin(
            await stored.application.directories.get_directory(client.directory.id)
        )
    assert _without_uses(_all_rows(stored)) == _without_uses(before)


async def test_a_directory_that_a_newer_version_wrote_is_not_served_from_memory() -> None:
    stored = await serve(NEWEST)
    client, ada = await stored.client(), stored.file["users"][0]
    assert (await client.get(f"/Users/{ada}")).status == 200
    table = stored.account.table(DIRECTORIES_TABLE)
    await table.commit(client.directory.id, [merge("directory", {"format": WRITTEN_FORMAT + 1})])
    stored.application.authenticator.forget(client.directory.id)

    assert (await client.get(f"/Users/{ada}")).status == 503
    assert (await client.get(f"/Users/{ada}")).status == 503


async def test_columns_of_a_newer_version_survive_every_change() -> None:
    stored = await serve(NEWEST)
    client, ada, group = await stored.client(), stored.file["users"][0], stored.file["group"]
    resources, directories = stored.account.table(RESOURCES_TABLE), stored.account.table(DIRECTORIES_TABLE)
    changed = [keys.document(ada), keys.document(group), keys.group_version(group), keys.HEAD]
    await resources.commit(client.directory.id, [merge(key, {"later": "kept"}) for key in changed])
    await directories.commit(client.directory.id, [merge("directory", {"later": "kept"})])
    await directories.commit(stored.file["organization"], [merge("o", {"later": "kept"})])

    await client.patch(f"/Users/{ada}", {"op": "Replace", "path": "userName", "value": "ada2@contoso.com"})
    await client.put(f"/Users/{ada}", user("ada3@contoso.com"))
    await client.patch(f"/Groups/{group}", {"op": "Replace", "path": "displayName", "value": "Everybody"})
    await client.patch(f"/Groups/{group}", add_members(ada))
    await client.relay()
    api = ApiClient(stored.application, stored.file["api_key"], stored.account.requests)
    assert (await api.patch(f"directories/{client.directory.id}", {"name": "Other"})).status == 200
    assert (await api.patch(f"organizations/{stored.file['organization']}", {"name": "Other"})).status == 200

    rows = resources.rows(client.directory.id)
    assert [rows[key].values.get("later") for key in changed] == ["kept"] * len(changed)
    assert directories.rows(client.directory.id)["directory"].values["later"] == "kept"
    assert directories.rows(stored.file["organization"])["o"].values["later"] == "kept"


async def _feed(stored: StoredService) -> list[str]:
    client = await stored.client()
    page = await stored.application.feed_of(client.directory, FeedCursor(), 1000)
    return [event["type"] for _, event in page.events]


async def _found(stored: StoredService) -> list[Violation]:
    return await check_directory((await stored.client()).partition)


class Clock:
    """The time of a service, moved by hand."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass(slots=True)
class CrashAt:
    """Loses the answer of the write of a number, as when the process dies behind it."""

    left: int

    def __call__(self, request: Request) -> Exception | None:
        if request.operation != "commit":
            return None
        self.left -= 1
        return StorageUnavailableError("the process died") if self.left == 0 else None


def _all_rows(stored: StoredService) -> dict[tuple[str, str, str], Mapping[str, Any]]:
    return {
        (name, partition, key): row.values
        for name, table in stored.account.tables.items()
        for partition in table._partitions
        for key, row in table.rows(partition).items()
    }


def _without_uses(rows: Mapping[tuple[str, str, str], Mapping[str, Any]]) -> dict[tuple[str, str, str], Any]:
    """Return rows without those that say when the API key was used last, and where the next sweep begins."""
    return {place: values for place, values in rows.items() if place[1] not in ("keys", "service")}

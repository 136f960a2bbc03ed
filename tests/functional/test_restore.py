"""Putting back copies that are not of one moment, and single directories into a service that goes on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from scim.adapters.tables import keys
from scim.adapters.tables.consistency.check import check_directory
from scim.adapters.tables.consistency.repairs import repair_directory
from scim.adapters.tables.consistency.ways import way_violations
from scim.adapters.tables.derivation import derive
from scim.adapters.tables.derived_rows import read_state
from scim.adapters.tables.feed import read_feed
from scim.adapters.tables.relay import relay
from scim.adapters.tables.table import Row, delete, insert, merge, replace
from scim.composed_stores import DIRECTORIES_TABLE, LOG_TABLE, RESOURCES_TABLE
from scim.composition import Application
from scim.directories.interfaces import DirectoryPage
from scim.directories.row_format import WRITTEN_FORMAT
from scim.events.feed import CursorExpiredError, FeedCursor
from scim.maintenance.commands import check
from scim.maintenance.copies import backup
from scim.maintenance.copy_file import CopyFileError
from scim.maintenance.progress import Progress
from scim.maintenance.restoring import restore
from scim.maintenance.results import RestoreResult
from tests.api import ApiClient
from tests.fakes.memory_account import MemoryAccount
from tests.mirror import assert_events_tell_all
from tests.portal import open_browser
from tests.service import ScimClient, Service, add_members, remove_members, service_on

Act = Callable[[], Awaitable[object]]


def no_progress(_doing: str, _rows: int) -> None:
    """Tell nobody."""


async def put_back(application: Application, path: Path, *only: str, deleted: bool = False) -> RestoreResult:
    return await restore(application, path, only, no_progress, deleted=deleted)  # type: ignore[arg-type]


async def copy(application: Application, path: Path) -> Path:
    await backup(application, path, no_progress)  # type: ignore[arg-type]
    return path


def interrupted(account: MemoryAccount, acts: dict[str, Act]) -> None:
    """Let something happen right before the first row behind a key of a directory is copied."""

    async def meanwhile(name: str, row_key: str) -> None:
        for key in [key for key in acts if name == RESOURCES_TABLE and row_key >= key]:
            await acts.pop(key)()

    account.meanwhile = meanwhile


@pytest.fixture
def account() -> MemoryAccount:
    return MemoryAccount()


@pytest.fixture
async def other(service: Service) -> Service:
    """A service over empty tables, with the same vault."""
    return await service_on(MemoryAccount(), service.application.secret_store)


def moved(scim: ScimClient, service: Service) -> ScimClient:
    """Return the client of a directory of the same id in another service."""
    return ScimClient(service.application, scim.directory, scim.token, service.meter)


@pytest.fixture
async def torn(api: ApiClient, scim: ScimClient, account: MemoryAccount, tmp_path: Path) -> Path:
    """A copy during which users came and went, were relayed, and groups changed."""
    assert api.key
    ids = await scim.new_users(10)
    team = (await scim.new_group("Team", ids[:5]))["id"]
    staying = (await scim.new_group("Staying", ids[:3]))["id"]
    nested = (await scim.new_group("Nested", [staying]))["id"]
    await scim.relay()
    await scim.new_users(5, "waiting")

    async def while_derived_is_read() -> None:
        await scim.new_users(3, "early")
        await scim.patch(f"/Groups/{staying}", add_members(ids[8]), remove_members(ids[2]))

    async def while_the_outbox_is_read() -> None:
        await relay(scim.partition)
        await scim.new_users(4, "relayed")
        await scim.relay()

    async def while_users_are_read() -> None:
        await scim.new_users(6, "untold")
        await scim.patch(f"/Users/{ids[0]}", {"op": "replace", "path": "title", "value": "Boss"})
        await scim.delete(f"/Users/{ids[1]}")
        await scim.patch(f"/Groups/{staying}", add_members(ids[9]), remove_members(ids[0]))
        await scim.new_group("Untold", [*ids[2:5], nested])
        await scim.delete(f"/Groups/{team}")
        await scim.relay()

    interrupted(account, {"d|": while_derived_is_read, "f|": while_the_outbox_is_read, "g|": while_users_are_read})
    return await copy(scim.application, tmp_path / "torn.gz")


async def test_a_copy_made_during_writes_comes_back_told_once_and_repaired(
    scim: ScimClient, other: Service, torn: Path
) -> None:
    cursors = [place for place, _ in (await read_feed(scim.partition, FeedCursor(), 1000)).events]

    result = await put_back(other.application, torn)
    back = moved(scim, other)
    found = await check_directory(back.partition)
    repaired = await repair_directory(back.partition)
    await back.relay()
    told = (await read_feed(back.partition, FeedCursor(), 1000)).events

    assert result.directories == [scim.directory.id]
    assert "untold_resources" in {violation.kind for violation in found}
    assert repaired.left == []
    assert await check_directory(back.partition) == []
    operations = Counter(event["id"] for _, event in told)
    assert max(operations.values()) == 1
    assert [place.number for place, _ in told] == sorted(place.number for place, _ in told)
    for cursor in cursors:
        with pytest.raises(CursorExpiredError):
            await read_feed(back.partition, cursor, 10)
    assert (await read_feed(back.partition, told[3][0], 1000)).events == told[4:]


async def test_what_is_derived_goes_on_after_a_restore(scim: ScimClient, other: Service, torn: Path) -> None:
    await put_back(other.application, torn)
    back = moved(scim, other)

    await relay(back.partition)
    await derive(back.partition)

    head = await back.partition.read(keys.HEAD)
    assert head is not None
    assert (await read_state(back.partition)).number == head.values["number"]


async def test_events_tell_all_that_came_back_once_it_is_repaired(
    api: ApiClient, scim: ScimClient, other: Service, torn: Path
) -> None:
    await put_back(other.application, torn)
    back, reader = moved(scim, other), ApiClient(other.application, api.key, other.meter)
    (untold,) = [each for each in await check_directory(back.partition) if each.kind == "untold_resources"]
    assert "of the creation of 7 of" in untold.sentence

    assert (await repair_directory(back.partition)).left == []

    await assert_events_tell_all(reader, back.directory.id)
    told = (await read_feed(back.partition, FeedCursor(), 1000)).events
    assert {event.get("reason") for _, event in told} == {None, "restore"}
    actors = {event["actor"]["type"] for _, event in told if event.get("reason") == "restore"}
    assert actors == {"operator"}
    await back.new_users(2, "later")
    await back.relay()
    assert await check_directory(back.partition) == []
    await assert_events_tell_all(reader, back.directory.id)


async def test_a_consumer_that_takes_everything_anew_has_what_the_directory_lists(
    scim: ScimClient, other: Service, torn: Path
) -> None:
    await put_back(other.application, torn)
    back = moved(scim, other)
    await repair_directory(back.partition)

    # As docs/developer-guide.md says: to the end of the events, then what there is, then what is told from there on.
    end = (await read_feed(back.partition, FeedCursor(), 1000)).end
    copied = {each["id"] for each in (await back.get("/Users", {"count": "200"})).resources}
    await back.new_users(3, "later")
    await back.delete(f"/Users/{min(copied)}")
    for _, event in (await read_feed(back.partition, end, 1000)).events:
        step = {"user.created": copied.add, "user.deleted": copied.discard}[event["type"]]
        step(event["data"]["resource"]["id"])

    assert copied == {each["id"] for each in (await back.get("/Users", {"count": "200"})).resources}


async def test_a_copy_made_by_two_writers_at_once_comes_back_clean_and_told(
    api: ApiClient, scim: ScimClient, account: MemoryAccount, other: Service, tmp_path: Path
) -> None:
    async def give_way(_name: str, _key: str) -> None:
        await asyncio.sleep(0)

    async def write(name: str) -> None:
        for number in range(1, 61):
            user = await scim.new_user(f"{name}{number}")
            await asyncio.sleep(0)
            if number % 3 == 0:
                await scim.delete(f"/Users/{user['id']}")
            if number % 5 == 0:
                await scim.relay()

    account.meanwhile = give_way
    await scim.new_users(50)
    writers = [asyncio.create_task(write(name)) for name in ("left", "right")]
    path = await copy(scim.application, tmp_path / "rows.gz")
    await asyncio.gather(*writers)
    old = (await read_feed(scim.partition, FeedCursor(), 1000)).end

    await put_back(other.application, path)
    back = moved(scim, other)
    assert (await repair_directory(back.partition)).left == []

    assert await check_directory(back.partition) == []
    with pytest.raises(CursorExpiredError):
        await read_feed(back.partition, old, 10)
    told = (await read_feed(back.partition, FeedCursor(), 1000)).events
    assert len({event["id"] for _, event in told}) == len(told)
    await assert_events_tell_all(ApiClient(other.application, api.key, other.meter), scim.directory.id)


# -- One directory into a service that goes on --------------------------


async def lose(application: Application, directory_id: str, organization_id: str) -> None:
    """Delete every row of a directory, as an accident would, and those that lead to it."""
    for name in (RESOURCES_TABLE, LOG_TABLE, DIRECTORIES_TABLE):
        application.account.table(name)._partitions.pop(directory_id, None)  # type: ignore[attr-defined]
    table = application.account.table(DIRECTORIES_TABLE)
    await table.commit(organization_id, [delete(f"d|{directory_id}")])
    await table.commit("organizations", [delete(f"d|{directory_id}")])


@pytest.fixture
async def lost(scim: ScimClient, tmp_path: Path) -> Path:
    """The copy of a directory with two users that was lost since."""
    await scim.new_users(2)
    path = await copy(scim.application, tmp_path / "rows.gz")
    await scim.new_users(2, "since")
    await lose(scim.application, scim.directory.id, scim.directory.organization_id)
    return path


async def test_a_named_directory_comes_back_with_all_that_leads_to_it(
    api: ApiClient, scim: ScimClient, lost: Path
) -> None:
    one, organization = scim.directory.id, scim.directory.organization_id

    result = await put_back(scim.application, lost, one)
    await scim.application.background.sweep()

    assert result.directories == [one]
    listed = await api.get(f"organizations/{organization}/directories")
    assert [(each["id"], each["status"]) for each in listed.json["data"]] == [(one, "active")]
    assert (await scim.get("/Users")).json["totalResults"] == 2
    assert not any(key.startswith("e|") for key in _rows(scim, RESOURCES_TABLE, one))
    kinds = [event["type"] for event in (await api.get(f"organizations/{organization}/events")).json["data"]]
    assert kinds == ["directory.created", "user.created", "user.created"]


@pytest.mark.parametrize(
    ("lost_rows", "kinds", "left"),
    [
        ({"organizations": "d|{one}"}, ["unlisted_directory"], []),
        ({"{organization}": "d|{one}"}, ["not_in_organization"], []),
        ({"organizations": "d|{one}", "{organization}": "d|{one}"}, ["not_in_organization", "unlisted_directory"], []),
        ({"organizations": "o|{organization}"}, ["unlisted_organization"], ["unlisted_organization"]),
        ({"{organization}": "o"}, ["lost_organization"], ["lost_organization"]),
        ({"{one}": "directory"}, ["listed_without_directory"], ["listed_without_directory"]),
    ],
)
async def test_the_check_tells_what_does_not_lead_to_a_directory_and_lists_it_again(
    scim: ScimClient, lost_rows: dict[str, str], kinds: list[str], left: list[str]
) -> None:
    names = {"one": scim.directory.id, "organization": scim.directory.organization_id}
    table = scim.application.account.table(DIRECTORIES_TABLE)
    for partition, key in lost_rows.items():
        await table.commit(partition.format(**names), [delete(key.format(**names))])
    progress = Progress(StringIO())

    found = await check(scim.application, scim.directory.id, progress, repair=False)
    repaired = await check(scim.application, scim.directory.id, progress, repair=True)

    assert sorted(each.kind for each in found.found) == kinds
    assert [each.kind for each in repaired.found] == left
    assert sorted(each.kind for each in repaired.mended or ()) == [kind for kind in kinds if kind not in left]
    assert repaired.exit_code == bool(left)


async def test_lists_that_a_running_service_has_begun_get_the_entries_of_what_comes_back(
    api: ApiClient, scim: ScimClient, other: Service, tmp_path: Path
) -> None:
    await scim.new_users(2)
    path = await copy(scim.application, tmp_path / "rows.gz")
    await other.application.account.table(DIRECTORIES_TABLE).commit("organizations", [insert("watch", {})])

    result = await put_back(other.application, path)

    reader = ApiClient(other.application, api.key, other.meter)
    listed = (await reader.get("organizations")).json["data"]
    assert [each["id"] for each in listed] == [scim.directory.organization_id]
    assert (await check(other.application, scim.directory.id, Progress(StringIO()), repair=False)).exit_code == 0
    assert "organizations" in result.left_alone


async def test_readers_of_the_organization_begin_anew_although_its_own_feed_was_not_lost(
    api: ApiClient, scim: ScimClient, lost: Path
) -> None:
    path = f"organizations/{scim.directory.organization_id}/events"
    after_the_loss = (await api.get(path)).json["cursor"]

    await put_back(scim.application, lost, scim.directory.id)

    assert (await api.get(path, {"after": after_the_loss})).status == 410


async def test_a_directory_whose_organization_is_gone_comes_back_with_it_or_not_at_all(
    api: ApiClient, scim: ScimClient, lost: Path
) -> None:
    one, organization = scim.directory.id, scim.directory.organization_id
    assert (await api.delete(f"organizations/{organization}")).status == 204

    with pytest.raises(CopyFileError, match=f"say --only {organization}, too"):
        await put_back(scim.application, lost, one)
    assert one not in scim.application.account.table(RESOURCES_TABLE).partitions()  # type: ignore[attr-defined]

    await put_back(scim.application, lost, one, organization)
    listed = await api.get("organizations")
    assert [each["id"] for each in listed.json["data"]] == [organization]
    assert (await scim.get("/Users")).json["totalResults"] == 2


async def test_an_organization_comes_back_without_the_directories_that_are_not_named(
    api: ApiClient, scim: ScimClient, lost: Path
) -> None:
    organization = scim.directory.organization_id
    await api.delete(f"organizations/{organization}")

    await put_back(scim.application, lost, organization)

    assert not any(key.startswith("d|") for key in _rows(scim, DIRECTORIES_TABLE, organization))
    assert (await api.get(f"organizations/{organization}")).status == 200


async def test_a_directory_that_was_deleted_on_purpose_comes_back_only_when_that_is_said(
    scim: ScimClient, lost: Path
) -> None:
    one = scim.directory.id
    table = scim.application.account.table(DIRECTORIES_TABLE)
    await table.commit(one, [insert("directory", {"status": "deleted"})])

    with pytest.raises(CopyFileError, match="deleted on purpose"):
        await put_back(scim.application, lost, one)
    careful = await put_back(scim.application, lost)
    assert _rows(scim, RESOURCES_TABLE, one) == {}
    assert one in careful.left_alone

    await put_back(scim.application, lost, one, deleted=True)
    assert (await scim.get("/Users")).json["totalResults"] == 2


async def test_a_copy_that_a_newer_version_wrote_is_refused_before_anything_is_written(
    scim: ScimClient, other: Service, tmp_path: Path
) -> None:
    table = scim.application.account.table(DIRECTORIES_TABLE)
    await table.commit(scim.directory.id, [merge("directory", {"format": WRITTEN_FORMAT + 1})])
    path = await copy(scim.application, tmp_path / "newer.jsonl.gz")

    with pytest.raises(CopyFileError, match=f"format {WRITTEN_FORMAT + 1}.*up to {WRITTEN_FORMAT}"):
        await put_back(other.application, path)

    assert await other.application.directories.list_directories() == DirectoryPage([], None)


async def test_a_name_that_the_copy_does_not_have_is_refused(scim: ScimClient, lost: Path) -> None:
    with pytest.raises(CopyFileError, match="no rows of 'dir_x'"):
        await put_back(scim.application, lost, "dir_x")


async def test_until_all_of_a_directory_is_back_nobody_is_let_in_and_no_sweep_finds_it(
    scim: ScimClient, lost: Path
) -> None:
    one, seen = scim.directory.id, set[tuple[str, bool]]()
    directories = scim.application.account.table(DIRECTORIES_TABLE)

    def look(_doing: str, _rows_done: int) -> None:
        rows = _rows(scim, RESOURCES_TABLE, one)
        if (rows and keys.HEAD not in rows) or len(rows) < 3:
            row = directories.rows(one)["directory"]  # type: ignore[attr-defined]
            seen.add((str(row.values["status"]), f"d|{one}" in directories.rows("organizations")))  # type: ignore[attr-defined]

    await restore(scim.application, lost, [one], look)  # type: ignore[arg-type]

    row = directories.rows(one)["directory"]  # type: ignore[attr-defined]
    assert (row.values["status"], "restoring" in row.values) == ("active", False)
    assert seen <= {("disabled", False)}


@pytest.mark.parametrize("is_named", [True, False])
async def test_a_restore_that_broke_off_goes_on_when_it_is_repeated(
    scim: ScimClient, lost: Path, *, is_named: bool
) -> None:
    one = scim.directory.id
    only = [one] if is_named else []
    table = scim.application.account.table(RESOURCES_TABLE)

    def fail(request: Any) -> Exception | None:
        return RuntimeError("broken off") if request.operation == "commit" and request.partition == one else None

    table.after = fail  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError):
        await put_back(scim.application, lost, *only)
    table.after = None  # type: ignore[attr-defined]
    assert _rows(scim, DIRECTORIES_TABLE, one)["directory"].values["status"] == "disabled"
    found = await way_violations(scim.application.account.table(DIRECTORIES_TABLE), one)
    assert "restore_broke_off" in {each.kind for each in found}

    await put_back(scim.application, lost, *only)

    assert (await scim.get("/Users")).json["totalResults"] == 2
    assert (await repair_directory(scim.partition)).left == []


async def test_where_only_the_row_of_a_directory_was_lost_its_partition_is_left_alone(
    scim: ScimClient, tmp_path: Path
) -> None:
    await scim.new_users(2)
    path = await copy(scim.application, tmp_path / "rows.gz")
    await scim.new_users(1, "since")
    before = _rows(scim, RESOURCES_TABLE, scim.directory.id)
    scim.application.account.table(DIRECTORIES_TABLE)._partitions.pop(scim.directory.id)  # type: ignore[attr-defined]

    await put_back(scim.application, path)

    assert _rows(scim, RESOURCES_TABLE, scim.directory.id) == before
    assert (await scim.get("/Users")).json["totalResults"] == 3


async def test_a_request_that_was_answered_before_the_copy_is_taken_up_again_after_a_restore(
    api: ApiClient, scim: ScimClient, other: Service, tmp_path: Path
) -> None:
    """What it made may have been lost: then it is made, under the id that it had."""
    made = await api.post("organizations", {"name": "Made"}, idempotency_key="once")
    path = await copy(scim.application, tmp_path / "rows.gz")
    await put_back(other.application, path)
    table = other.application.account.table(DIRECTORIES_TABLE)
    await table.commit(made.json["id"], [delete("o")])
    await table.commit("organizations", [delete(f"{kind}|{made.json['id']}") for kind in "io"])

    again = await ApiClient(other.application, api.key, other.meter).post(
        "organizations", {"name": "Made"}, idempotency_key="once"
    )

    assert (again.status, again.json["id"]) == (201, made.json["id"])
    assert (
        await ApiClient(other.application, api.key, other.meter).get(f"organizations/{made.json['id']}")
    ).status == 200


async def test_an_event_that_the_copy_knows_by_its_mark_alone_is_told_again(
    api: ApiClient, scim: ScimClient, other: Service, tmp_path: Path
) -> None:
    organization = scim.directory.organization_id
    table = scim.application.account.table(DIRECTORIES_TABLE)
    await api.patch(f"directories/{scim.directory.id}", {"name": "Second"})
    feed = table.rows(organization)[keys.feed(2)]  # type: ignore[attr-defined]
    path = await copy(scim.application, tmp_path / "rows.gz")
    await put_back(other.application, path)
    there = other.application.account.table(DIRECTORIES_TABLE)
    await there.commit(organization, [delete(keys.feed(2))])

    await other.application.organization_feed.renew(organization)

    rows = there.rows(organization)  # type: ignore[attr-defined]
    assert f"told|{feed.values['event']}" not in rows
    assert rows["o"].values["number"] == 1


def _rows(scim: ScimClient, name: str, partition: str) -> dict[str, Row]:
    found: dict[str, Row] = scim.application.account.table(name).rows(partition)  # type: ignore[attr-defined]
    return found


async def test_heads_are_never_taken_from_a_copy_with_their_generation(
    scim: ScimClient, other: Service, tmp_path: Path
) -> None:
    await scim.new_users(2)
    await scim.relay()
    head = await scim.partition.read(keys.HEAD)
    assert head is not None
    await scim.partition.commit([replace(keys.HEAD, {**head.values, "generation": "0a0a0a0a"}, head.etag)])
    path = await copy(scim.application, tmp_path / "rows.gz")

    await put_back(other.application, path)

    back = moved(scim, other)
    with pytest.raises(CursorExpiredError):
        await read_feed(back.partition, FeedCursor(1), 10)  # as one of before there were generations
    restored = _rows(back, RESOURCES_TABLE, scim.directory.id)[keys.HEAD]
    assert restored.values["generation"] != "0a0a0a0a"
    assert restored.values["number"] == 2


async def test_a_session_that_was_ended_does_not_come_back_with_its_organization(
    service: Service, tmp_path: Path
) -> None:
    revoked, left = [await open_browser(service, max_uses=2) for _ in range(2)]
    cookie, organizations = left.cookie, [revoked.organization_id, left.organization_id]
    copied = await copy(service.application, tmp_path / "rows.gz")
    access = service.application.portal_access
    (use,) = await access.link_uses(revoked.organization_id)
    await access.revoke_link(revoked.organization_id, use.link.id)
    await left.submit((await left.get("")).form("/close"))
    left.cookie = cookie

    await put_back(service.application, copied, *organizations)

    assert [(await each.get("")).status for each in (revoked, left)] == [401, 401]
    assert [await access.link_uses(each) for each in organizations] != [[], []]

"""Changed attribute mappings: seen at once in reads, told by one event for each user, and found by lookup rows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from typing import Any

import pytest

from scim.adapters.tables import keys, mapping_changes
from scim.adapters.tables.consistency.check import check_directory
from scim.adapters.tables.consistency.repairs import repair_directory
from scim.adapters.tables.feed import read_feed
from scim.adapters.tables.table import delete, insert, merge
from scim.composed_stores import DIRECTORIES_TABLE, RESOURCES_TABLE
from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.errors import DirectoryStoreUnavailableError
from scim.directories.mapping_job import SETTLING
from scim.events.feed import FeedCursor
from scim.events.rendering import rendered_event
from scim.resources.errors import StorageUnavailableError
from scim.resources.identifiers import begin_operation, new_resource_id
from scim.resources.schema import ENTERPRISE_URN
from tests.api import ApiClient
from tests.fakes.memory_table import MemoryTable, Request
from tests.service import EXTENSION_URN, ScimClient, Service

TAG = {"name": "tag", "path": f"{EXTENSION_URN}:tag"}
LEVEL = {"name": "level", "path": f"{EXTENSION_URN}:level", "type": "integer"}
NUMBER = {"name": "number", "path": f"{ENTERPRISE_URN}:employeeNumber"}
HOME = {"name": "home", "path": 'emails[type eq "home"].value'}
MATCHING = {**TAG, "matching": True}


@dataclass(slots=True)
class Clock:
    time: datetime

    def now(self) -> datetime:
        return self.time

    async def service_time(self) -> datetime:
        return self.time

    def settle(self) -> None:
        self.time += SETTLING + timedelta(minutes=1)  # a table in memory counts a millisecond for each write


@pytest.fixture
def clock(service: Service) -> Clock:
    """The clock of the service; asked for before the service is used."""
    clock = Clock(datetime.now(UTC))
    service.application.__dict__["now"] = clock.now
    service.application.__dict__["service_clock"] = clock.service_time
    return clock


async def put(api: ApiClient, scim: ScimClient, *mappings: dict[str, Any]) -> None:
    body = {"attribute_mappings": list(mappings)}
    answer = await api.put(f"directories/{scim.directory.id}/attribute-mappings", body)
    assert answer.status == 200, answer.json


async def fresh(scim: ScimClient) -> ScimClient:
    """Return the client as a process that has read the directory just now."""
    directory = await scim.application.directories.get_directory(scim.directory.id)
    scim.application.__dict__.pop("provisioning", None)
    client = replace(scim, directory=directory)
    assert (await client.get("/ResourceTypes")).status == 200
    return client


async def run(scim: ScimClient) -> None:
    await scim.application.background.relay_directory(scim.directory.id)


async def change_of(api: ApiClient, scim: ScimClient) -> Any:
    return (await api.get(f"directories/{scim.directory.id}")).json["mapping_change"]


async def directory_rows(scim: ScimClient) -> list[str]:
    table = scim.application.account.table(DIRECTORIES_TABLE)
    return [row.key for row in (await table.query(scim.directory.id, " ", "~")).rows]


async def told(scim: ScimClient) -> list[dict[str, Any]]:
    """Return the events that changes of mappings made, as they are stored."""
    page = await read_feed(scim.partition, FeedCursor(), 1000)
    return [event for _, event in page.events if event.get("reason") == "mapping"]


def user_of(event: dict[str, Any]) -> str:
    return str(event["data"]["resource"]["id"])


async def profile(api: ApiClient, scim: ScimClient, user_id: str) -> Any:
    return (await api.get(f"directories/{scim.directory.id}/users/{user_id}")).json


@pytest.mark.parametrize("storage_kind", ["memory", "azurite"])
async def test_what_arrived_before_its_mapping_is_in_reads_at_once_and_in_one_event_by_the_job(
    clock: Clock, api: ApiClient, scim: ScimClient
) -> None:
    anna = await scim.new_user("anna", **{EXTENSION_URN: {"tag": "blue", "level": 7}})
    bob = await scim.new_user("bob", **{EXTENSION_URN: {"tag": "red"}})
    await put(api, scim, TAG, LEVEL)

    assert (await profile(api, scim, anna["id"]))["custom_attributes"] == {"tag": "blue", "level": 7}
    assert await change_of(api, scim) == {
        "started_at": clock.time.isoformat().replace("+00:00", "Z"),
        "examined_users": 0,
        "updated_users": 0,
    }
    await run(scim)

    assert await change_of(api, scim) is None
    former = [key for key in await directory_rows(scim) if key.startswith("mappings|")]
    assert former == []
    (event,) = await told(scim)
    directory = await scim.application.directories.get_directory(scim.directory.id)
    rendered = rendered_event(directory, event)
    assert (rendered["type"], rendered["reason"]) == ("user.updated", "mapping")
    assert rendered["data"]["user"]["custom_attributes"] == {"tag": "blue", "level": 7}
    assert (rendered["changed"], rendered["previous_attributes"]) == (
        ["custom_attributes"],
        {"custom_attributes": {"tag": "blue"}},
    )
    read = (await scim.get(f"/Users/{anna['id']}")).json
    assert {name: value for name, value in read.items() if name != "meta"} == {
        name: value for name, value in anna.items() if name != "meta"
    }
    assert read["meta"]["version"] != anna["meta"]["version"]
    assert (await scim.get(f"/Users/{bob['id']}")).json == bob
    assert await check_directory(scim.partition) == []


async def test_a_removed_mapping_takes_its_value_out_of_the_profile_and_the_document_keeps_it(
    clock: Clock, api: ApiClient, scim: ScimClient
) -> None:
    anna = (await scim.new_user("anna", **{EXTENSION_URN: {"tag": "blue"}}))["id"]
    await put(api, scim)
    await run(scim)

    (event,) = await told(scim)
    assert event["previous_attributes"] == {"custom_attributes": {"tag": "blue"}}
    assert (await profile(api, scim, anna))["custom_attributes"] == {}
    assert (await scim.get(f"/Users/{anna}")).json[EXTENSION_URN] == {"tag": "blue"}


async def test_a_mapping_with_a_value_filter_is_brought_like_any_other(
    clock: Clock, api: ApiClient, scim: ScimClient
) -> None:
    emails = [{"type": "work", "value": "a@example.com"}, {"type": "home", "value": "b@example.com"}]
    anna = (await scim.new_user("anna", emails=emails))["id"]
    await scim.new_user("bob", emails=emails[:1])
    await put(api, scim, TAG, HOME)
    await run(scim)

    assert [user_of(event) for event in await told(scim)] == [anna]


@pytest.mark.parametrize(
    "mapping", [{**TAG, "description": "Colour"}, {**TAG, "required": True}], ids=["description", "required"]
)
async def test_a_change_that_no_profile_shows_starts_nothing(
    api: ApiClient, scim: ScimClient, mapping: dict[str, Any]
) -> None:
    await scim.new_user("anna", **{EXTENSION_URN: {"tag": "blue"}})
    await put(api, scim, mapping)

    assert await change_of(api, scim) is None


async def test_a_user_created_under_the_new_mappings_has_no_event_of_them(
    clock: Clock, api: ApiClient, scim: ScimClient
) -> None:
    await put(api, scim, TAG, LEVEL)
    await (await fresh(scim)).new_user("anna", **{EXTENSION_URN: {"level": 7}})
    await run(scim)

    assert await told(scim) == []


def table_of(scim: ScimClient, name: str) -> MemoryTable:
    table = scim.application.account.table(name)
    assert isinstance(table, MemoryTable)
    return table


async def many_users(scim: ScimClient, number: int) -> list[str]:
    return [
        (await scim.new_user(f"user{index}", **{EXTENSION_URN: {"tag": str(index), "level": index}}))["id"]
        for index in range(number)
    ]


@pytest.mark.parametrize("break_off", [f"{kind} {number}" for kind in ("before", "after") for number in range(24)])
async def test_wherever_the_job_breaks_off_each_user_has_one_event(
    clock: Clock, api: ApiClient, scim: ScimClient, monkeypatch: pytest.MonkeyPatch, break_off: str
) -> None:
    monkeypatch.setattr(mapping_changes, "USERS_AT_ONCE", 2)
    users = await many_users(scim, 5)
    await scim.relay()
    await put(api, scim, MATCHING, LEVEL)
    clock.settle()
    kind, number = break_off.split()
    requests = count()

    def fault(_: Request) -> Exception | None:
        return StorageUnavailableError("gone") if next(requests) >= int(number) else None

    for name in (RESOURCES_TABLE, DIRECTORIES_TABLE):
        setattr(table_of(scim, name), kind, fault)
    with suppress(StorageUnavailableError, DirectoryStoreUnavailableError):
        await run(scim)
    for name in (RESOURCES_TABLE, DIRECTORIES_TABLE):
        setattr(table_of(scim, name), kind, None)
    await scim.application.background.sweep()

    assert sorted(user_of(event) for event in await told(scim)) == sorted(users)
    assert await change_of(api, scim) is None
    assert await check_directory(scim.partition) == []


async def test_several_machines_bring_a_change_at_once(clock: Clock, api: ApiClient, scim: ScimClient) -> None:
    users = await many_users(scim, 20)
    await put(api, scim, TAG, LEVEL)

    await asyncio.gather(*(run(scim) for _ in range(4)))
    await scim.application.background.sweep()

    assert sorted(user_of(event) for event in await told(scim)) == sorted(users)


async def test_users_that_change_meanwhile_lose_nothing(clock: Clock, api: ApiClient, scim: ScimClient) -> None:
    users = await many_users(scim, 10)
    await put(api, scim, TAG, LEVEL)

    async def rename(user_id: str) -> None:
        answer = await scim.patch(f"/Users/{user_id}", {"op": "replace", "path": "title", "value": "Boss"})
        assert answer.status == 200

    await asyncio.gather(run(scim), *(rename(each) for each in users))
    await run(scim)

    assert sorted(user_of(event) for event in await told(scim)) == sorted(users)
    assert [(await scim.get(f"/Users/{each}")).json["title"] for each in users] == ["Boss"] * 10
    assert await check_directory(scim.partition) == []


async def one_batch(scim: ScimClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the job until its row is written for the first time."""
    with monkeypatch.context() as patch:
        patch.setattr(mapping_changes, "USERS_AT_ONCE", 2)
        patch.setattr(mapping_changes, "SECONDS_KEPT", 1000.0)
        await run(scim)


@pytest.mark.parametrize("seed", range(20))
async def test_changes_that_overtake_each_other_tell_each_user_every_state_once(
    clock: Clock, api: ApiClient, scim: ScimClient, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """What is told of a user begins with the first state, ends with the last, and two neighbours always differ."""
    chance = random.Random(seed)
    users = await many_users(scim, 7)
    states: list[list[dict[str, Any]]] = [[TAG], [TAG, LEVEL], [LEVEL], [{**TAG, "name": "colour"}], [], [MATCHING]]
    for _ in range(6):
        if chance.random() < 0.5:
            await put(api, scim, *chance.choice(states))
        clock.settle()
        await one_batch(scim, monkeypatch)
    await put(api, scim, *(final := chance.choice(states)))
    clock.settle()
    await run(scim)

    events = await told(scim)
    assert await change_of(api, scim) is None
    for index, user_id in enumerate(users):
        previous = [event["previous_attributes"]["custom_attributes"] for event in events if user_of(event) == user_id]
        values = {"tag": str(index), "level": index, "colour": str(index)}
        last = {mapping["name"]: values[mapping["name"]] for mapping in final}
        chain = [*previous, last]
        assert chain[0] == {"tag": str(index)}
        assert all(one != next_one for one, next_one in pairwise(chain))
    assert await check_directory(scim.partition) == []


def found_by(scim: ScimClient) -> list[str]:
    return [key for key in table_of(scim, RESOURCES_TABLE).rows(scim.directory.id) if key.startswith("z|")]


async def search(scim: ScimClient, value: str) -> tuple[list[str], int]:
    answer = await scim.get("/Users", {"filter": f'{EXTENSION_URN}:tag eq "{value}"'})
    assert answer.status == 200, answer.json
    return answer.ids, answer.storage_requests


@pytest.mark.parametrize("storage_kind", ["memory", "azurite"])
async def test_a_matching_attribute_is_found_by_one_query(service: Service) -> None:
    scim = await service.new_directory([AttributeMapping("tag", f"{EXTENSION_URN}:tag", matching=True)])
    anna = (await scim.new_user("anna", **{EXTENSION_URN: {"tag": "Blue"}}))["id"]
    other = (await scim.new_user("bob", **{EXTENSION_URN: {"tag": "red"}}))["id"]

    assert await search(scim, "blue") == ([anna], 2)
    assert await search(scim, "green") == ([], 1)
    both = f'{EXTENSION_URN}:TAG eq "BLUE" and active eq true'
    assert (await scim.get("/Users", {"filter": both})).storage_requests == 2

    changed = await scim.patch(f"/Users/{anna}", {"op": "replace", "path": f"{EXTENSION_URN}:tag", "value": "green"})
    assert changed.storage_requests == 2
    assert await search(scim, "blue") == ([], 1)
    assert await search(scim, "green") == ([anna], 2)
    assert await check_directory(scim.partition) == []
    await scim.delete(f"/Users/{anna}")
    assert await search(scim, "green") == ([], 1)
    await scim.put(f"/Users/{other}", {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "bob"})
    assert await search(scim, "red") == ([], 1)
    assert await check_directory(scim.partition) == []


async def test_a_mapping_that_becomes_matching_is_relied_on_when_every_user_has_its_row(
    clock: Clock, api: ApiClient, scim: ScimClient
) -> None:
    anna = await scim.new_user("anna", **{EXTENSION_URN: {"tag": "blue"}})
    await put(api, scim, MATCHING)
    await run(scim)
    assert found_by(scim) == []
    bob = (await scim.new_user("bob", **{EXTENSION_URN: {"tag": "blue"}}))["id"]
    scim = await fresh(scim)
    assert (await search(scim, "blue"))[0] == [anna["id"], bob]

    clock.settle()
    await run(scim)
    scim = await fresh(scim)

    assert len(found_by(scim)) == 2
    assert await search(scim, "blue") == ([anna["id"], bob], 3)
    assert (await scim.get(f"/Users/{anna['id']}")).json == anna
    assert await told(scim) == []
    await put(api, scim, TAG)
    scim = await fresh(scim)
    assert (await search(scim, "blue"))[0] == [anna["id"], bob]
    clock.settle()
    await run(scim)
    assert found_by(scim) == []


async def test_a_process_that_still_has_the_old_mappings_leaves_no_user_that_is_not_found(
    clock: Clock, api: ApiClient, scim: ScimClient
) -> None:
    """The client keeps the directory of its first request, as a process does for 30 seconds."""
    stale = scim.application.resources_of(scim.directory)
    await put(api, scim, MATCHING)
    await run(scim)
    document = {"schemas": [], "id": new_resource_id("User"), "userName": "late", EXTENSION_URN: {"tag": "blue"}}
    await stale.create_user(document, begin_operation())
    clock.time += timedelta(minutes=1)
    await run(scim)
    clock.settle()
    await run(scim)

    assert await search(await fresh(scim), "blue") == ([document["id"]], 2)


@pytest.mark.parametrize(
    ("mappings", "field"),
    [
        ([{**LEVEL, "matching": True}], "attribute_mappings[level].matching"),
        ([{**HOME, "matching": True}], "attribute_mappings[home].matching"),
        ([{**TAG, "multi_valued": True, "matching": True}], "attribute_mappings[tag].matching"),
        (
            [{"name": "kind", "path": "displayName", "resource": "Group", "matching": True}],
            "attribute_mappings[kind].matching",
        ),
        (
            [{"name": f"a{n}", "path": f"{EXTENSION_URN}:a{n}", "matching": True} for n in range(6)],
            "attribute_mappings[a5].matching",
        ),
    ],
)
async def test_what_no_lookup_row_can_be_made_of_is_not_matching(
    api: ApiClient, scim: ScimClient, mappings: Sequence[dict[str, Any]], field: str
) -> None:
    body = {"attribute_mappings": list(mappings)}
    answer = await api.put(f"directories/{scim.directory.id}/attribute-mappings", body)

    assert (answer.status, answer.json["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize("left", ["nothing", "another value"])
async def test_the_check_finds_and_mends_what_a_stale_process_wrote_by_other_mappings(
    clock: Clock, api: ApiClient, scim: ScimClient, left: str
) -> None:
    user_id = (await scim.new_user("anna", **{EXTENSION_URN: {"tag": "red"}}))["id"]
    await put(api, scim, MATCHING)
    clock.settle()
    await run(scim)
    client = await fresh(scim)
    partition = client.partition
    user = await partition.read(keys.document(user_id))
    assert user is not None
    own = keys.matching(str(user.values.get("matching", "")).split(), user_id)
    other = "0" * 40 + "|" + "1" * 40
    stale = "" if left == "nothing" else other
    writes = [
        *(delete(key) for key in own),
        *(insert(key, {"id": user_id}) for key in keys.matching([other], user_id) if stale),
    ]
    await partition.commit([merge(user.key, {"matching": stale}), *writes])

    before = await check_directory(partition)
    done = await repair_directory(partition)

    assert [violation.kind for violation in before] == ["wrong_matching"]
    assert ([violation.kind for violation in done.mended], done.left) == (["wrong_matching"], [])
    assert await check_directory(partition) == []
    mended = await partition.read(keys.document(user_id))
    assert mended is not None
    assert str(mended.values["matching"]) == str(user.values.get("matching", ""))


async def test_the_check_waits_for_a_change_of_matching_mappings(
    clock: Clock, api: ApiClient, scim: ScimClient
) -> None:
    await scim.new_user("anna", **{EXTENSION_URN: {"tag": "red"}})
    await put(api, scim, MATCHING)
    client = await fresh(scim)

    assert await check_directory(client.partition) == []

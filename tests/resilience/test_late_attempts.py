"""An attempt that storage carries out late undoes nothing that was answered, and nothing is told twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import pytest

from scim.adapters.tables import large_groups
from scim.adapters.tables.relay import relay
from scim.adapters.tables.transport import AiohttpTransport
from scim.local_host.azurite import Azurite
from tests.faults import Late, drop_before_commit, transactions
from tests.resilience.background_writes import BACKGROUND_WRITES
from tests.resilience.change import WriteKind
from tests.resilience.group_writes import GROUP_WRITES
from tests.resilience.late_attempts import Lateness, come_late
from tests.resilience.matrix import storage_calls
from tests.resilience.scene import Scene, open_scene
from tests.resilience.soundness import assert_sound
from tests.resilience.stock import unique
from tests.resilience.user_writes import USER_WRITES
from tests.service import add_members, group, remove_members, user

WRITES: dict[str, WriteKind] = USER_WRITES | GROUP_WRITES | BACKGROUND_WRITES
_QUICK = 2
"""Of a write of many transactions the first ones are those that differ."""
Open = Callable[[], Awaitable[Scene]]


@pytest.fixture
def directory(azurite: Azurite, connections: AiohttpTransport) -> Open:
    """Open a fresh directory on tables of its own."""
    return lambda: open_scene(azurite.connection_string, connections)


@pytest.fixture
async def scene(directory: Open) -> Scene:
    return await directory()


@pytest.fixture
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> WriteKind:
    """The kind of write under test."""
    kind = WRITES[request.param]
    monkeypatch.setattr(large_groups, "_EVENTS_PER_ROW", kind.events_per_row)
    return kind


@pytest.mark.parametrize("kind", WRITES, indirect=True)
async def test_a_late_attempt_of_the_first_transactions_of_a_write_changes_nothing(
    directory: Open, kind: WriteKind
) -> None:
    count = await _transactions(directory, kind)

    await _all_come_late(directory, kind, min(count, _QUICK))


@pytest.mark.exhaustive
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", WRITES, indirect=True)
async def test_a_late_attempt_of_any_transaction_of_a_write_changes_nothing(directory: Open, kind: WriteKind) -> None:
    await _all_come_late(directory, kind, await _transactions(directory, kind))


async def _transactions(directory: Open, kind: WriteKind) -> int:
    return sum(map(transactions, await storage_calls(await directory(), kind)))


async def _all_come_late(directory: Open, kind: WriteKind, transactions: int) -> None:
    """Let the first attempt of each of so many transactions come late, answered and given up."""
    cases = [Lateness(at, is_given_up) for at in range(1, transactions + 1) for is_given_up in (False, True)]
    scene, failures = await directory(), list[str]()
    for lateness, change in zip(cases, await kind.prepare(scene, len(cases)), strict=True):
        try:
            await come_late(scene, kind, change, lateness)
        except AssertionError as failure:
            failures.append(f"{lateness}: {failure}")
    assert failures == []
    if kind.is_replayable:
        await assert_sound(scene.client.application, scene.client.partition)


async def test_a_user_that_was_created_and_deleted_stays_deleted(scene: Scene) -> None:
    late = Late()
    scene.transport.when(transactions, late.fault())
    created = await scene.client.post("/Users", user(unique()))
    path = f"/Users/{created.json['id']}"
    deleted = await scene.client.delete(path)
    await relay(scene.partition)

    assert await late.arrive() == 1

    assert (created.status, deleted.status) == (HTTPStatus.CREATED, HTTPStatus.NO_CONTENT)
    assert (await scene.client.get(path)).status == HTTPStatus.NOT_FOUND
    await assert_sound(scene.client.application, scene.client.partition)


async def test_a_group_that_was_created_and_deleted_stays_deleted(scene: Scene) -> None:
    late = Late()
    scene.transport.when(transactions, late.fault())
    created = await scene.client.post("/Groups", group(unique(), scene.pool[:3]))
    path = f"/Groups/{created.json['id']}"
    assert (await scene.client.delete(path)).status == HTTPStatus.NO_CONTENT
    await scene.client.relay()

    assert await late.arrive() == 1

    assert (await scene.client.get(path)).status == HTTPStatus.NOT_FOUND
    await assert_sound(scene.client.application, scene.client.partition)


async def test_a_member_that_was_removed_stays_removed(scene: Scene) -> None:
    group_id = await scene.group(scene.pool[:3])
    late = Late()
    scene.transport.when(transactions, late.fault())
    added = await scene.client.patch(f"/Groups/{group_id}", add_members(scene.pool[5]))
    removed = await scene.client.patch(f"/Groups/{group_id}", remove_members(scene.pool[5]))
    await relay(scene.partition)

    assert await late.arrive() == 1

    assert (added.status, removed.status) == (HTTPStatus.NO_CONTENT, HTTPStatus.NO_CONTENT)
    held = await assert_sound(scene.client.application, scene.client.partition)
    assert (group_id, scene.pool[5]) not in held.memberships


async def test_a_member_that_was_added_back_stays(scene: Scene) -> None:
    group_id = await scene.group(scene.pool[:3])
    late = Late()
    scene.transport.when(transactions, late.fault())
    await scene.client.patch(f"/Groups/{group_id}", remove_members(scene.pool[0]))
    await scene.client.patch(f"/Groups/{group_id}", add_members(scene.pool[0]))
    await relay(scene.partition)

    assert await late.arrive() == 1

    held = await assert_sound(scene.client.application, scene.client.partition)
    assert (group_id, scene.pool[0]) in held.memberships


async def test_a_member_that_was_removed_stays_removed_when_its_first_addition_was_given_up(scene: Scene) -> None:
    path = f"/Groups/{await scene.group(scene.pool[:3])}"
    late = Late()
    scene.transport.when(transactions, late.fault())
    scene.transport.when(transactions, drop_before_commit(), times=3)
    given_up = await scene.client.patch(path, add_members(scene.pool[5]))
    added = await scene.client.patch(path, add_members(scene.pool[5]))
    removed = await scene.client.patch(path, remove_members(scene.pool[5]))
    await relay(scene.partition)
    await scene.settle()

    assert await late.arrive() == 1

    assert given_up.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert (added.status, removed.status) == (HTTPStatus.NO_CONTENT, HTTPStatus.NO_CONTENT)
    held = await assert_sound(scene.client.application, scene.client.partition)
    assert (path.rpartition("/")[2], scene.pool[5]) not in held.memberships


def _large_group(scene: Scene) -> dict[str, object]:
    return group(unique(), scene.pool[:40])


async def test_a_large_group_stays_when_its_mark_is_set_again(scene: Scene) -> None:
    late = Late()
    scene.transport.when(lambda call: b"group_staging" in call.request.body, late.fault())
    created = await scene.client.post("/Groups", _large_group(scene))
    await relay(scene.partition)

    assert await late.arrive() == 1

    held = await assert_sound(scene.client.application, scene.client.partition)
    assert {member for group_id, member in held.memberships if group_id == created.json["id"]} == {*scene.pool[:40]}


async def test_a_member_that_left_a_large_group_is_not_brought_back(scene: Scene) -> None:
    late = Late()
    scene.transport.when(lambda call: b'"staged":true' in call.request.body, late.fault())
    created = await scene.client.post("/Groups", _large_group(scene))
    path = f"/Groups/{created.json['id']}"
    left = await scene.client.patch(path, remove_members(*scene.pool[:30]))
    await relay(scene.partition)

    assert await late.arrive() == 1

    assert (created.status, left.status) == (HTTPStatus.CREATED, HTTPStatus.NO_CONTENT)
    held = await assert_sound(scene.client.application, scene.client.partition)
    assert {member for _, member in held.memberships} == {*scene.pool[30:40]}


async def test_every_write_says_how_long_storage_may_work_on_it(scene: Scene) -> None:
    scene.transport.reset()
    await scene.client.post("/Users", user(unique()))

    (call,) = (call for call in scene.transport.calls if transactions(call))
    assert call.request.url.endswith("?timeout=8" if call.timeout > 9.5 else "?timeout=7")

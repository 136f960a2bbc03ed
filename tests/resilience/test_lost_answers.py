"""The answer to a change is lost, and others go on before it is asked for again: it is recognised all the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import pytest

from scim.adapters.tables.relay import relay
from scim.adapters.tables.transport import AiohttpTransport, ConnectionLostError, StorageRequest, StorageResponse
from scim.local_host.azurite import Azurite
from tests.faults import Fault, Send, transactions
from tests.resilience.scene import Scene, open_scene
from tests.resilience.soundness import assert_sound
from tests.resilience.stock import unique
from tests.service import add_members, remove_members, user

_MANY = 1200
"""More changes than one page of the feed holds."""


@pytest.fixture
async def scene(azurite: Azurite, connections: AiohttpTransport) -> Scene:
    return await open_scene(azurite.connection_string, connections)


def lost_while(others: Callable[[], Awaitable[None]]) -> Fault:
    """Storage acts, the answer is lost, and others do something before the caller can try again."""

    async def fault(request: StorageRequest, send: Send) -> StorageResponse:
        await send(request)
        await others()
        raise ConnectionLostError("dropped after it was sent", sent=True)

    return fault


async def _guarded(scene: Scene, others: Callable[[str], Awaitable[None]]) -> None:
    """Add a member to a group under If-Match, and lose the answer while others change the group."""
    group_id = await scene.group(scene.pool[:3])
    path = f"/Groups/{group_id}"
    version = (await scene.client.get(path)).headers["ETag"]
    scene.transport.when(transactions, lost_while(lambda: others(group_id)))

    answered = await scene.client.patch(path, add_members(scene.pool[5]), If_Match=version)

    assert answered.status == HTTPStatus.NO_CONTENT
    held = await assert_sound(scene.client.application, scene.client.partition)
    assert (group_id, scene.pool[5]) in held.memberships


async def test_a_guarded_change_of_members_is_recognised_behind_another_one(scene: Scene) -> None:
    async def others(group_id: str) -> None:
        await scene.client.patch(f"/Groups/{group_id}", remove_members(scene.pool[0]))

    await _guarded(scene, others)


async def test_a_guarded_change_of_members_is_recognised_when_it_is_relayed(scene: Scene) -> None:
    async def others(group_id: str) -> None:
        await scene.client.patch(f"/Groups/{group_id}", remove_members(scene.pool[0]))
        await relay(scene.partition)

    await _guarded(scene, others)


async def test_a_guarded_change_of_members_is_recognised_behind_many_others(scene: Scene) -> None:
    async def others(group_id: str) -> None:
        await scene.client.patch(f"/Groups/{group_id}", remove_members(scene.pool[0]))
        await scene.users(_MANY)
        await relay(scene.partition)

    await _guarded(scene, others)


async def test_a_guarded_change_that_was_not_applied_is_refused(scene: Scene) -> None:
    group_id = await scene.group(scene.pool[:3])
    path = f"/Groups/{group_id}"
    version = (await scene.client.get(path)).headers["ETag"]

    async def lost(request: StorageRequest, send: Send) -> StorageResponse:
        await scene.client.patch(path, remove_members(scene.pool[0]))
        await relay(scene.partition)
        raise ConnectionLostError("dropped on its way", sent=True)

    scene.transport.when(transactions, lost)

    answered = await scene.client.patch(path, add_members(scene.pool[5]), If_Match=version)

    assert answered.status == HTTPStatus.PRECONDITION_FAILED
    held = await assert_sound(scene.client.application, scene.client.partition)
    assert (group_id, scene.pool[5]) not in held.memberships


async def test_a_change_of_members_is_not_applied_twice_when_another_undid_it(scene: Scene) -> None:
    group_id = await scene.group(scene.pool[:3])
    path = f"/Groups/{group_id}"

    async def others() -> None:
        await scene.client.patch(path, remove_members(scene.pool[5]))
        await relay(scene.partition)

    scene.transport.when(transactions, lost_while(others))

    answered = await scene.client.patch(path, add_members(scene.pool[5]))

    assert answered.status == HTTPStatus.NO_CONTENT
    held = await assert_sound(scene.client.application, scene.client.partition)
    assert (group_id, scene.pool[5]) not in held.memberships


async def test_a_user_is_not_created_twice_when_another_deleted_it(scene: Scene) -> None:
    name = unique()

    async def others() -> None:
        (user_id,) = await scene.client.find(f'userName eq "{name}"')
        assert (await scene.client.delete(f"/Users/{user_id}")).status == HTTPStatus.NO_CONTENT
        await relay(scene.partition)

    scene.transport.when(transactions, lost_while(others))

    answered = await scene.client.post("/Users", user(name))

    assert answered.status == HTTPStatus.CREATED
    held = await assert_sound(scene.client.application, scene.client.partition)
    assert answered.json["id"] not in held.users

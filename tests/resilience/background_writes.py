"""Every kind of write off the request path: relay, retention, and finishing what was left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus

from scim.adapters.tables import keys
from scim.adapters.tables.feed import forget_old_events
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.relay import relay
from scim.adapters.tables.settled import is_settled
from scim.adapters.tables.table import merge
from tests.faults import Call, drop_before_send
from tests.resilience.change import Change, Step, WriteKind, in_background
from tests.resilience.scene import Scene
from tests.resilience.soundness import age_unfinished
from tests.resilience.stock import unique
from tests.service import group

_OK = HTTPStatus.OK
_EVENTS = 60
"""More than one transaction of the relay moves."""
Interruption = Callable[[Scene], Awaitable[None]]


def _relaying(scene: Scene) -> Step:
    return partial(scene.client.application.background.relay_directory, scene.client.directory.id)


async def _relayed(scene: Scene, count: int) -> Sequence[Change]:
    async def arrange() -> None:
        await relay(scene.client.partition)
        await scene.users(_EVENTS)

    return [_background(scene, _relaying(scene), arrange) for _ in range(count)]


def _background(scene: Scene, work: Step, arrange: Step) -> Change:
    return Change(partial(in_background, work), partial(_nothing_is_left, scene.client.partition), arrange)


async def _nothing_is_left(partition: Partition) -> None:
    for key_range in ((keys.OUTBOX_FIRST, keys.OUTBOX_END), (keys.UNFINISHED_FIRST, keys.UNFINISHED_END)):
        assert [row.key async for row in partition.rows(key_range) if not is_settled(row)] == []


def _finishing(interrupt: Interruption, events_per_row: int = 500) -> WriteKind:
    """Return the finishing of what an interrupted operation left."""

    async def prepare(scene: Scene, count: int) -> Sequence[Change]:
        async def arrange() -> None:
            await interrupt(scene)
            await relay(scene.client.partition)
            await age_unfinished(scene.client.partition)

        return [_background(scene, _relaying(scene), arrange) for _ in range(count)]

    return WriteKind(prepare, _OK, events_per_row=events_per_row)


def _fail_at(scene: Scene, *, text: bytes, but: bytes = b"no such text") -> None:
    """Let the first transaction that holds one text, but not another, fail for good in what is sent next."""

    def matches(call: Call) -> bool:
        return call.kind == "transaction" and text in call.request.body and but not in call.request.body

    scene.transport.when(matches, drop_before_send(), times=4)


async def _delete_group(scene: Scene) -> None:
    """A group of 50 members that is a member of two is deleted: its memberships are left."""
    group_id = await scene.group(scene.pool[:50])
    for _ in range(2):
        await scene.group([group_id, scene.pool[0]])
    assert (await scene.client.delete(f"/Groups/{group_id}")).status == HTTPStatus.NO_CONTENT


async def _stop_announcing(scene: Scene) -> None:
    """A group of 40 members is there, and nobody was told of all that they are its members."""
    _fail_at(scene, text=b"user_added", but=b"group.created")
    await scene.client.post("/Groups", group(unique(), scene.pool[:40]))


async def _stop_staging(scene: Scene) -> None:
    """A group of 40 members never came to be: its memberships are left."""
    _fail_at(scene, text=b"group.created")
    await scene.client.post("/Groups", group(unique(), scene.pool[:40]))


async def _left_leaving(scene: Scene, count: int) -> Sequence[Change]:
    """Users that have left all but 20 of 25 groups and are not deleted: the deletion goes on."""
    users = await scene.users(count)
    for group_id in await scene.groups(25):
        await scene.join(group_id, users)

    async def interrupt(user_id: str) -> None:
        _fail_at(scene, text=b"user.deleted")
        await scene.client.delete(f"/Users/{user_id}")
        await relay(scene.client.partition)
        await age_unfinished(scene.client.partition)

    return [_background(scene, _relaying(scene), partial(interrupt, each)) for each in users]


async def _forgotten(scene: Scene, count: int) -> Sequence[Change]:
    partition = scene.client.partition

    async def arrange() -> None:
        await relay(partition)
        await scene.users(3)
        old = [row.key async for row in partition.rows((keys.FEED_FIRST, keys.FEED_END), select=("RowKey",))]
        await relay(partition)
        long_ago = (datetime.now(UTC) - timedelta(days=31)).isoformat()
        for start in range(0, len(old), 100):
            await partition.commit([merge(key, {"time": long_ago}) for key in old[start : start + 100]])

    async def holds() -> None:
        assert len([row async for row in partition.rows((keys.FEED_FIRST, keys.FEED_END))]) == 3

    async def work() -> None:
        await forget_old_events(partition)

    return [Change(partial(in_background, work), holds, arrange) for _ in range(count)]


BACKGROUND_WRITES = {
    "relay": WriteKind(_relayed, _OK),
    "finishing the deletion of a group": _finishing(_delete_group),
    "finishing the announcement of a group's members": _finishing(_stop_announcing, events_per_row=15),
    "finishing a group that never came to be": _finishing(_stop_staging),
    "finishing the deletion of a user": WriteKind(_left_leaving, _OK),
    "retention": WriteKind(_forgotten, _OK, is_replayable=False),
}

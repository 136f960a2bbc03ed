"""Every kind of write to groups."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from tests.resilience.change import Change, WriteKind
from tests.resilience.scene import Scene
from tests.resilience.stock import unique
from tests.service import Answer, add_members, group, references, remove_members

_CREATED, _OK, _GONE = HTTPStatus.CREATED, HTTPStatus.OK, HTTPStatus.NO_CONTENT
_NEW_NAME = "renamed "
Request = Callable[[Scene, str], Awaitable[Answer]]


def _created(members: int, events_per_row: int = 500) -> WriteKind:
    async def prepare(scene: Scene, count: int) -> Sequence[Change]:
        return [_creation(scene, unique(), scene.pool[:members]) for _ in range(count)]

    return WriteKind(prepare, _CREATED, repeated=HTTPStatus.CONFLICT, events_per_row=events_per_row)


def _creation(scene: Scene, name: str, members: Sequence[str]) -> Change:
    async def found() -> list[str]:
        return await scene.client.find(f'displayName eq "{name}"', "/Groups")

    async def is_whole() -> None:
        for each in await found():
            assert await _members(scene, each) == sorted(members)

    async def holds() -> None:
        assert len(await found()) == 1
        await is_whole()

    return Change(lambda: scene.client.post("/Groups", group(name, members)), holds, is_whole=is_whole)


async def _members(scene: Scene, group_id: str) -> list[str]:
    answer = await scene.client.get(f"/Groups/{group_id}")
    return [member["value"] for member in answer.json.get("members", [])]


def _changed(
    request: Request, *, before: range, after: range, success: int = _GONE, is_renamed: bool = False
) -> WriteKind:
    """Return the kind of write that leads a group from some members of the pool to others."""

    async def prepare(scene: Scene, count: int) -> Sequence[Change]:
        made = await scene.groups(count, [scene.pool[at] for at in before])
        return [Change(partial(request, scene, each), partial(holds, scene, each)) for each in made]

    async def holds(scene: Scene, group_id: str) -> None:
        assert await _members(scene, group_id) == sorted(scene.pool[at] for at in after)
        assert is_renamed == bool(await scene.client.find(f'displayName eq "{_NEW_NAME}{group_id}"', "/Groups"))

    return WriteKind(prepare, success)


def _patch(*operations: Callable[[Scene, str], dict[str, Any]]) -> Request:
    async def request(scene: Scene, group_id: str) -> Answer:
        return await scene.client.patch(f"/Groups/{group_id}", *(make(scene, group_id) for make in operations))

    return request


def _add(members: range) -> Callable[[Scene, str], dict[str, Any]]:
    return lambda scene, _: add_members(*(scene.pool[at] for at in members))


def _remove(members: range) -> Callable[[Scene, str], dict[str, Any]]:
    return lambda scene, _: remove_members(*(scene.pool[at] for at in members))


def _replace(members: range) -> Callable[[Scene, str], dict[str, Any]]:
    return lambda scene, _: {"op": "replace", "path": "members", "value": references(*_of(scene, members))}


def _of(scene: Scene, members: range) -> list[str]:
    return [scene.pool[at] for at in members]


def _remove_all(scene: Scene, group_id: str) -> dict[str, Any]:
    return {"op": "remove", "path": "members"}


def _rename(scene: Scene, group_id: str) -> dict[str, Any]:
    return {"op": "replace", "path": "displayName", "value": _NEW_NAME + group_id}


def _put(members: range) -> Request:
    async def request(scene: Scene, group_id: str) -> Answer:
        body = group(_NEW_NAME + group_id, _of(scene, members))
        return await scene.client.put(f"/Groups/{group_id}", body)

    return request


async def _put_under_the_same_name(scene: Scene, count: int) -> Sequence[Change]:
    changes, members = [], _of(scene, range(20, 60))
    for _ in range(count):
        name = unique()
        group_id = await scene.group(scene.pool[:35], name)

        async def holds(group_id: str = group_id) -> None:
            assert await _members(scene, group_id) == sorted(members)

        changes.append(Change(partial(scene.client.put, f"/Groups/{group_id}", group(name, members)), holds))
    return changes


async def _deleted(scene: Scene, count: int) -> Sequence[Change]:
    made = await scene.groups(count, scene.pool[:3])
    return [_deletion(scene, each) for each in made]


async def _deleted_nested(scene: Scene, count: int) -> Sequence[Change]:
    made = await scene.groups(count, scene.pool[:2])
    for _ in range(2):
        await scene.group(made)
    return [_deletion(scene, each) for each in made]


def _deletion(scene: Scene, group_id: str) -> Change:
    async def holds() -> None:
        assert (await scene.client.get(f"/Groups/{group_id}")).status == HTTPStatus.NOT_FOUND
        member = await scene.client.get(f"/Users/{scene.pool[0]}", {"attributes": "groups"})
        assert group_id not in [each["value"] for each in member.json.get("groups", [])]

    return Change(partial(scene.client.delete, f"/Groups/{group_id}"), holds)


GROUP_WRITES = {
    "POST group": _created(0),
    "POST group with 3 members": _created(3),
    "POST group with 40 members": _created(40),
    "POST group with 40 members, announced in steps": _created(40, events_per_row=15),
    "PATCH group, adding 1": _changed(_patch(_add(range(1))), before=range(0), after=range(1)),
    "PATCH group, adding 35": _changed(_patch(_add(range(35))), before=range(0), after=range(35)),
    "PATCH group, removing 1": _changed(_patch(_remove(range(1))), before=range(3), after=range(1, 3)),
    "PATCH group, removing 35": _changed(_patch(_remove(range(35))), before=range(40), after=range(35, 40)),
    "PATCH group, adding 4 of which 2 are there": _changed(_patch(_add(range(4))), before=range(2), after=range(4)),
    "PATCH group, removing 3 of which 1 is there": _changed(
        _patch(_remove(range(3))), before=range(2, 5), after=range(3, 5)
    ),
    "PATCH group, replacing all": _changed(_patch(_replace(range(20, 60))), before=range(35), after=range(20, 60)),
    "PATCH group, removing all": _changed(_patch(_remove_all), before=range(35), after=range(0)),
    "PATCH group, renaming": _changed(_patch(_rename), before=range(3), after=range(3), is_renamed=True),
    "PATCH group, renaming and adding 35": _changed(
        _patch(_rename, _add(range(3, 38))), before=range(3), after=range(38), is_renamed=True
    ),
    "PUT group": _changed(_put(range(20, 60)), before=range(35), after=range(20, 60), success=_OK, is_renamed=True),
    "PUT group, keeping its name": WriteKind(_put_under_the_same_name, _OK),
    "DELETE group with members": WriteKind(_deleted, _GONE, repeated=HTTPStatus.NOT_FOUND),
    "DELETE group that is a member": WriteKind(_deleted_nested, _GONE, repeated=HTTPStatus.NOT_FOUND),
}

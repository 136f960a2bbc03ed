"""Every kind of write to users, and bulk requests."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from tests.resilience.change import Change, WriteKind
from tests.resilience.scene import Scene
from tests.resilience.stock import unique
from tests.service import BULK_URN, PATCH_URN, Answer, user

_CREATED, _OK, _GONE = HTTPStatus.CREATED, HTTPStatus.OK, HTTPStatus.NO_CONTENT


def _work_email(name: str) -> list[dict[str, str]]:
    return [{"type": "work", "value": f"{name}@example.com"}]


async def _created(scene: Scene, count: int) -> Sequence[Change]:
    return [_creation(scene, unique()) for _ in range(count)]


def _creation(scene: Scene, name: str) -> Change:
    body = user(name, externalId=f"x{name}", emails=_work_email(name), active=True)

    async def holds() -> None:
        (found,) = await scene.client.find(f'userName eq "{name}"')
        assert await scene.client.find(f'externalId eq "x{name}"') == [found]
        assert await scene.client.find(f'emails[type eq "work"].value eq "{name}@example.com"') == [found]

    return Change(lambda: scene.client.post("/Users", body), holds)


async def _patched(scene: Scene, count: int) -> Sequence[Change]:
    operation = {"op": "replace", "path": "title", "value": "Changed"}
    return [
        Change(
            partial(scene.client.patch, f"/Users/{each}", operation), partial(_has, scene, each, {"title": "Changed"})
        )
        for each in await scene.users(count, title="Before")
    ]


async def _renamed(scene: Scene, count: int) -> Sequence[Change]:
    """Move every lookup row of a user: user name, external id and work e-mail."""
    changes = []
    for _ in range(count):
        old, new = unique(), unique()
        each = await scene.user(userName=old, externalId=f"x{old}", emails=_work_email(old))
        values = {"userName": new, "externalId": f"x{new}", 'emails[type eq "work"].value': f"{new}@example.com"}
        operations = [{"op": "replace", "path": path, "value": value} for path, value in values.items()]
        changes.append(
            Change(
                partial(scene.client.patch, f"/Users/{each}", *operations), partial(_is_found, scene, each, new, old)
            )
        )
    return changes


async def _is_found(scene: Scene, user_id: str, new: str, old: str) -> None:
    for name, ids in ((new, [user_id]), (old, [])):
        assert await scene.client.find(f'userName eq "{name}"') == ids
        assert await scene.client.find(f'externalId eq "x{name}"') == ids
        assert await scene.client.find(f'emails[type eq "work"].value eq "{name}@example.com"') == ids


async def _put(scene: Scene, count: int) -> Sequence[Change]:
    changes = []
    for each in await scene.users(count, title="Before", active=True):
        body = user(unique(), displayName="After", active=False)
        after = {"userName": body["userName"], "displayName": "After", "active": False, "title": None}
        changes.append(
            Change(partial(scene.client.put, f"/Users/{each}", body), partial(_has, scene, each, after)),
        )
    return changes


async def _has(scene: Scene, user_id: str, attributes: dict[str, Any]) -> None:
    answer = await scene.client.get(f"/Users/{user_id}")
    assert {name: answer.json.get(name) for name in attributes} == attributes


async def _deleted(scene: Scene, count: int, *, memberships: int) -> Sequence[Change]:
    users = await scene.users(count)
    for group_id in await scene.groups(memberships):
        await scene.join(group_id, users)
    return [
        Change(partial(scene.client.delete, f"/Users/{each}"), partial(_is_gone, scene, f"/Users/{each}"))
        for each in users
    ]


async def _is_gone(scene: Scene, path: str) -> None:
    assert (await scene.client.get(path)).status == HTTPStatus.NOT_FOUND


async def _bulk(scene: Scene, count: int) -> Sequence[Change]:
    changes = []
    for patched, deleted in zip(await scene.users(count), await scene.users(count), strict=True):
        name = unique()
        body = {"schemas": [BULK_URN], "Operations": _operations(patched, deleted, name)}

        async def holds(patched: str = patched, deleted: str = deleted, name: str = name) -> None:
            assert len(await scene.client.find(f'userName eq "{name}"')) == 1
            await _has(scene, patched, {"title": "Changed"})
            await _is_gone(scene, f"/Users/{deleted}")

        changes.append(Change(partial(_answer_of_all, scene, body), holds))
    return changes


def _operations(patched: str, deleted: str, name: str) -> list[dict[str, Any]]:
    operation = {"op": "replace", "path": "title", "value": "Changed"}
    patch = {"schemas": [PATCH_URN], "Operations": [operation]}
    return [
        {"method": "POST", "path": "/Users", "bulkId": "new", "data": user(name)},
        {"method": "PATCH", "path": f"/Users/{patched}", "data": patch},
        {"method": "DELETE", "path": f"/Users/{deleted}"},
    ]


async def _answer_of_all(scene: Scene, body: dict[str, Any]) -> Answer:
    """Return 200 when all operations succeeded or had before, 503 when one has to be repeated."""
    answer = await scene.client.post("/Bulk", body)
    assert answer.status == _OK, answer.json
    statuses = [int(operation["status"]) for operation in answer.json["Operations"]]
    if HTTPStatus.SERVICE_UNAVAILABLE in statuses:
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, answer.json, {"Retry-After": "in its operations"}, 0)
    done = ((_CREATED, HTTPStatus.CONFLICT), (_OK, _OK), (_GONE, HTTPStatus.NOT_FOUND))
    assert all(status in allowed for status, allowed in zip(statuses, done, strict=True)), statuses
    fresh = statuses == [first for first, _ in done]
    return Answer(_OK if fresh else HTTPStatus.MULTI_STATUS, answer.json, {}, 0)


USER_WRITES = {
    "POST user": WriteKind(_created, _CREATED, repeated=HTTPStatus.CONFLICT),
    "PATCH user": WriteKind(_patched, _OK),
    "PATCH user, moving all its lookup rows": WriteKind(_renamed, _OK),
    "PUT user": WriteKind(_put, _OK),
    "DELETE user in no group": WriteKind(partial(_deleted, memberships=0), _GONE, repeated=HTTPStatus.NOT_FOUND),
    "DELETE user in 3 groups": WriteKind(partial(_deleted, memberships=3), _GONE, repeated=HTTPStatus.NOT_FOUND),
    "DELETE user in 25 groups": WriteKind(partial(_deleted, memberships=25), _GONE, repeated=HTTPStatus.NOT_FOUND),
    "Bulk": WriteKind(_bulk, _OK, repeated=HTTPStatus.MULTI_STATUS),
}

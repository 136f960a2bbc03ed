"""A caller that does every kind of write at random to resources of its own, and knows what must come of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from tests.resilience.stock import unique
from tests.service import BULK_URN, PATCH_URN, Answer, add_members, group, references, remove_members, user

_MOST_USERS, _MOST_GROUPS = 12, 6
_ATTEMPTS = 60
NO_ANSWER = 0
"""The status of an answer that never came: its host was killed."""


class Client(Protocol):
    """Sends requests to one directory, through whichever host."""

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer, or one of the status :data:`NO_ANSWER`."""
        ...


@dataclass(slots=True)
class KnownGroup:
    """A group as it must be."""

    name: str
    members: set[str] = field(default_factory=set)


@dataclass(slots=True)
class SoakWorker:
    """Does one thing after another; what is answered 503, or not at all, is repeated until it is done."""

    client: Client
    random: Random
    pool: Sequence[str]
    """Users that nobody changes: members of any group."""
    team: str
    """A group whose members all workers change, each its own users."""
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, KnownGroup] = field(default_factory=dict)
    in_team: set[str] = field(default_factory=set)
    done: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)

    async def step(self) -> None:
        """Do something that is possible now, and look at something now and then."""
        kind = self.random.choice([name for name, (_, possible) in KINDS.items() if possible(self)])
        await KINDS[kind][0](self)
        self.done[kind] += 1
        if self.random.random() < 0.2:
            await self.look()

    async def look(self) -> None:
        """Assert that a user and a group read as they must be."""
        if self.users:
            each = self._any(self.users)
            answer = await self._insist("GET", f"/Users/{each}", None, 200)
            assert {name: answer.json.get(name) for name in self.users[each]} == self.users[each]
            found = await self._insist("GET", "/Users", None, 200, query={"filter": f'userName eq "{unique()}"'})
            assert found.ids == []
        if self.groups:
            each = self._any(self.groups)
            answer = await self._insist("GET", f"/Groups/{each}", None, 200)
            members = {member["value"] for member in answer.json.get("members", ())}
            assert (answer.json["displayName"], members) == (self.groups[each].name, self.groups[each].members)

    async def _insist(
        self,
        method: str,
        path: str,
        body: Any,
        success: int,
        *,
        repeated: int | None = None,
        refused: int | None = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Return the answer of success, or to a repetition of what may have been done before the answer that it is."""
        accepted = {success, refused}
        for _ in range(_ATTEMPTS):
            answer = await self.client.send(method, path, body, query=query, headers=headers)
            self.answers[answer.status] += 1
            if answer.status in accepted:
                return answer
            assert answer.status in (503, NO_ANSWER), f"{method} {path} {body}: {answer}"
            assert answer.status == NO_ANSWER or int(answer.headers["Retry-After"]) >= 1
            accepted |= {repeated} if repeated else set()
        raise AssertionError(f"{method} {path} was not done in {_ATTEMPTS} attempts")

    async def _patch(self, path: str, *operations: dict[str, Any], success: int, **headers: str) -> None:
        body = {"schemas": [PATCH_URN], "Operations": list(operations)}
        repeated = 412 if headers else None
        await self._insist("PATCH", path, body, success, repeated=repeated, headers=headers)

    def _any(self, among: dict[str, Any]) -> str:
        return self.random.choice(sorted(among))

    def _some(self, most: int) -> list[str]:
        """Return users of the pool and of one's own."""
        everybody = [*self.pool, *sorted(self.users)]
        return self.random.sample(everybody, min(len(everybody), self.random.randrange(1, most + 1)))

    async def _find(self, endpoint: str, name: str, value: str) -> str:
        found = await self._insist("GET", endpoint, None, 200, query={"filter": f'{name} eq "{value}"'})
        (each,) = found.ids
        return each

    async def create_user(self) -> None:
        name = unique()
        body = user(name, title="new", active=True, emails=[{"type": "work", "value": f"{name}@example.com"}])
        answer = await self._insist("POST", "/Users", body, 201, repeated=409)
        user_id = answer.json["id"] if answer.status == 201 else await self._find("/Users", "userName", name)
        self.users[user_id] = {"userName": name, "title": "new", "active": True}

    async def patch_user(self) -> None:
        each, changed = self._any(self.users), {"title": unique(), "active": self.random.random() < 0.5}
        await self._patch(f"/Users/{each}", {"op": "replace", "value": changed}, success=200)
        self.users[each] |= changed

    async def rename_user(self) -> None:
        each, name = self._any(self.users), unique()
        guard = (await self._insist("GET", f"/Users/{each}", None, 200)).headers["ETag"]
        operation = {"op": "replace", "path": "userName", "value": name}
        await self._patch(f"/Users/{each}", operation, success=200, If_Match=guard)
        self.users[each]["userName"] = name

    async def put_user(self) -> None:
        each, name, active = self._any(self.users), unique(), self.random.random() < 0.5
        await self._insist("PUT", f"/Users/{each}", user(name, active=active), 200)
        self.users[each] = {"userName": name, "title": None, "active": active}

    async def delete_user(self) -> None:
        each = self._any(self.users)
        await self._insist("DELETE", f"/Users/{each}", None, 204, repeated=404)
        self._forget(each)

    def _forget(self, resource_id: str) -> None:
        self.users.pop(resource_id, None)
        self.groups.pop(resource_id, None)
        self.in_team.discard(resource_id)
        for each in self.groups.values():
            each.members.discard(resource_id)

    async def bulk(self) -> None:
        """Create a user, change one and delete one in one request, which is repeated until each was done."""
        deleted, changed = self.random.sample(sorted(self.users), 2)
        name, title = unique(), unique()
        operation = {"op": "replace", "path": "title", "value": title}
        operations = [
            {"method": "POST", "path": "/Users", "bulkId": "new", "data": user(name, title="bulk", active=True)},
            {
                "method": "PATCH",
                "path": f"/Users/{changed}",
                "data": {"schemas": [PATCH_URN], "Operations": [operation]},
            },
            {"method": "DELETE", "path": f"/Users/{deleted}"},
        ]
        accepted = [{"201"}, {"200"}, {"204"}]
        for _ in range(_ATTEMPTS):
            answer = await self._insist("POST", "/Bulk", {"schemas": [BULK_URN], "Operations": operations}, 200)
            statuses = [each["status"] for each in answer.json["Operations"]]
            if all(status in allowed for status, allowed in zip(statuses, accepted, strict=True)):
                break
            assert set(statuses) <= {"201", "200", "204", "409", "404", "503"}, answer.json
            accepted = [{"201", "409"}, {"200"}, {"204", "404"}]
        self.users[changed]["title"] = title
        self._forget(deleted)
        created = await self._find("/Users", "userName", name)
        self.users[created] = {"userName": name, "title": "bulk", "active": True}

    async def create_group(self) -> None:
        name, members = unique(), self._some(45) if self.random.random() < 0.7 else []
        answer = await self._insist("POST", "/Groups", group(name, members), 201, repeated=409)
        group_id = answer.json["id"] if answer.status == 201 else await self._find("/Groups", "displayName", name)
        self.groups[group_id] = KnownGroup(name, set(members))

    async def nest_group(self) -> None:
        outer, inner = self.random.sample(sorted(self.groups), 2)
        await self._patch(f"/Groups/{outer}", add_members(inner), success=204)
        self.groups[outer].members.add(inner)

    async def add_some(self) -> None:
        each, members = self._any(self.groups), self._some(self.random.choice((1, 5, 40)))
        await self._patch(f"/Groups/{each}", add_members(*members), success=204)
        self.groups[each].members |= set(members)

    async def remove_some(self) -> None:
        each, members = self._any(self.groups), self._some(self.random.choice((1, 5, 40)))
        await self._patch(f"/Groups/{each}", remove_members(*members), success=204)
        self.groups[each].members -= set(members)

    async def replace_all(self) -> None:
        each, members = self._any(self.groups), self._some(40)
        operation = {"op": "replace", "path": "members", "value": references(*members)}
        await self._patch(f"/Groups/{each}", operation, success=204)
        self.groups[each].members = set(members)

    async def remove_all(self) -> None:
        each = self._any(self.groups)
        await self._patch(f"/Groups/{each}", {"op": "remove", "path": "members"}, success=204)
        self.groups[each].members = set()

    async def add_guarded(self) -> None:
        """Add a member to the version that was read, again when the sweep took a deleted group out of it meanwhile."""
        each, (member, *_) = self._any(self.groups), self._some(1)
        body, status = {"schemas": [PATCH_URN], "Operations": [add_members(member)]}, 412
        for _ in range(_ATTEMPTS):
            guard = (await self._insist("GET", f"/Groups/{each}", None, 200)).headers["ETag"]
            headers = {"If-Match": guard}
            status = (await self._insist("PATCH", f"/Groups/{each}", body, 204, refused=412, headers=headers)).status
            if status == 204:
                break
        assert status == 204
        self.groups[each].members.add(member)

    async def rename_group(self) -> None:
        each, name, members = self._any(self.groups), unique(), self._some(35)
        operation = {"op": "replace", "path": "displayName", "value": name}
        await self._patch(f"/Groups/{each}", operation, add_members(*members), success=204)
        self.groups[each].name = name
        self.groups[each].members |= set(members)

    async def put_group(self) -> None:
        each, name, members = self._any(self.groups), unique(), self._some(45)
        await self._insist("PUT", f"/Groups/{each}", group(name, members), 200)
        self.groups[each] = KnownGroup(name, set(members))

    async def delete_group(self) -> None:
        each = self._any(self.groups)
        await self._insist("DELETE", f"/Groups/{each}", None, 204, repeated=404)
        self._forget(each)

    async def join_team(self) -> None:
        each = self._any(self.users)
        await self._patch(f"/Groups/{self.team}", add_members(each), success=204)
        self.in_team.add(each)

    async def leave_team(self) -> None:
        each = self._any(self.users)
        await self._patch(f"/Groups/{self.team}", remove_members(each), success=204)
        self.in_team.discard(each)


def _has_user(worker: SoakWorker) -> bool:
    return len(worker.users) > 1


def _has_group(worker: SoakWorker) -> bool:
    return len(worker.groups) > 1


KINDS: dict[str, tuple[Callable[[SoakWorker], Awaitable[None]], Callable[[SoakWorker], bool]]] = {
    "POST user": (SoakWorker.create_user, lambda worker: len(worker.users) < _MOST_USERS),
    "PATCH user": (SoakWorker.patch_user, _has_user),
    "PATCH user, renaming, guarded": (SoakWorker.rename_user, _has_user),
    "PUT user": (SoakWorker.put_user, _has_user),
    "DELETE user": (SoakWorker.delete_user, _has_user),
    "bulk": (SoakWorker.bulk, _has_user),
    "POST group": (SoakWorker.create_group, lambda worker: len(worker.groups) < _MOST_GROUPS),
    "PATCH group, nesting": (SoakWorker.nest_group, _has_group),
    "PATCH group, adding": (SoakWorker.add_some, _has_group),
    "PATCH group, removing": (SoakWorker.remove_some, _has_group),
    "PATCH group, replacing all": (SoakWorker.replace_all, _has_group),
    "PATCH group, removing all": (SoakWorker.remove_all, _has_group),
    "PATCH group, adding, guarded": (SoakWorker.add_guarded, _has_group),
    "PATCH group, renaming and adding": (SoakWorker.rename_group, _has_group),
    "PUT group": (SoakWorker.put_group, _has_group),
    "DELETE group": (SoakWorker.delete_group, _has_group),
    "PATCH shared group, adding": (SoakWorker.join_team, _has_user),
    "PATCH shared group, removing": (SoakWorker.leave_team, _has_user),
}

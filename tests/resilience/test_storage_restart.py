"""Storage goes away in the middle of load and comes back: requests say so, and nothing that was answered is lost."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from scim.local_host.azurite import Azurite, start_azurite
from tests.resilience.hosts import Host, HostClient, Reply, behind, started
from tests.resilience.soundness import assert_sound
from tests.resilience.stock import unique
from tests.service import add_members, group, user

WRITERS = 12
_BEFORE, _AWAY, _BEHIND = 3.0, 4.0, 3.0
"""Seconds of load, without storage, and of load again; without it longer than a request repeats its calls."""


@dataclass(slots=True)
class Restartable:
    """An Azurite that keeps its data and its ports when it is started again."""

    location: Path
    azurite: Azurite

    async def go_away(self, seconds: float) -> None:
        """Stop, and start again so much later."""
        await asyncio.to_thread(self.azurite.stop)
        await asyncio.sleep(seconds)
        ports = self.azurite.ports
        self.azurite = await asyncio.to_thread(lambda: start_azurite(location=self.location, ports=ports))
        assert self.azurite.ports == ports


@pytest.fixture
def storage_place(tmp_path: Path) -> Iterator[Restartable]:
    location = tmp_path / "storage"
    place = Restartable(location, start_azurite(location=location))
    yield place
    place.azurite.stop()


@pytest.fixture
def restless_hosts(storage_place: Restartable, tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    """Two hosts on that storage."""
    storage, first = storage_place.azurite.connection_string, tmp_path / "first"
    with started(storage, first) as one, started(storage, tmp_path / "second", like=first) as other:
        yield one, other


@dataclass(slots=True)
class Insistent:
    """Repeats what is answered 503 until it is done, as Entra ID does; any other refusal is a failure."""

    client: HostClient
    team: str
    answers: Counter[int] = field(default_factory=Counter)
    titles: dict[str, str] = field(default_factory=dict)
    """The last title of each user."""

    async def write(self, number: int, until: float) -> None:
        """Create users, change them and add them to the team."""
        while time.monotonic() < until:
            number += 1
            user_id = await self._create(number)
            await self._insist("PATCH", f"/Groups/{self.team}", _patch(add_members(user_id)), 204, at=number)
            for _ in range(3):
                title = unique()
                body = _patch({"op": "replace", "path": "title", "value": title})
                await self._insist("PATCH", f"/Users/{user_id}", body, 200, at=number)
                self.titles[user_id] = title

    async def _create(self, number: int) -> str:
        name = unique()
        reply = await self._insist("POST", "/Users", user(name), 201, repeated=409, at=number)
        if reply.status == 409:
            path = f'/Users?filter=userName eq "{name}"'
            reply = await self._insist("GET", path, None, 200, at=number)
            (found,) = reply.json["Resources"]
            return str(found["id"])
        return str(reply.json["id"])

    async def _insist(
        self, method: str, path: str, body: Any, success: int, *, repeated: int | None = None, at: int
    ) -> Reply:
        accepted = {success}
        while True:
            reply = await self.client.send(method, path, body, at=at)
            self.answers[reply.status] += 1
            if reply.status in accepted:
                return reply
            assert (reply.status, reply.json["status"]) == (503, "503"), reply
            assert int(reply.headers["Retry-After"]) >= 1
            accepted |= {repeated} if repeated else set()
            await asyncio.sleep(0.2)


def _patch(operation: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}


@pytest.mark.slow
async def test_requests_fail_clean_while_storage_restarts_and_nothing_answered_is_lost(
    storage_place: Restartable, restless_hosts: tuple[Host, Host]
) -> None:
    async with aiohttp.ClientSession() as session:
        client = HostClient(session, restless_hosts)
        team = (await client.send("POST", "/Groups", group(unique()))).json["id"]
        writer = Insistent(client, team)
        until = time.monotonic() + _BEFORE + _AWAY + _BEHIND
        writing = [asyncio.create_task(writer.write(1000 * number, until)) for number in range(WRITERS)]
        await asyncio.sleep(_BEFORE)
        await storage_place.go_away(_AWAY)
        await asyncio.gather(*writing)

    rows = await behind(storage_place.azurite.connection_string, restless_hosts[0])
    held = await assert_sound(rows.application, rows.partition)
    await rows.application.close()
    assert writer.answers[503] > 0
    assert {user_id: held.users[user_id].get("title") for user_id in held.users} == writer.titles
    assert held.memberships == {(team, user_id) for user_id in writer.titles}

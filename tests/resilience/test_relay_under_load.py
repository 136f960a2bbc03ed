"""Many writers, two relays and a reader, in processes whose clocks are six seconds apart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from scim.adapters.tables.feed import read_feed
from scim.adapters.tables.partition import Partition
from scim.events.feed import FeedCursor
from scim.local_host.azurite import Azurite
from scim.resources.storage_scope import storage_scope
from scim.settings import DATA_STORAGE, SECRET_STORE
from tests.resilience.hosts import Behind, Host, HostClient, behind, program, started
from tests.resilience.program import SKEW
from tests.resilience.soundness import all_rows, assert_sound, events_of
from tests.resilience.stock import unique
from tests.service import add_members, group, remove_members, user

WRITERS = 16
SECONDS = 12.0
"""How long the writers go on."""
RELAY_SECONDS = 60.0
"""Longer than the writers."""
SEEN_WITHIN = 5.0


@pytest.fixture
def skewed_hosts(kept_azurite: Azurite, places: Path) -> Iterator[tuple[Host, Host]]:
    """Two hosts and two relays on one storage, one of each with a clock 3 s ahead, the others 3 s behind."""
    storage, fast, slow = kept_azurite.connection_string, places / "fast", places / "slow"
    with ExitStack() as stack:
        ahead = stack.enter_context(started(storage, fast, settings={SKEW: "3"}))
        back = stack.enter_context(started(storage, slow, like=fast, settings={SKEW: "-3"}))
        common = {DATA_STORAGE: storage, SECRET_STORE: f"file:{fast / 'secrets.json'}"}
        for skew in ("3", "-3"):
            work = ["relay", ahead.directory_id, str(RELAY_SECONDS)]
            stack.enter_context(program(work, {**common, SKEW: skew}))
        yield ahead, back


@pytest.fixture
async def rows(kept_azurite: Azurite, skewed_hosts: tuple[Host, Host]) -> AsyncIterator[Behind]:
    """The rows behind the hosts."""
    found = await behind(kept_azurite.connection_string, skewed_hosts[0])
    yield found
    await found.application.close()


@dataclass(slots=True)
class Reader:
    """Follows the feed and notes when it met which title."""

    partition: Partition
    events: list[dict[str, Any]] = field(default_factory=list)
    met: dict[str, float] = field(default_factory=dict)
    after: FeedCursor = field(default_factory=FeedCursor)

    async def follow(self, done: asyncio.Event) -> None:
        """Read until the writers are done and nothing is left."""
        while True:
            was_done = done.is_set()
            with storage_scope(20):
                page = await read_feed(self.partition, self.after, 500)
            for self.after, event in page.events:
                self.events.append(event)
                if "title" in event.get("changed", ()):
                    self.met.setdefault(event["data"]["resource"]["title"], time.monotonic())
            if was_done and not page.has_more:
                return
            await asyncio.sleep(0.2)


@dataclass(slots=True)
class Writer:
    """Leads one user after another through a life, each step at another host, and notes when a title was set."""

    client: HostClient
    team: str
    number: int
    set_at: dict[str, float] = field(default_factory=dict)

    async def write(self, until: float) -> None:
        """Go on until a time."""
        while time.monotonic() < until:
            self.number += 1
            await self._live()

    async def _live(self) -> None:
        at = self.number
        created = await self.client.send("POST", "/Users", user(unique()), at=at)
        assert created.status == 201, created
        path, user_id, team = f"/Users/{created.json['id']}", created.json["id"], f"/Groups/{self.team}"
        for step in range(4):
            changed = await self.client.patch(team, (add_members, remove_members)[step % 2](user_id), at=at + step + 1)
            assert changed.status == 204, changed
            await self._entitle(path, at + step)
        deleted = await self.client.send("DELETE", path, at=at)
        assert deleted.status == 204, deleted

    async def _entitle(self, path: str, at: int) -> None:
        title = unique()
        changed = await self.client.patch(path, {"op": "replace", "path": "title", "value": title}, at=at)
        assert changed.status == 200, changed
        self.set_at[title] = time.monotonic()


@pytest.mark.slow
async def test_every_change_is_told_once_in_order_and_soon_whatever_clocks_say(
    skewed_hosts: tuple[Host, Host], rows: Behind
) -> None:
    reader, done = Reader(rows.partition), asyncio.Event()
    async with aiohttp.ClientSession() as session:
        client = HostClient(session, skewed_hosts)
        team = (await client.send("POST", "/Groups", group(unique()))).json["id"]
        writers = [Writer(client, team, number) for number in range(WRITERS)]
        following = asyncio.create_task(reader.follow(done))
        until = time.monotonic() + SECONDS
        await asyncio.gather(*(writer.write(until) for writer in writers))
        done.set()
        await following

    held = await assert_sound(rows.application, rows.partition)
    assert (held.users, held.memberships) == ({}, set())
    assert reader.events == events_of(await all_rows(rows.partition))
    set_at = {title: moment for writer in writers for title, moment in writer.set_at.items()}
    assert reader.met.keys() == set_at.keys()
    assert max(reader.met[title] - moment for title, moment in set_at.items()) <= SEEN_WITHIN

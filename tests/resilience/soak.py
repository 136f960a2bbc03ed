"""Rounds of random writes in processes that are killed, under random faults, compared with what must come of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from scim.adapters.tables.feed import read_feed
from scim.adapters.tables.partition import Partition
from scim.events.feed import FeedCursor
from scim.local_host.azurite import start_azurite
from scim.resources.errors import StorageUnavailableError
from scim.resources.storage_scope import storage_scope
from tests.resilience.hosts import Behind, behind
from tests.resilience.soak_processes import Lives, LivesClient
from tests.resilience.soak_worker import SoakWorker
from tests.resilience.soundness import all_rows, assert_sound, events_of
from tests.resilience.stock import Stock
from tests.resilience.weather import LATEST_SECONDS

WORKERS = 6
POOL = 45
SKEWS = (300.0, -300.0)
"""Seconds by which clocks of processes are ahead."""
Say = Callable[[str], None]


@dataclass(slots=True)
class Reader:
    """A consumer of the feed: what it has gathered."""

    partition: Partition
    events: list[dict[str, Any]] = field(default_factory=list)
    _after: FeedCursor = field(default_factory=FeedCursor)

    async def follow(self, done: asyncio.Event) -> None:
        """Read on until the writers are done."""
        while not done.is_set():
            with suppress(StorageUnavailableError):
                await self.read_to_end()
            await asyncio.sleep(0.1)

    async def read_to_end(self) -> None:
        """Read what is there by now."""
        has_more = True
        while has_more:
            with storage_scope(20):
                page = await read_feed(self.partition, self._after, 500)
            self.events += [event for _, event in page.events]
            self._after = page.events[-1][0] if page.events else self._after
            has_more = page.has_more


@dataclass(slots=True)
class Round:
    """One storage and its processes: workers that write through all hosts, and a reader of the feed."""

    lives: Lives
    rows: Behind
    client: LivesClient
    workers: list[SoakWorker]
    reader: Reader

    async def run(self, until: float) -> None:
        """Go on until a time, then assert that everything is as it must be."""
        done = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.lives.kill(done))
            group.create_task(self.reader.follow(done))
            await asyncio.gather(*(self._work(worker, until) for worker in self.workers))
            done.set()
        await self.lives.settle(LATEST_SECONDS)
        await self._compare()

    async def _work(self, worker: SoakWorker, until: float) -> None:
        while time.monotonic() < until:
            await worker.step()

    async def _compare(self) -> None:
        held = await assert_sound(self.rows.application, self.rows.partition)
        await self.reader.read_to_end()
        assert self.reader.events == events_of(await all_rows(self.rows.partition))
        users = {each: known for worker in self.workers for each, known in worker.users.items()}
        groups = {each: known for worker in self.workers for each, known in worker.groups.items()}
        pool, team = set(self.workers[0].pool), self.workers[0].team
        assert held.users.keys() == users.keys() | pool
        for each, known in users.items():
            assert {name: held.users[each].get(name) for name in known} == known
        names = {each: known["displayName"] for each, known in held.groups.items() if each != team}
        assert names == {each: known.name for each, known in groups.items()}
        memberships = {(each, member) for each, known in groups.items() for member in known.members}
        assert held.memberships == memberships | {(team, each) for worker in self.workers for each in worker.in_team}
        listed = await self.client.send("GET", "/Users", query={"count": "0"})
        assert listed.json["totalResults"] == len(held.users)


@asynccontextmanager
async def open_round(folder: Path, seed: str) -> AsyncIterator[Round]:
    """Give a round on a storage of its own; none of its processes is left."""
    azurite = start_azurite(location=None)
    try:
        with closing(Lives(azurite.connection_string, folder, seed, SKEWS)) as lives:
            await lives.start()
            rows = await behind(azurite.connection_string, lives.hosts[0].host())
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
                yield await _prepared(lives, rows, session)
            await rows.application.close()
    finally:
        azurite.stop()


async def _prepared(lives: Lives, rows: Behind, session: aiohttp.ClientSession) -> Round:
    stock = Stock(rows.store, rows.partition)
    pool, team = await stock.users(POOL), await stock.group()
    clients = [LivesClient(session, lives.hosts, Random(f"{lives.seed}/hosts/{number}")) for number in range(WORKERS)]
    workers = [
        SoakWorker(client, Random(f"{lives.seed}/writes/{number}"), pool, team) for number, client in enumerate(clients)
    ]
    return Round(lives, rows, clients[0], workers, Reader(rows.partition))


@dataclass(slots=True)
class Soak:
    """Rounds one after the other, and what they came to."""

    folder: Path
    seed: str
    say: Say
    done: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    faults: int = 0
    kills: int = 0
    events: int = 0

    async def run(self, seconds: float, round_seconds: float) -> None:
        """Go on for so long."""
        ends_at, number = time.monotonic() + seconds, 0
        while time.monotonic() < ends_at:
            number += 1
            async with open_round(self.folder / str(number), f"{self.seed}/{number}") as each:
                await each.run(min(ends_at, time.monotonic() + round_seconds))
                self._add(each)
            self.say(
                f"round {number}: {sum(self.done.values())} writes, {self.answers[503]} answered 503, "
                f"{self.answers[0]} not answered, {self.kills} kills, {self.faults} faults, {self.events} events; "
                "all as it must be"
            )

    def _add(self, each: Round) -> None:
        for worker in each.workers:
            self.done += worker.done
            self.answers += worker.answers
        self.faults += each.lives.faults
        self.kills += each.lives.kills
        self.events += len(each.reader.events)

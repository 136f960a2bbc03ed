"""Rounds of random writes under random faults, each in a directory of its own, compared with what must come of it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from scim.adapters.tables.client import StorageAccount
from scim.adapters.tables.feed import read_feed
from scim.adapters.tables.transport import Transport
from scim.composition import Application
from scim.events.feed import FeedCursor
from scim.resources.errors import StorageUnavailableError
from scim.resources.storage_scope import storage_scope
from scim.settings import Settings, StorageSettings
from tests.fakes.memory_account import RecordedRelayRequests
from tests.fakes.memory_secrets import MemorySecretStore
from tests.fakes.recorded_uses import RecordedUses
from tests.faults import FaultyTransport
from tests.resilience.change import in_background
from tests.resilience.scene import OwnTables, no_pause
from tests.resilience.soak_worker import SoakWorker
from tests.resilience.soundness import all_rows, assert_sound, events_of
from tests.resilience.stock import Stock, unique
from tests.resilience.weather import Weather
from tests.service import ScimClient, Service

WORKERS = 6
POOL = 45
_SHARE = 0.03
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Machine:
    """A service of its own on the tables of a round, and the weather between it and its storage."""

    application: Application
    transport: FaultyTransport
    weather: Weather


@dataclass(slots=True)
class Machines:
    """The machines of a round: what they share is the storage and the secret store."""

    storage: str
    connections: Transport
    seed: str
    suffix: str = field(default_factory=unique)
    secrets: MemorySecretStore = field(default_factory=MemorySecretStore)
    all: list[Machine] = field(default_factory=list)

    def new(self) -> Machine:
        """Add a machine."""
        transport = FaultyTransport(self.connections)
        account = StorageAccount.from_connection_string(self.storage, transport=transport, pause=no_pause)
        application = Application(
            Settings(StorageSettings("UseDevelopmentStorage=true"), Path("unused")),
            account=OwnTables(account, self.suffix),
            secret_store=self.secrets,
            relay_requests=RecordedRelayRequests(),
            token_uses=RecordedUses(),
        )
        machine = Machine(application, transport, Weather(Random(f"{self.seed}/faults/{len(self.all)}"), _SHARE))
        self.all.append(machine)
        return machine


@dataclass(slots=True)
class Round:
    """One directory: workers that write, two relays, and a reader of the feed."""

    machines: Machines
    client: ScimClient
    workers: list[SoakWorker]
    events: list[dict[str, Any]] = field(default_factory=list)

    async def run(self, until: float) -> None:
        """Go on until a time, then assert that everything is as it must be."""
        done = asyncio.Event()
        machines = [self.machines.new() for _ in range(3)]
        for machine in self.machines.all[1:]:
            machine.weather.begin(machine.transport)
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._relay(machine, done)) for machine in machines[:2]]
            beside.append(group.create_task(self._follow(machines[2], done)))
            await asyncio.gather(*(self._work(worker, until) for worker in self.workers))
            done.set()
        for machine in self.machines.all:
            await machine.weather.settle()
        await self._compare()

    async def _work(self, worker: SoakWorker, until: float) -> None:
        while time.monotonic() < until:
            await worker.step()

    async def _relay(self, machine: Machine, done: asyncio.Event) -> None:
        while not done.is_set():
            with storage_scope(20):
                await in_background(partial(machine.application.background.relay_directory, self.client.directory.id))
            await asyncio.sleep(machine.weather.random.uniform(0, 0.2))

    async def _follow(self, machine: Machine, done: asyncio.Event) -> None:
        """Read the feed to the end, again and again, until the workers are done and nothing is left."""
        partition, after = machine.application.partition_of(self.client.directory), FeedCursor()
        while True:
            was_done = done.is_set()
            with suppress(StorageUnavailableError), storage_scope(20):
                page = await read_feed(partition, after, 500)
                self.events += [event for _, event in page.events]
                after = page.events[-1][0] if page.events else after
                if was_done and not page.has_more:
                    return
            await asyncio.sleep(0.1)

    async def _compare(self) -> None:
        held = await assert_sound(self.client.application, self.client.partition)
        told = events_of(await all_rows(self.client.partition))
        assert self.events == told[: len(self.events)]
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
        listed = await self.client.get("/Users", {"count": "0"})
        assert listed.json["totalResults"] == len(held.users)


async def open_round(storage: str, connections: Transport, seed: str) -> Round:
    """Return a round in a fresh directory."""
    machines = Machines(storage, connections, seed)
    calm = machines.new()
    await calm.application.prepare_storage()
    client = await Service(calm.application, calm.transport.count).new_directory()
    stock = Stock(calm.application.resources_of(client.directory), client.partition)
    pool, team = await stock.users(POOL), await stock.group()
    workers = []
    for number in range(WORKERS):
        machine = machines.new()
        own = ScimClient(machine.application, client.directory, client.token, machine.transport.count)
        workers.append(SoakWorker(own, Random(f"{seed}/writes/{number}"), pool, team))
    return Round(machines, client, workers)


@dataclass(slots=True)
class Soak:
    """Rounds one after the other, and what they came to."""

    storage: str
    connections: Transport
    seed: str
    say: Say
    done: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    faults: int = 0
    events: int = 0

    async def run(self, seconds: float, round_seconds: float) -> None:
        """Go on for so long."""
        ends_at, number = time.monotonic() + seconds, 0
        while time.monotonic() < ends_at:
            number += 1
            each = await open_round(self.storage, self.connections, f"{self.seed}/{number}")
            await each.run(min(ends_at, time.monotonic() + round_seconds))
            self._add(each)
            self.say(
                f"round {number}: {sum(self.done.values())} writes, {self.answers[503]} answered 503, "
                f"{self.faults} faults, {self.events} events; all as it must be"
            )

    def _add(self, each: Round) -> None:
        for worker in each.workers:
            self.done += worker.done
            self.answers += worker.answers
        self.faults += sum(machine.weather.faults for machine in each.machines.all)
        self.events += len(each.events)

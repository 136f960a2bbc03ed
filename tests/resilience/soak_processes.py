"""Processes of the service that are killed at random and started again, and a client that speaks to any of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from signal import SIGKILL, SIGUSR1, SIGUSR2
from subprocess import Popen
from typing import Any
from urllib.parse import urlencode

import aiohttp

from scim.settings import DATA_STORAGE, SECRET_STORE
from tests.resilience.hosts import Host, HostClient, first_line, host_arguments, program
from tests.resilience.program import FAULTS, SKEW, WEATHER
from tests.resilience.soak_worker import NO_ANSWER
from tests.service import Answer


@dataclass(slots=True)
class Life:
    """A process with a clock of its own, started again each time it was killed."""

    arguments: Sequence[str]
    settings: Mapping[str, str]
    folder: Path
    """Where it says how many faults it met."""
    seed: str
    starts: int = 0
    said: str = ""
    """What it said of itself when it was ready."""
    is_ready: asyncio.Event = field(default_factory=asyncio.Event)
    _process: Popen[str] | None = None
    _end: ExitStack = field(default_factory=ExitStack)

    async def start(self) -> None:
        """Start it, wait until it is ready, and let its storage fail from then on."""
        self.starts += 1
        name = f"{self.seed}/{self.starts}"
        faults = self.folder / f"faults-{name.replace('/', '-')}"
        process = self._end.enter_context(
            program(self.arguments, {**self.settings, WEATHER: name, FAULTS: str(faults)})
        )
        self._process = process
        self.said = await asyncio.to_thread(first_line, process)
        process.send_signal(SIGUSR1)
        self.is_ready.set()

    async def die(self) -> None:
        """Kill it, whatever it is doing."""
        self.is_ready.clear()
        process = self._living()
        process.kill()
        assert await asyncio.to_thread(process.wait) == -SIGKILL

    def calm(self) -> None:
        """Let its storage fail no more."""
        self._living().send_signal(SIGUSR2)

    def close(self) -> None:
        """Stop it; nothing of it is left."""
        self._end.close()

    def host(self) -> Host:
        """Return the host that it is."""
        ready = json.loads(self.said)
        return Host(self._living(), ready["tenant_url"], ready["token"], ready["directory_id"])

    def _living(self) -> Popen[str]:
        assert self._process is not None
        assert self._process.poll() is None, f"{self.seed} ended by itself: {self._process.returncode}"
        return self._process


@dataclass(frozen=True, slots=True)
class LivesClient:
    """Sends each request to a host at random; one that is killed meanwhile gives no answer."""

    session: aiohttp.ClientSession
    hosts: Sequence[Life]
    random: Random

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer of the host, once it is ready, or none."""
        life = self.random.choice(self.hosts)
        await life.is_ready.wait()
        client = HostClient(self.session, [life.host()])
        asked = f"{path}?{urlencode(query)}" if query else path
        try:
            reply = await client.send(method, asked, body, at=0, **(headers or {}))
        except aiohttp.ClientError:
            return Answer(NO_ANSWER, None, {}, 0)
        return Answer(reply.status, reply.json, reply.headers, 0)


@dataclass(slots=True)
class Lives:
    """The processes of a round: hosts with fast and slow clocks, and background work with both, on one storage."""

    storage: str
    folder: Path
    seed: str
    skews: Sequence[float]
    hosts: list[Life] = field(default_factory=list)
    workers: list[Life] = field(default_factory=list)
    kills: int = 0

    async def start(self) -> None:
        """Start all of them: the first host makes the directory that all serve."""
        self.folder.mkdir(parents=True)
        first = self.folder / f"host-{self.skews[0]:+.0f}"
        for skew in self.skews:
            data = self.folder / f"host-{skew:+.0f}"
            arguments = host_arguments(self.storage, data, first if data != first else None)
            await self._start(self.hosts, arguments, {SKEW: str(skew)}, f"host{skew:+.0f}")
        storage = {DATA_STORAGE: self.storage, SECRET_STORE: f"file:{first / 'secrets.json'}"}
        for skew in self.skews:
            arguments = ["background", self.hosts[0].host().directory_id]
            await self._start(self.workers, arguments, {**storage, SKEW: str(skew)}, f"background{skew:+.0f}")

    async def _start(self, among: list[Life], arguments: Sequence[str], settings: Mapping[str, str], name: str) -> None:
        life = Life(arguments, settings, self.folder, f"{self.seed}/{name}")
        among.append(life)
        await life.start()

    async def kill(self, done: asyncio.Event) -> None:
        """Kill one after another at random moments, and start each again."""
        random = Random(f"{self.seed}/kills")
        while not done.is_set():
            await asyncio.sleep(random.uniform(0.5, 3.0))
            life = random.choice([*self.hosts, *self.workers])
            await life.die()
            self.kills += 1
            await life.start()

    async def settle(self, seconds: float) -> None:
        """Stop what works in the background, and give what storage took late its time."""
        for each in self.workers:
            each.close()
        for each in self.hosts:
            each.calm()
        await asyncio.sleep(seconds)

    def close(self) -> None:
        """Stop all of them."""
        for each in [*self.hosts, *self.workers]:
            each.close()

    @property
    def faults(self) -> int:
        """How many faults all that lived have met."""
        return sum(int(file.read_text() or 0) for file in self.folder.glob("faults-*"))

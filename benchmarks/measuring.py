"""Sends calls to a server, and tells what they took: time as the caller sees it, CPU as the machine counts it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median, quantiles

from benchmarks.http_client import Connection, HttpAnswer
from benchmarks.processes import CpuClock

_PERCENTILES = 20
_P95 = 18


@dataclass(frozen=True, slots=True)
class Server:
    """A SCIM server under load, and the clocks of its processes."""

    host: str
    port: int
    path: str
    """What the path of every request begins with."""
    token: str
    cpu: CpuClock
    storage_cpu: CpuClock = field(default_factory=lambda: CpuClock(()))


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its label (letters and dashes) groups it with its like, and travels as its correlation id."""

    label: str
    method: str
    path: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What equal calls took."""

    milliseconds: list[float]
    """The latency of each call."""
    seconds: float
    """The time from the first call to the last answer."""
    cpu_ms: float
    """CPU time of the server, for each call."""
    storage_cpu_ms: float
    """CPU time of the storage emulator, for each call."""

    @property
    def median_ms(self) -> float:
        """The latency that half of the calls stayed below."""
        return median(self.milliseconds)

    @property
    def p95_ms(self) -> float:
        """The latency that 95 of 100 calls stayed below."""
        return quantiles(self.milliseconds, n=_PERCENTILES)[_P95] if len(self.milliseconds) > 1 else self.median_ms

    @property
    def per_second(self) -> float:
        """Calls answered in a second."""
        return len(self.milliseconds) / self.seconds


class UnexpectedAnswerError(Exception):
    """A server did not answer as the benchmark needs it: what follows would measure something else."""


async def measure(server: Server, calls: Sequence[Call], concurrency: int = 1) -> tuple[Measurement, list[HttpAnswer]]:
    """Return what the calls took and their answers, in order; ``concurrency`` of them are under way at once.

    :raises UnexpectedAnswerError: When an answer is none of success.
    """
    answers: list[HttpAnswer] = [HttpAnswer(0, b"")] * len(calls)
    latencies = [0.0] * len(calls)
    requests = enumerate([_request(server, call, number) for number, call in enumerate(calls)])
    async with _connections(server, concurrency) as connections:
        cpu, storage_cpu, begun = server.cpu.seconds(), server.storage_cpu.seconds(), time.perf_counter()
        await asyncio.gather(*(_work(each, requests, answers, latencies) for each in connections))
        seconds = time.perf_counter() - begun
        cpu, storage_cpu = server.cpu.seconds() - cpu, server.storage_cpu.seconds() - storage_cpu
    _require_success(calls, answers)
    each_ms = 1000 / len(calls)
    return Measurement(latencies, seconds, cpu * each_ms, storage_cpu * each_ms), answers


async def _work(
    connection: Connection, requests: Iterator[tuple[int, bytes]], answers: list[HttpAnswer], latencies: list[float]
) -> None:
    for number, request in requests:
        begun = time.perf_counter()
        answers[number] = await connection.send(request)
        latencies[number] = (time.perf_counter() - begun) * 1000


@asynccontextmanager
async def _connections(server: Server, number: int) -> AsyncIterator[list[Connection]]:
    connections = [await Connection.open(server.host, server.port) for _ in range(number)]
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()


def _request(server: Server, call: Call, number: int) -> bytes:
    """Return a request as Entra ID sends it: with a correlation id, and a content type only with a body."""
    content = "Content-Type: application/scim+json; charset=utf-8\r\n" if call.body else ""
    head = (
        f"{call.method} {server.path}{call.path} HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n"
        f"Authorization: Bearer {server.token}\r\nx-ms-client-request-id: {call.label}-{number}\r\n"
        f"{content}Content-Length: {len(call.body)}\r\n\r\n"
    )
    return head.encode() + call.body


def _require_success(calls: Sequence[Call], answers: Sequence[HttpAnswer]) -> None:
    for call, answer in zip(calls, answers, strict=True):
        if answer.status not in (200, 201, 204):
            raise UnexpectedAnswerError(
                f"{call.method} {call.path}: {answer.status} {answer.body[:300].decode(errors='replace')}"
            )

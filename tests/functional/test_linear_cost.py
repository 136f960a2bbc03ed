"""What a request costs grows with its length: twice as much of anything costs twice the calls and twice the CPU."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

import pytest

from scim.web import WebRequest
from tests.hostile_requests import GROWING, HostileRequest, emails, sent
from tests.service import ScimClient

HALF, WHOLE = 500, 1000
MOST = 2.6
TRIES = 5
"""The least CPU of so many counts, and a ratio that is too great is measured so often: machines are noisy."""

_OF_THE_TABLE = "bulk of POSTs"
"""Its CPU is that of the table in memory, which copies its rows for each commit; its calls are counted."""


@pytest.fixture(autouse=True)
def _in_this_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do heavy work where it is counted."""

    async def here(work: Callable[[], Any]) -> Any:
        return work()

    monkeypatch.setattr("scim.resources.worker_thread._in_thread", here)


async def calls_of(answered: Callable[[], Awaitable[Any]]) -> int:
    """Return how many functions are called, in Python and in C."""
    number = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal number
        number += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        await answered()
    finally:
        sys.setprofile(None)
    return number


async def cpu_of(answered: Callable[[], Awaitable[Any]]) -> float:
    """Return the CPU time of this thread, without collections of garbage."""
    gc.collect()
    gc.disable()
    begun = time.thread_time()
    try:
        await answered()
    finally:
        spent = time.thread_time() - begun
        gc.enable()
    return spent


class Growing:
    """A family of requests, sent each to a user or group of its own."""

    def __init__(self, client: ScimClient, family: str) -> None:
        self._client = client
        self._family = GROWING[family]
        self._number = 0

    async def request(self, number: int) -> Callable[[], Awaitable[Any]]:
        """Return what answers one request of a length, once what it changes is there."""
        made = self._family(number)
        self._number += 1
        path = made.path or await self._target(made)
        body = sent(made).replace(b'"anna', f'"anna-{self._number}'.encode())
        headers = {"authorization": f"Bearer {self._client.token}", "content-type": "application/scim+json"}
        web = WebRequest(made.method, f"/scim/v2/{self._client.directory.id}{path}", made.query, headers, body)

        async def answered() -> None:
            response = await self._client.application.provisioning.answer(web)
            assert response.status < 300, json.loads(response.body)

        return answered

    async def _target(self, made: HostileRequest) -> str:
        if made.of_group:
            return f"/Groups/{(await self._client.new_group(f'Group {self._number}'))['id']}"
        user = await self._client.new_user(f"user {self._number}", emails=emails(made.emails))
        return f"/Users/{user['id']}"


@pytest.mark.parametrize("family", GROWING)
async def test_twice_as_much_costs_twice_the_calls(scim: ScimClient, family: str) -> None:
    growing = Growing(scim, family)
    for number in (HALF, WHOLE):  # what is done once in a process is done
        await (await growing.request(number))()

    half, whole = [await calls_of(await growing.request(number)) for number in (HALF, WHOLE)]

    assert whole <= MOST * half, (half, whole)


@pytest.mark.parametrize("family", [family for family in GROWING if family != _OF_THE_TABLE])
async def test_twice_as_much_costs_twice_the_cpu(scim: ScimClient, family: str) -> None:
    growing = Growing(scim, family)
    half = whole = float("inf")
    for _ in range(TRIES):
        half = min(half, await cpu_of(await growing.request(HALF)))
        whole = min(whole, await cpu_of(await growing.request(WHOLE)))

    assert whole <= MOST * half, (half, whole)


async def test_a_thousand_operations_on_every_one_of_a_thousand_entries_cost_no_million_steps(
    scim: ScimClient,
) -> None:
    growing = Growing(scim, "PATCH of every entry")
    await (await growing.request(WHOLE))()

    assert await calls_of(await growing.request(WHOLE)) < 300_000

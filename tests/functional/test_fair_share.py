"""One directory at full speed leaves the others their turn, on every surface; who is refused is told when to repeat."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import replace
from statistics import median
from typing import Any

import pytest

from scim.fair_share import FairShare
from tests.api import ApiClient
from tests.fakes.memory_table import MemoryTable
from tests.portal import Browser
from tests.service import ScimClient, Service, user

SECONDS = 0.02
"""How long storage takes for a request, as in Azure."""


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let storage take its time from now on; counts how many of its requests are under way, the most so far last."""
    under_way = [0, 0]
    for name in ("read", "query", "commit"):
        call = getattr(MemoryTable, name)

        async def slowly(*given: Any, call: Any = call, **options: Any) -> Any:
            under_way[0] += 1
            under_way[1] = max(under_way)
            try:
                await asyncio.sleep(SECONDS)
                return await call(*given, **options)
            finally:
                under_way[0] -= 1

        monkeypatch.setattr(MemoryTable, name, slowly)
    return under_way


async def latency(scim: ScimClient, user_id: str, times: int = 21) -> float:
    """Return how long a request takes in the middle."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        assert (await scim.get(f"/Users/{user_id}")).status == 200
        taken.append(time.perf_counter() - begun)
    return median(taken)


@pytest.fixture
async def others(service: Service) -> tuple[ScimClient, str, ScimClient, str]:
    quiet, loud = await service.new_directory(), await service.new_directory()
    return quiet, (await quiet.new_user("anna"))["id"], loud, (await loud.new_user("bob"))["id"]


async def test_a_directory_at_full_speed_doubles_no_median_of_another(
    others: tuple[ScimClient, str, ScimClient, str], slow: list[int]
) -> None:
    quiet, quiet_id, loud, loud_id = others
    alone = await latency(quiet, quiet_id)

    async def at_full_speed() -> None:
        while True:
            await loud.get(f"/Users/{loud_id}")

    flood = [asyncio.ensure_future(at_full_speed()) for _ in range(90)]
    await asyncio.sleep(5 * SECONDS)
    beside = await latency(quiet, quiet_id)
    for task in flood:
        task.cancel()
    await asyncio.gather(*flood, return_exceptions=True)

    assert slow[1] <= 10
    assert beside <= 2 * alone


async def test_who_does_not_come_to_its_turn_is_told_when_to_repeat(
    service: Service, api: ApiClient, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    scim = await service.new_directory()
    application = service.application
    full = FairShare(at_once=0, longest_wait=0.01)
    for surface in (application.provisioning, application.management, application.portal):
        object.__setattr__(surface, "fair_share", full)
    caplog.set_level(logging.INFO, "scim.requests")

    answers: list[Any] = [
        await scim.post("/Users", user("anna")),
        await api.get("organizations"),
        await browser.get(""),
    ]

    assert [(answer.status, answer.headers["Retry-After"]) for answer in answers] == [(429, "5")] * 3
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "scim.requests"]
    assert [line["status"] for line in lines] == [429] * 3
    assert all(line["waited_ms"] >= 9 for line in lines)
    assert lines[0]["directory_id"] == scim.directory.id


async def test_requests_without_the_right_token_take_no_place_of_a_directory(
    others: tuple[ScimClient, str, ScimClient, str],
) -> None:
    scim = others[0]
    object.__setattr__(scim.application.provisioning, "fair_share", FairShare(at_once=0, longest_wait=0.01))

    wrong = await asyncio.gather(*(replace(scim, token="guessed").get("/Users") for _ in range(100)))

    assert {answer.status for answer in wrong} == {401}
    assert (await scim.get("/ServiceProviderConfig")).status == 200
    assert (await scim.get("/Users")).status == 429


async def test_a_flood_of_a_provider_leaves_the_api_and_the_portal_open(
    service: Service, api: ApiClient, browser: Browser
) -> None:
    object.__setattr__(service.application.provisioning, "fair_share", FairShare(at_once=0, longest_wait=0.01))

    assert (await api.get("organizations")).status == 200
    assert (await browser.get("")).status == 200


async def test_a_burst_that_storage_answers_in_time_is_answered_without_a_refusal(
    others: tuple[ScimClient, str, ScimClient, str], slow: list[int]
) -> None:
    answers = await asyncio.gather(*(others[0].get(f"/Users/{others[1]}") for _ in range(100)))

    assert {answer.status for answer in answers} == {200}
    assert slow[1] <= 9

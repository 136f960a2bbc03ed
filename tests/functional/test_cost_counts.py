"""What the cost page says is counted, counted."""

from __future__ import annotations

from tests.service import Service
from tests.unit.test_cost import RELAY_STORAGE, SWEEP_STORAGE, WATCH_STORAGE

MESSAGE_REQUESTS = 3
"""Sending, fetching and deleting the message that asks for a relay."""


async def test_the_sweep_asks_of_storage_for_a_directory_what_the_cost_page_says(service: Service) -> None:
    await service.new_directory()
    one = await sweep_requests(service)
    await service.new_directory()

    assert await sweep_requests(service) - one == SWEEP_STORAGE


async def test_a_relay_after_a_change_asks_what_the_cost_page_says(service: Service) -> None:
    scim = await service.new_directory()
    await scim.new_user("anna")
    before = service.meter()

    await scim.relay()

    assert service.meter() - before + MESSAGE_REQUESTS == RELAY_STORAGE


async def test_a_round_of_the_watcher_asks_what_the_cost_page_says(service: Service) -> None:
    await service.new_directory()
    await service.application.token_watcher.watch()
    before = service.meter()

    await service.application.token_watcher.watch()

    assert service.meter() - before == WATCH_STORAGE


async def sweep_requests(service: Service) -> int:
    """Return what a sweep costs when nothing is left to do."""
    await service.application.background.sweep()
    before = service.meter()
    await service.application.background.sweep()
    return service.meter() - before

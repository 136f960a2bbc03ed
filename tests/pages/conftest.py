"""Fixtures of the tests in Chromium: a host in a process of its own, and a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
from playwright.async_api import Browser

from scim.local_host.started_host import started_host
from tests.pages.chromium import chromium, chromium_path
from tests.pages.tour import Backend


@pytest.fixture(scope="session")
def host() -> Iterator[Mapping[str, Any]]:
    """What a running host printed."""
    with started_host("--ephemeral", "--port", "0") as (_, ready):
        yield ready


@pytest.fixture
def backend(host: Mapping[str, Any]) -> Backend:
    """The application's backend."""
    return Backend(host["api_url"], host["api_key"])


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, or a skip that says what is missing."""
    if chromium_path() is None:
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    async with chromium() as started:
        yield started

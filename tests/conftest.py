"""Fixtures that every kind of test shares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scim.local_host.azurite import Azurite, start_azurite


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """An Azurite of this test process alone, in memory, on free ports."""
    started = start_azurite(location=None)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def own_azurite() -> Iterator[Azurite]:
    """An Azurite of one module's tests, which read everything that is in it or leave behind what breaks others."""
    started = start_azurite(location=None)
    yield started
    started.stop()

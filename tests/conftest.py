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

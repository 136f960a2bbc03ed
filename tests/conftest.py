"""Fixtures that every kind of test shares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scim.directories.actor import Actor, acting
from scim.local_host.azurite import Azurite, start_azurite

TEST = Actor("operator", "tests")
"""Who makes the changes that a test makes itself."""


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


@pytest.fixture(autouse=True)
def _acting_test() -> Iterator[None]:
    """Let changes that a test makes without any surface be the test's: everything has an actor."""
    with acting(TEST):
        yield

"""Several storage accounts, kept apart by one Azurite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scim.adapters.tables.authorization import parse_connection_string
from scim.local_host.azurite import start_azurite

_EMULATED = parse_connection_string("UseDevelopmentStorage=true")
_NAMES = ("first", "second", "third", "fourth")


@pytest.fixture(scope="module")
def azurite_accounts() -> Iterator[list[str]]:
    """The connection strings of four accounts of these tests alone."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AZURITE_ACCOUNTS", ";".join(f"{name}:{_EMULATED.key}" for name in _NAMES))
        started = start_azurite(location=None)
    yield [started.connection_string.replace(_EMULATED.name, name) for name in _NAMES]
    started.stop()

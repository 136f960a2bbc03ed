"""Margins after a change are longer than anything may go by what was there before."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from scim.adapters.tables.failures import MAX_ATTEMPT_SECONDS
from scim.directories.deletion import QUIET
from scim.directories.directory import Directory
from scim.directories.errors import DirectoryStoreUnavailableError
from scim.directories.mapping_job import SETTLING
from scim.directories.staleness import LONGEST_STALE
from scim.provisioning import bulk
from scim.provisioning.directory_cache import DirectoryCache
from scim.provisioning.errors import ServiceUnavailableException
from scim.resources.storage_scope import storage_scope
from tests.tokens import TokenWorld

_STEP = 5.0


class _Store:
    """A store of one directory that goes away."""

    def __init__(self, directory: Directory) -> None:
        self.directory_read: Directory | None = directory

    async def directory(self, directory_id: str) -> Directory | None:
        if self.directory_read is None:
            raise DirectoryStoreUnavailableError("the table does not answer")
        return self.directory_read if self.directory_read.id == directory_id else None


async def _longest_served(store: _Store, directory_id: str) -> float:
    """Return how long a cache serves a directory on while the store does not answer, to five seconds."""
    elapsed = 0.0
    cache = DirectoryCache(store, monotonic=lambda: elapsed)
    await cache.get(directory_id)
    store.directory_read = None
    while True:
        try:
            await cache.get(directory_id)
        except ServiceUnavailableException:
            return elapsed
        elapsed += _STEP


@pytest.mark.parametrize("margin", [QUIET, SETTLING], ids=["deletion", "mappings"])
async def test_a_margin_is_longer_than_the_last_request_by_what_was_there_before(margin: timedelta) -> None:
    world = TokenWorld()
    directory_id, _ = await world.new_directory()
    served = await _longest_served(_Store(await world.directory(directory_id)), directory_id)
    with storage_scope() as scope:
        request = scope.deadline - time.monotonic()

    last = served + bulk.SECONDS + request
    assert last <= LONGEST_STALE.total_seconds()
    assert margin.total_seconds() > last + MAX_ATTEMPT_SECONDS

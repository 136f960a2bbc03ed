"""What every user of the table ``directories`` meets: outages, and others who write the same row."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from scim.adapters.tables.table import StorageUnavailableError
from scim.directories.errors import DirectoryStoreUnavailableError

ATTEMPTS: Final = 6
"""How often a change that met another is made anew."""
_LONGEST_PAUSE = 0.05


async def pause(attempt: int) -> None:
    """Wait a moment that grows with the attempts, so that two who met do not meet again."""
    await asyncio.sleep(random.uniform(0, _LONGEST_PAUSE * (attempt + 1)))  # noqa: S311 - only spreads attempts


@contextmanager
def outages() -> Iterator[None]:
    """Tell an outage of storage in the words of the directories' store."""
    try:
        yield
    except StorageUnavailableError as error:
        raise DirectoryStoreUnavailableError(str(error), retry_after=error.retry_after) from error

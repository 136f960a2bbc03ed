"""Walks through a directory's resources in id order, forwards and backwards, within the budget of one request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from scim.adapters.tables.directory_index import DirectoryIndex
from scim.adapters.tables.pages import documents_from
from scim.adapters.tables.partition import Partition
from scim.resources.identifiers import ResourceName, resource_name_of
from scim.resources.stored_document import StoredDocument
from scim.resources.turns import Turns

MAX_SCANNED_ROWS = 10_000
MAX_SCAN_SECONDS = 3.0
MAX_SCANNED_CHARACTERS = 64_000_000
_ROWS_IN_A_ROW = 16
"""After so many rows, or sooner when they are large, other requests of the process have their turn."""


@dataclass(slots=True)
class ScanBudget:
    """What one request may read: rows, time, and characters, since a row may be large."""

    rows: int = MAX_SCANNED_ROWS
    characters: int = MAX_SCANNED_CHARACTERS
    ends_at: float = field(default_factory=lambda: time.monotonic() + MAX_SCAN_SECONDS)
    turns: Turns = field(default_factory=Turns)

    async def spend(self, document: StoredDocument) -> bool:
        """Count a document that was read, and return whether another may be; let others have their turn."""
        self.rows -= 1
        self.characters -= len(document.text)
        if self.rows % _ROWS_IN_A_ROW == 0:
            await asyncio.sleep(0)
        await self.turns.offer()
        return self.rows > 0 and self.characters > 0 and time.monotonic() < self.ends_at


async def forwards(
    partition: Partition, names: Sequence[ResourceName], after_id: str, page_size: int
) -> AsyncIterator[StoredDocument]:
    """Yield the resources of the given types behind an id (the empty id: all of them), groups before users."""
    for name in sorted(names):
        if after_id and resource_name_of(after_id) != name and after_id > f"{_prefix(name)}~":
            continue
        start = f"{after_id}!" if after_id.startswith(_prefix(name)) else ""
        async for document in documents_from(partition, name, start, page_size=page_size):
            yield document


async def backwards(
    partition: Partition, index: DirectoryIndex, names: Sequence[ResourceName], before_id: str, page_size: int
) -> AsyncIterator[StoredDocument]:
    """Yield the resources of the given types before an id, last first.

    Tables read forwards: the page map tells from where.
    """
    for name in sorted(names, reverse=True):
        if before_id < _prefix(name):
            continue
        pages = index.current_map(name)
        end_id = before_id if before_id.startswith(_prefix(name)) else f"{_prefix(name)}~"
        while end_id:
            first_id = pages.before(end_id, page_size)
            # Two blocks of the page map at most: one request.
            part = [d async for d in documents_from(partition, name, first_id, end_id=end_id, page_size=1000)]
            for document in reversed(part):
                yield document
            end_id = first_id


def _prefix(name: ResourceName) -> str:
    return "grp_" if name == "Group" else "usr_"

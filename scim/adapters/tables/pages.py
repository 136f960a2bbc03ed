"""Resources in id order: pages by index through the page map, walks from an id on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from scim.adapters.tables import keys
from scim.adapters.tables.directory_index import DirectoryIndex
from scim.adapters.tables.document_rows import stored_group, stored_user
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import Row
from scim.resources.identifiers import ResourceName
from scim.resources.stored_document import MAX_PAGE_CHARACTERS, StoredDocument

_SCAN_PAGE = 250


async def page_at(
    partition: Partition, index: DirectoryIndex, name: ResourceName, offset: int, count: int
) -> list[StoredDocument]:
    """Return up to ``count`` resources of a type from an offset in id order. 2 storage requests at any depth."""
    pages = index.current_map(name)
    if count == 0 or offset >= pages.total:
        return []
    first_id, skipped = pages.locate(offset)
    start = await _id_at(partition, name, first_id, skipped) if skipped else first_id
    return await take(partition, name, start, count) if start is not None else []


async def _id_at(partition: Partition, name: ResourceName, first_id: str, skipped: int) -> str | None:
    """Return the id of the resource that lies so many behind a block's first, reading keys only."""
    start, end = _range_from(name, first_id)
    per_resource = 1 if name == "User" else 2
    continuation: Mapping[str, str] | None = None
    while True:
        limit = min(1000, (skipped + 1) * per_resource)
        page = await partition.page((start, end), select=("RowKey",), limit=limit, continuation=continuation)
        ids = [keys.last_id(row.key) for row in page.rows if not row.key.endswith("|v")]
        if skipped < len(ids):
            return ids[skipped]
        skipped, continuation = skipped - len(ids), page.continuation
        if continuation is None:
            return None


def _range_from(name: ResourceName, first_id: str) -> tuple[str, str]:
    first, end = keys.document_range(name)
    return (keys.document(first_id) if first_id else first), end


async def take(partition: Partition, name: ResourceName, start_id: str, count: int) -> list[StoredDocument]:
    """Return up to ``count`` resources from an id on, that one included. One storage request up to 500 of them.

    Of large ones fewer: one more than fit a page.
    """
    documents: list[StoredDocument] = []
    characters = 0
    async for document in documents_from(partition, name, start_id, page_size=count):
        documents.append(document)
        characters += len(document.text)
        if len(documents) == count or characters > MAX_PAGE_CHARACTERS:
            break
    return documents


async def documents_from(
    partition: Partition, name: ResourceName, start_id: str, *, end_id: str = "", page_size: int = _SCAN_PAGE
) -> AsyncIterator[StoredDocument]:
    """Yield resources of a type in id order from an id on (the empty id: the first), before ``end_id`` if given."""
    start, end = _range_from(name, start_id)
    if end_id:
        end = keys.document(end_id)
    limit = min(1000, page_size if name == "User" else 2 * page_size)
    continuation: Mapping[str, str] | None = None
    waiting: Row | None = None
    while True:
        page = await partition.page((start, end), limit=limit, continuation=continuation)
        for row in page.rows:
            if name == "User":
                yield stored_user(row)
            elif not row.key.endswith("|v"):
                waiting = row
            elif waiting is not None and row.key == f"{waiting.key}|v":
                yield stored_group(waiting, row)
        continuation = page.continuation
        if continuation is None:
            return

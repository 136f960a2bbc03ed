"""A resource as it is stored: its JSON, its version, and what the next write must know."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scim.resources.identifiers import ResourceName


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A stored user, or group without its members."""

    name: ResourceName
    id: str
    text: str
    """The document as JSON text: schemas, id and attributes as they are returned, without meta."""
    version: str
    """The id of the operation that changed it last, members included."""
    created: str
    last_modified: str
    etag: str
    """The state of the document's row."""
    members_etag: str = ""
    """The state of a group's version row."""
    announced: int = 0
    """Of a user: the revision of the mappings under which an event told of it last, as far as mappings go."""
    matching: tuple[str, ...] = ()
    """Of a user: the hashes of attributes and values by which lookup rows lead to it."""
    kept: Mapping[str, Any] | None = None
    """What its row holds beside: columns of a newer version, which every change leaves as they are."""

    def document(self) -> dict[str, Any]:
        """Return a fresh copy of the document."""
        document: dict[str, Any] = json.loads(self.text)
        return document


MAX_PAGE_CHARACTERS = 8_000_000
"""What a page of documents may hold: an answer is made of it in a moment, and several fit the process."""


def fitting(documents: Iterable[StoredDocument]) -> int:
    """Return how many of some documents, the first ones, fit a page: one at least, if there is one."""
    number = characters = 0
    for document in documents:
        characters += len(document.text)
        if number and characters > MAX_PAGE_CHARACTERS:
            break
        number += 1
    return number


def document_text(document: dict[str, Any]) -> str:
    """Return the JSON text in which a document is stored and compared."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))

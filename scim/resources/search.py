"""A search and its result, between the SCIM surface and storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scim2_models.path import FilterNode

from scim.resources.schema import ResourceSchema
from scim.resources.sorting import SortKey
from scim.resources.stored_document import StoredDocument


@dataclass(frozen=True, slots=True)
class Search:
    """What to find, in which order, and which page of it (RFC 7644 §3.4.2, RFC 9865)."""

    schemas: Sequence[ResourceSchema]
    """The resource types searched; several at the server root."""
    filter: FilterNode | None = None
    leading_email: str = ""
    """Only users whose profile has this e-mail address; any when empty."""
    sort: SortKey | None = None
    """The order; by id, which is by time of creation, when None."""
    count: int = 100
    start_index: int | None = 1
    """The 1-based position of the page, or None to page by cursor."""
    position: Any = None
    """Where a page by cursor begins, as an earlier result gave it; None for the first page."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One page of what was found; groups come without members."""

    documents: Sequence[StoredDocument]
    total: int | None = None
    """How many resources match; always known by index, by cursor only where it costs nothing."""
    next: Any = None
    previous: Any = None

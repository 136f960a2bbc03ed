"""The columns of a row by which lists show and search its resource without reading the document. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from scim.adapters.tables import keys
from scim.adapters.tables.table import Row, Value
from scim.resources.identifiers import ResourceName
from scim.resources.summary import Summary, summary_texts

_TEXTS: Mapping[ResourceName, tuple[str, ...]] = {
    "User": ("name", "user_name", "email", "external_id"),
    "Group": ("name", "external_id"),
}
COLUMNS = ("RowKey", *_TEXTS["User"], "active", "modified")
"""All that :func:`summaries_in` needs."""
ROWS_EACH: Mapping[ResourceName, int] = {"User": 1, "Group": 2}
"""How many rows a resource has in the range of its type's documents."""


def summary_columns(name: ResourceName, document: Mapping[str, Any]) -> dict[str, Value]:
    """Return the columns that a document's row has for lists; what is empty has none."""
    return {column: text for column, text in summary_texts(name, document).items() if text}


def has_summary_of(name: ResourceName, row: Row, document: Mapping[str, Any]) -> bool:
    """Tell whether the columns of a row say what its document does."""
    stored = {column: row.values[column] for column in _TEXTS[name] if row.values.get(column)}
    return stored == summary_columns(name, document)


def summaries_in(name: ResourceName, rows: Sequence[Row]) -> list[Summary]:
    """Return the summaries in rows of one type; a group whose version row is not among them is left out."""
    if name == "User":
        return [_summary(name, row, row) for row in rows]
    return [_summary(name, row, version) for row, version in pairwise(rows) if version.key == f"{row.key}|v"]


def _summary(name: ResourceName, row: Row, version: Row) -> Summary:
    texts = {column: str(row.values.get(column, "")) for column in _TEXTS[name]}
    active = row.values.get("active") is not False
    modified = max(str(row.values["modified"]), str(version.values["modified"]))
    return Summary(keys.last_id(row.key), **texts, active=active, modified=modified)

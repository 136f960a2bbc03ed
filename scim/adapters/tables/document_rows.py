"""Documents as table rows: JSON text over properties of at most 32,768 UTF-16 units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from scim.adapters.tables import keys
from scim.adapters.tables.table import MAX_TEXT_UNITS, Row, Value
from scim.resources.errors import LimitExceededError
from scim.resources.identifiers import Operation, ResourceName
from scim.resources.stored_document import StoredDocument

MAX_DOCUMENT_BYTES = 256 * 1024
_DERIVED_COLUMNS = frozenset({"active", "announced", "matching", "name", "user_name", "email", "external_id"})
_OBSOLETE_COLUMNS = frozenset({"operations"})
"""What an earlier version wrote, and nothing reads any more."""
_COLUMNS = (
    frozenset({"PartitionKey", "RowKey", "Timestamp", "version", "created", "modified"})
    | _DERIVED_COLUMNS
    | _OBSOLETE_COLUMNS
    | {f"d{number}" for number in range(MAX_DOCUMENT_BYTES // MAX_TEXT_UNITS + 2)}
)
"""All columns of a document's row that this version writes anew, or drops, whenever it changes the document."""
_BMP_END = "\uffff"


def split_text(text: str) -> dict[str, Value]:
    """Return a text as properties d0, d1, …; none is longer than the service allows, no character is divided."""
    if len(text) <= MAX_TEXT_UNITS and (text.isascii() or max(text, default="") <= _BMP_END):
        return {"d0": text}
    encoded = text.encode("utf-16-le")
    pieces: dict[str, Value] = {}
    start = 0
    while start < len(encoded):
        end = min(start + 2 * MAX_TEXT_UNITS, len(encoded))
        if end < len(encoded) and encoded[end - 1] & 0xFC == 0xD8:  # noqa: PLR2004 - ends in half a surrogate pair
            end -= 2
        pieces[f"d{len(pieces)}"] = encoded[start:end].decode("utf-16-le")
        start = end
    return pieces


def joined_text(values: Mapping[str, Value]) -> str:
    """Return the text that :func:`split_text` divided."""
    if "d1" not in values:
        return str(values.get("d0", ""))
    pieces: list[str] = []
    while (piece := values.get(f"d{len(pieces)}")) is not None:
        pieces.append(str(piece))
    return "".join(pieces)


def require_size(text: str) -> None:
    """Refuse a document of more than 256 KiB: rows, events and transactions are sized for it.

    :raises LimitExceededError: Naming the limit.
    """
    if len(text) > MAX_DOCUMENT_BYTES // 4 and len(text.encode()) > MAX_DOCUMENT_BYTES:
        raise LimitExceededError("A resource may hold at most 256 KiB of JSON; map fewer or shorter attributes.")


def document_values(text: str, operation: Operation, *, created: str) -> dict[str, Value]:
    """Return the properties of a document's row after an operation."""
    require_size(text)
    return {**split_text(text), "version": operation.id, "created": created, "modified": operation.time}


def stored_user(row: Row) -> StoredDocument:
    """Return the user of a ``u|`` row."""
    stored = _stored("User", row, str(row.values["version"]), str(row.values["modified"]), "")
    announced, matching = row.values.get("announced"), row.values.get("matching")
    if not announced and not matching:
        return stored
    return replace(stored, announced=int(str(announced or 0)), matching=tuple(str(matching or "").split()))


def stored_group(row: Row, version: Row) -> StoredDocument:
    """Return the group of a ``g|`` row and its version row, which every change of document or members writes."""
    modified = max(str(row.values["modified"]), str(version.values["modified"]))
    return _stored("Group", row, str(version.values["version"]), modified, version.etag)


def _unknown(values: Mapping[str, Value]) -> dict[str, Value]:
    return {column: values[column] for column in values.keys() - _COLUMNS}


def _stored(name: ResourceName, row: Row, version: str, modified: str, members_etag: str) -> StoredDocument:
    values = row.values
    return StoredDocument(
        name=name,
        id=keys.last_id(row.key),
        text=joined_text(values),
        version=version,
        created=str(values["created"]),
        last_modified=modified,
        etag=row.etag,
        members_etag=members_etag,
        kept=None if _COLUMNS.issuperset(values) else _unknown(values),
    )

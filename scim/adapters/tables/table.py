"""What a table does for us: read a row, query a range of rows, commit a transaction.

Every row of a request lives in one partition. Two clients implement :class:`Table`: a slim one for the hot path
and one over the Azure SDK; both keep the promises written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from scim.resources.errors import LostRaceError
from scim.resources.errors import StorageUnavailableError as StorageUnavailableError  # noqa: PLC0414 - part of the contract

Value = str | bool | int | float | bytes | datetime
"""A property: text of at most 32,768 UTF-16 units, a 32-bit integer, a 64-bit integer as :class:`Int64`, …"""

MAX_TRANSACTION_WRITES = 100
MAX_TRANSACTION_BYTES = 4 * 1024 * 1024 - 64 * 1024
MAX_ROW_BYTES = 1024 * 1024
MAX_TEXT_UNITS = 32_768


class Int64(int):
    """An integer stored as Edm.Int64, for numbers that may pass 2^31."""


@dataclass(frozen=True, slots=True)
class Row:
    """A stored row: key, ETag, properties, the service's timestamp (ISO 8601 text, empty when not selected)."""

    key: str
    etag: str
    values: Mapping[str, Value]
    timestamp: str = ""


@dataclass(frozen=True, slots=True)
class RowPage:
    """Rows in key order, and where to continue, or None when the range is exhausted.

    A page may be empty and still have a ``continuation``: the service answers so when a query takes long.
    ``continuation`` is opaque; pass it back with the same arguments.
    """

    rows: Sequence[Row]
    continuation: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """One operation of a transaction. ``etag`` is the required state: ``*`` for any existing row; unused by insert."""

    kind: Literal["insert", "replace", "merge", "delete"]
    key: str
    values: Mapping[str, Value] = field(default_factory=dict)
    etag: str = "*"


def insert(key: str, values: Mapping[str, Value]) -> Write:
    """Return the write that creates a row, and fails the transaction when the key is taken."""
    return Write("insert", key, values)


def replace(key: str, values: Mapping[str, Value], etag: str) -> Write:
    """Return the write that replaces all properties of an existing row in a given state."""
    return Write("replace", key, values, etag)


def merge(key: str, values: Mapping[str, Value], etag: str = "*") -> Write:
    """Return the write that sets some properties of an existing row; a missing row fails the transaction."""
    return Write("merge", key, values, etag)


def delete(key: str, etag: str = "*") -> Write:
    """Return the write that deletes an existing row; a missing row fails the transaction."""
    return Write("delete", key, {}, etag)


class TransactionRefusedError(LostRaceError):
    """A transaction was refused as a whole, because of the write at ``index``; nothing of it was applied.

    ``uncertain`` tells that an earlier attempt of the same commit got no answer and may have been applied. Where it
    records no operation in the outbox, the refusal may come from our own write: the caller re-reads to recognise it.
    """

    def __init__(self, index: int, *, uncertain: bool) -> None:
        super().__init__(f"write {index} was refused")
        self.index = index
        self.uncertain = uncertain


class RowExistsError(TransactionRefusedError):
    """An insert met an existing row (409)."""


class RowChangedError(TransactionRefusedError):
    """A row was not in the required state, or two transactions met (412)."""


class RowMissingError(TransactionRefusedError):
    """A replace, merge or delete met no row (404)."""


class TransactionTooLargeError(ValueError):
    """A transaction breaks a limit of the service: a defect of the caller, found before anything is sent."""


class Table(Protocol):
    """One table of one storage account."""

    async def read(self, partition: str, key: str, *, select: Sequence[str] = ()) -> Row | None:
        """Return a row, or None. One storage request.

        :param select: The properties wanted; all when empty.
        :raises StorageUnavailableError: When storage does not answer in time.
        """
        ...

    async def query(
        self,
        partition: str,
        first: str,
        end: str,
        *,
        select: Sequence[str] = (),
        limit: int = 1000,
        continuation: Mapping[str, str] | None = None,
    ) -> RowPage:
        """Return up to ``limit`` (≤ 1000) rows with ``first`` <= key < ``end``, in key order. One storage request."""
        ...

    async def commit(self, partition: str, writes: Sequence[Write]) -> list[str]:
        """Apply all writes or none, and return the new ETags in order ("" for a delete). One storage request.

        Retries what is safe to retry; see :class:`TransactionRefusedError` about what a retry may meet. Every ETag is
        "" when the transaction records an operation that turns out to have been applied by an attempt without answer.

        :raises RowExistsError, RowChangedError, RowMissingError: The first write that was refused.
        :raises TransactionTooLargeError: Before anything is sent, when a limit of the service is broken.
        :raises StorageUnavailableError: When storage does not answer in time; the transaction may be applied or not.
        """
        ...

"""The limits of Table Storage, checked before anything is sent: Azurite lets most of them pass. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from scim.adapters.tables.table import (
    MAX_ROW_BYTES,
    MAX_TEXT_UNITS,
    MAX_TRANSACTION_BYTES,
    MAX_TRANSACTION_WRITES,
    Int64,
    TransactionTooLargeError,
    Value,
    Write,
)

MAX_KEY_UNITS: Final = 512
MAX_BINARY_BYTES: Final = 64 * 1024
MAX_PROPERTIES: Final = 252
MAX_NAME_LENGTH: Final = 255
_FIRST_YEAR: Final = 1601
_RESERVED: Final = frozenset({"PartitionKey", "RowKey", "Timestamp"})
_FORBIDDEN_IN_KEY: Final = re.compile("[/\\\\#?\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ETAG: Final = re.compile(r'\*|W/"[^"\r\n]*"')
_KEY_COST: Final = 4
_PROPERTY_COST: Final = 8


def is_possible_key(key: str) -> bool:
    """Return whether a row can have this partition or row key at all."""
    return len(key) <= MAX_KEY_UNITS and _FORBIDDEN_IN_KEY.search(key) is None and _text_units(key) <= MAX_KEY_UNITS


def check_transaction(partition: str, writes: Sequence[Write]) -> None:
    """Return when a transaction keeps every limit but that of its size in bytes, see :func:`check_payload`.

    :raises TransactionTooLargeError: Naming the limit, and the write that breaks it.
    """
    if not 1 <= len(writes) <= MAX_TRANSACTION_WRITES:
        raise TransactionTooLargeError(f"A transaction has 1 to {MAX_TRANSACTION_WRITES} writes, not {len(writes)}.")
    _check_key("partition key", partition)
    keys = set()
    for write in writes:
        _check_write(partition, write)
        keys.add(write.key)
    if len(keys) != len(writes):
        raise TransactionTooLargeError("A transaction has at most one write for each key.")


def check_payload(size: int) -> None:
    """Return when the encoded transaction is not too large.

    :raises TransactionTooLargeError: When it is larger than 4 MiB, less a margin.
    """
    if size > MAX_TRANSACTION_BYTES:
        raise TransactionTooLargeError(f"A transaction has at most {MAX_TRANSACTION_BYTES} bytes, not {size}.")


def row_size(partition: str, key: str, values: Mapping[str, Value]) -> int:
    """Return the bytes a row counts for at the service.

    :raises TransactionTooLargeError: When a property breaks a limit of its own.
    """
    size = _KEY_COST + 2 * (len(partition) + len(key))
    for name, value in values.items():
        _check_name(name)
        size += _PROPERTY_COST + 2 * len(name) + _value_size(name, value)
    return size


def _check_write(partition: str, write: Write) -> None:
    _check_key("row key", write.key)
    if write.kind != "insert" and _ETAG.fullmatch(write.etag) is None:
        # Sent without a condition, a merge of a missing row would create it.
        raise TransactionTooLargeError(f"The {write.kind} of {write.key!r} needs an ETag or *.")
    if len(write.values) > MAX_PROPERTIES:
        raise TransactionTooLargeError(f"A row has at most {MAX_PROPERTIES} properties; {write.key!r} has more.")
    size = row_size(partition, write.key, write.values)
    if size > MAX_ROW_BYTES:
        raise TransactionTooLargeError(f"A row has at most {MAX_ROW_BYTES} bytes; {write.key!r} has {size}.")


def _check_key(kind: str, key: str) -> None:
    if not is_possible_key(key):
        raise TransactionTooLargeError(
            f"A {kind} has at most {MAX_KEY_UNITS} characters and none of / \\ # ? and the control characters: {key!r}"
        )


def _check_name(name: str) -> None:
    plain = name.isascii() and name.isidentifier() and len(name) <= MAX_NAME_LENGTH
    if not plain or name in _RESERVED:
        raise TransactionTooLargeError(
            f"A property name is letters, digits and _, at most {MAX_NAME_LENGTH}, and not a key's: {name!r}"
        )


def _value_size(name: str, value: Value) -> int:
    if isinstance(value, str):
        return _text_size(name, value)
    if isinstance(value, bool):
        return 1
    if isinstance(value, int):
        return _integer_size(name, value)
    if isinstance(value, bytes):
        return _binary_size(name, value)
    if isinstance(value, datetime):
        _check_datetime(name, value)
    return 8


def _text_size(name: str, value: str) -> int:
    units = _text_units(value)
    if units > MAX_TEXT_UNITS:
        raise TransactionTooLargeError(f"A text has at most {MAX_TEXT_UNITS} UTF-16 units; {name} has {units}.")
    return 4 + 2 * units


def _text_units(value: str) -> int:
    if value.isascii():
        return len(value)
    try:
        return len(value.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        raise TransactionTooLargeError("A text is made of whole characters, without lone surrogates.") from None


def _integer_size(name: str, value: int) -> int:
    bits, kind = (63, "64-bit") if isinstance(value, Int64) else (31, "32-bit")
    if not -(1 << bits) <= value < 1 << bits:
        raise TransactionTooLargeError(f"A {kind} integer is too small for {name}, {value}.")
    return 8 if bits == 63 else 4  # noqa: PLR2004 - 64 bits are 8 bytes


def _binary_size(name: str, value: bytes) -> int:
    if len(value) > MAX_BINARY_BYTES:
        raise TransactionTooLargeError(f"A binary has at most {MAX_BINARY_BYTES} bytes; {name} has {len(value)}.")
    return 4 + len(value)


def _check_datetime(name: str, value: datetime) -> None:
    if value.tzinfo is None or value.year < _FIRST_YEAR:
        raise TransactionTooLargeError(f"A datetime has a time zone and is after {_FIRST_YEAR}; {name} is not.")

"""The filters and selections of Table Storage queries that both clients send. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

MAX_ROWS: Final = 1000


def range_filter(partition: str, first: str, end: str) -> str:
    """Return the filter for the rows with ``first`` <= key < ``end``."""
    return f"PartitionKey eq {_literal(partition)} and RowKey ge {_literal(first)} and RowKey lt {_literal(end)}"


def selected(names: Sequence[str]) -> str:
    """Return the value of ``$select``: also the key, and the timestamp, from which the ETag follows if it must."""
    return ",".join(dict.fromkeys(("RowKey", "Timestamp", *names)))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

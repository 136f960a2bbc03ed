"""The filters and selections of Table Storage queries that both clients send. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

MAX_KEYS: Final = 14
MAX_ROWS: Final = 1000
_BOUNDED_KEYS: Final = 12


def range_filter(partition: str, first: str, end: str) -> str:
    """Return the filter for the rows with ``first`` <= key < ``end``."""
    return f"PartitionKey eq {_literal(partition)} and RowKey ge {_literal(first)} and RowKey lt {_literal(end)}"


def keys_filter(partition: str, keys: Sequence[str]) -> str:
    """Return the filter for at most 14 rows by key, at most 15 comparisons.

    The service answers an ``or`` of row keys by scanning; where the comparisons suffice, it is told between which keys.
    """
    if len(keys) > MAX_KEYS:
        raise ValueError(f"At most {MAX_KEYS} rows are read by key at once, not {len(keys)}.")
    keys = sorted(keys, key=lambda key: key.encode("utf-16-be"))
    wanted = " or ".join(f"RowKey eq {_literal(key)}" for key in keys)
    scope = f"PartitionKey eq {_literal(partition)}"
    if 1 < len(keys) <= _BOUNDED_KEYS:
        scope += f" and RowKey ge {_literal(keys[0])} and RowKey le {_literal(keys[-1])}"
    return f"{scope} and ({wanted})"


def selected(names: Sequence[str]) -> str:
    """Return the value of ``$select``: also the key, and the timestamp, from which the ETag follows if it must."""
    return ",".join(dict.fromkeys(("RowKey", "Timestamp", *names)))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

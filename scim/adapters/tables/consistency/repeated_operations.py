"""Operations that stand in the feed more than once. Pure."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

_REMEMBERED: Final = 50_000
"""Feed rows between two of one operation at most: more than a minute of changes, within which attempts can meet."""


class RepeatedOperations:
    """Sees the feed row by row, and keeps those that tell what an earlier one told; at most 50,000 are remembered."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        """The key of a row, and that of the earlier one with the same operation."""
        self._seen: OrderedDict[str, str] = OrderedDict()

    def see(self, key: str, operation_id: str) -> None:
        """Take the next row."""
        earlier = self._seen.get(operation_id)
        if earlier is not None:
            self.found.append((key, earlier))
            return
        self._seen[operation_id] = key
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

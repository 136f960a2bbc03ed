"""Comparing what two sides state, in memory that does not grow with how much they state.

A document states which lookup rows and which anchor there must be, and those rows state themselves; either side of a
membership states it. A fact that both sides state is right. A first walk adds the digests of all facts into sums, in
which equal facts cancel out; only where a sum is left, a second walk collects the facts themselves.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final, Protocol

_BUCKETS: Final = 1 << 16
_DIGEST: Final = (1 << 64) - 1
_MAX_DIFFERENCES: Final = 50_000


class Ledger(Protocol):
    """Takes the facts that rows state, each at most once by each side."""

    def state(self, fact: str) -> None:
        """Take a fact of either side."""
        ...


class Sums:
    """The first look: 65,536 sums of 64-bit digests, 512 KiB in all. It errs once in 2^48 differences."""

    def __init__(self) -> None:
        self._sums = array("Q", bytes(8 * _BUCKETS))

    def state(self, fact: str) -> None:
        """Add a fact to the sum of its bucket, or take it out when the other side stated it before."""
        digest = hash(fact)
        self._sums[digest % _BUCKETS] ^= digest & _DIGEST

    def unbalanced(self) -> frozenset[int]:
        """Return the buckets in which there are facts that one side alone states."""
        return frozenset(bucket for bucket, total in enumerate(self._sums) if total)


class Differences:
    """The second look: the facts of unbalanced buckets that one side alone states.

    When they become too many, half of the buckets are given up, and ``is_complete`` says so.
    """

    def __init__(self, buckets: AbstractSet[int]) -> None:
        self.is_complete = True
        self._buckets = buckets
        self._facts: set[str] = set()

    def state(self, fact: str) -> None:
        """Keep a fact, or forget it when the other side stated it before."""
        if hash(fact) % _BUCKETS not in self._buckets:
            return
        if fact in self._facts:
            self._facts.remove(fact)
        else:
            self._facts.add(fact)
        if len(self._facts) > _MAX_DIFFERENCES and len(self._buckets) > 1:
            self._give_up_half()

    def __iter__(self) -> Iterator[str]:
        """Yield the facts in order."""
        return iter(sorted(self._facts))

    def _give_up_half(self) -> None:
        self.is_complete = False
        kept = sorted(self._buckets)[::2]
        self._buckets = frozenset(kept)
        self._facts = {fact for fact in self._facts if hash(fact) % _BUCKETS in self._buckets}

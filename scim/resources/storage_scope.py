"""What one request may still spend on storage, and what it has spent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from scim.directories.staleness import REQUEST_SECONDS


@dataclass(slots=True)
class StorageScope:
    """The storage budget of one request: when it must end, and how many storage requests it has made."""

    deadline: float = field(default_factory=lambda: time.monotonic() + REQUEST_SECONDS)
    requests: int = 0

    def remaining(self) -> float:
        """Return the seconds left before the deadline, never negative."""
        return max(0.0, self.deadline - time.monotonic())


_scope: ContextVar[StorageScope | None] = ContextVar("storage_scope", default=None)


def current_storage_scope() -> StorageScope:
    """Return the scope of the running request, or a fresh one outside of a request."""
    return _scope.get() or StorageScope()


@contextmanager
def storage_scope(seconds: float = REQUEST_SECONDS) -> Iterator[StorageScope]:
    """Open the scope that every storage call of the block counts in; ``seconds`` is its deadline from now.

    What an inner scope spends counts in the outer one too.
    """
    outer, scope = _scope.get(), StorageScope(deadline=time.monotonic() + seconds)
    token = _scope.set(scope)
    try:
        yield scope
    finally:
        _scope.reset(token)
        if outer is not None:
            outer.requests += scope.requests

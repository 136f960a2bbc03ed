"""A store that ends the process, as a test sees it, between any two steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


class CrashError(Exception):
    """The process ended here."""


@dataclass(slots=True)
class Crashing:
    """Passes calls on to a store, and crashes at the step of a number, before or after it took place."""

    inner: Any
    steps: Iterator[int]
    at: int
    after: bool

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*arguments: Any, **named: Any) -> Any:
            step = next(self.steps)
            if step == self.at and not self.after:
                raise CrashError
            result = await getattr(self.inner, name)(*arguments, **named)
            if step == self.at:
                raise CrashError
            return result

        return call

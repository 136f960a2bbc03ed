"""Progress on a terminal or in a log: only of what takes longer than a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TextIO

_PATIENCE: Final = 1.0
_TERMINAL_SECONDS: Final = 0.2
_LOG_SECONDS: Final = 5.0


class Progress:
    """Says what is being done and how many rows of it are done: one line that changes, or a line now and then."""

    def __init__(self, stream: TextIO, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._monotonic = monotonic
        self._interval = _TERMINAL_SECONDS if stream.isatty() else _LOG_SECONDS
        self._next = monotonic() + _PATIENCE
        self._is_open = False

    def __call__(self, doing: str, rows: int) -> None:
        """Say it when it is time to."""
        now = self._monotonic()
        if now < self._next:
            return
        self._next = now + self._interval
        text = f"{doing}: {rows:,}"
        self._is_open = self._stream.isatty()
        self._stream.write(f"\r\x1b[K{text}" if self._is_open else f"{text}\n")
        self._stream.flush()

    def close(self) -> None:
        """Take the changing line away, so that the result stands alone."""
        if self._is_open:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
        self._is_open = False

"""What the person at the terminal sees while the benchmark runs."""

from __future__ import annotations

import sys
import time

_BEGUN = time.monotonic()


def say(text: str) -> None:
    """Write a line with the seconds since the start to standard error."""
    sys.stderr.write(f"[{time.monotonic() - _BEGUN:4.0f} s] {text}\n")
    sys.stderr.flush()

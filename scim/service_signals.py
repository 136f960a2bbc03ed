"""One structured line per sweep: how the service stands, for alerts."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass

_log = logging.getLogger("scim.signals")


@dataclass(slots=True)
class ServiceSignals:
    """What a sweep met; docs/operations.md says what alerts on it."""

    directories: int = 0
    """Directories that it came to."""
    failures: int = 0
    """Those of them whose sweep failed or took too long; each has a line of its own with the cause."""
    timeouts: int = 0
    """Those of the failed that took too long: their partition may hang."""
    not_reached: int = 0
    """Directories that it had no time for; the next sweep begins with them."""
    recounts: int = 0
    """Directories whose feed could not be derived any further, so that all was counted anew; each has a line."""
    oldest_age_seconds: float = 0.0
    """How long the oldest outbox row of any directory had waited when the sweep came to it; 0 where none waited."""
    poison_depth: int | None = None
    """Messages to the relay that failed every attempt; None when the queue did not answer."""


def log_signals(signals: ServiceSignals) -> None:
    """Write the line; what is unknown is not in it, so that its absence can be noticed."""
    line: dict[str, str | float] = {
        "event": "service_signals",
        "directories": signals.directories,
        "failures": signals.failures,
        "timeouts": signals.timeouts,
        "not_reached": signals.not_reached,
        "scim.outbox.oldest_age_seconds": round(signals.oldest_age_seconds, 1),
    }
    if signals.recounts:
        line["recounts"] = signals.recounts
    if signals.poison_depth is not None:
        line["scim.poison.depth"] = signals.poison_depth
    _log.info(json.dumps(line, separators=(",", ":")))

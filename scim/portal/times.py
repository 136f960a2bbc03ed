"""Times as people read them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def machine_time(moment: datetime) -> str:
    """Return a time for the ``datetime`` attribute, by which the script shows it in the reader's zone."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def stored_time(text: str) -> datetime:
    """Return the time of a text as resources and events have it, such as ``2026-11-24T10:00:00.123Z``."""
    return datetime.fromisoformat(text)


def plain_time(moment: datetime) -> str:
    """Return a time in UTC, as it is shown without script."""
    return f"{moment.astimezone(UTC):%d %b %Y, %H:%M} UTC"


def time_ago(moment: datetime, now: datetime) -> str:
    """Return how long ago a time was, or how far ahead it is, in the largest unit that fits."""
    seconds = (now - moment).total_seconds()
    for unit, length in _UNITS:
        count = int(abs(seconds) // length)
        if count:
            words = f"{count} {unit}{'s' if count > 1 else ''}"
            return f"{words} ago" if seconds > 0 else f"in {words}"
    return "just now" if seconds >= 0 else "in less than a minute"

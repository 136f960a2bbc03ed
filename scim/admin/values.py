"""What is typed on the command line: times, spans of time and numbers. Pure."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta

_SPAN = re.compile(r"(\d{1,6})([smhd]?)", re.ASCII)
_LARGEST_COUNT = 10_000
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def moment(text: str) -> datetime:
    """Return the time of a text such as ``2027-01-31`` or ``2027-01-31T12:00:00+01:00``; UTC when it has no offset."""
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2027-01-31 or 2027-01-31T12:00:00Z") from None


def span(text: str) -> timedelta:
    """Return the span of a text such as ``7d``, ``12h``, ``30m`` or ``0``."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no span of time such as 7d, 12h, 30m or 0")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def count(text: str) -> int:
    """Return the number of a text: 1 to 10,000."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _LARGEST_COUNT):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {_LARGEST_COUNT}")
    return int(text)

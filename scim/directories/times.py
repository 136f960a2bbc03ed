"""Moments as text. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_text(moment: datetime) -> str:
    """Return a moment as all that leaves the service states it: RFC 3339 in UTC with a ``Z``."""
    return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"

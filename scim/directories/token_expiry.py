"""When it is to be told that a token expires soon. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from scim.directories.bearer_token import TokenRecord

WARNING_DAYS = (30, 7, 1)
"""How many days before its expiry a token is spoken of."""


def due_warning(token: TokenRecord, at: datetime) -> int | None:
    """Return the most urgent of the days' warnings that are due and not yet told, or None.

    A token that is being replaced, or has ended, is not spoken of.
    """
    if token.expires_at is None or token.ends_at is not None or not token.is_valid(at):
        return None
    due = [days for days in WARNING_DAYS if token.expires_at - at <= timedelta(days=days)]
    return due[-1] if due and warning_mark(due[-1]) not in token.told else None


def marks_of_warning(days: int) -> tuple[str, ...]:
    """Return what telling a warning settles: it, and those that were due before it."""
    return tuple(warning_mark(each) for each in WARNING_DAYS if each >= days)


def warning_mark(days: int) -> str:
    """Return the mark in a record of what was told."""
    return f"expiring-{days}"

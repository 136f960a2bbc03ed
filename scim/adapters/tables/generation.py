"""The generation of a feed: which of the feeds that a directory or an organization has had its numbers belong to.

A feed that is put back from a copy, or begins anew because its head was lost, gives numbers a second time. The
generation tells them from the first ones: it is in the head and in every cursor (docs/decisions/0038).
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from scim.adapters.tables.table import Value
from scim.events.feed import NO_FEED_YET, CursorExpiredError, FeedCursor

GENERATION, RENEWED, RETOLD = "generation", "renewed", "retold"
"""Columns of a head: the generation; when it took the place of another, absent in a feed's first one; and the same time
again when events say all of what was put back then."""


def new_generation() -> str:
    """Return a generation that no feed had before: eight random hex digits."""
    return secrets.token_hex(4)


def first_generation() -> dict[str, Value]:
    """Return the columns of a head that is written for the first time."""
    return {GENERATION: new_generation()}


def renewed_generation() -> dict[str, Value]:
    """Return the columns of a head whose feed takes the place of an earlier one."""
    return {GENERATION: new_generation(), RENEWED: datetime.now(UTC).isoformat()}


def require_generation(after: FeedCursor, generation: str, *, is_renewed: bool) -> None:
    """Accept a cursor of this generation, one before all numbers, and in a feed's first generation one that names none.

    :raises CursorExpiredError: When it is of another generation.
    """
    names_none = after.generation in ("", NO_FEED_YET)
    if after.is_start or after.generation == generation or (names_none and not is_renewed):
        return
    raise CursorExpiredError

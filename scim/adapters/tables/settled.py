"""Rows under the keys of operations that must not be applied any more: a late attempt meets them, and is refused.

An attempt that its client gave up may be carried out by storage later, whole, when what it did was done by another
attempt and undone by others meanwhile. So an operation that was attempted again keeps its outbox row as *told* when the
relay has moved its events, and one that was given up gets a row that makes it *void* (docs/decisions/0037). Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from scim.adapters.tables import keys
from scim.adapters.tables.table import Row, Value, Write, delete, insert, replace

AGAIN: Final = "again"
"""The property of an outbox row that was written by another attempt than the first."""
SETTLED: Final = "settled"
"""The property of a row under the key of an operation that waits for nothing: ``told`` or ``void``."""
KEPT_SECONDS: Final = 60.0
"""How long it is kept by the service's time; storage itself gives up an attempt before its client does, in 8 s."""
KEPT_BY_OUR_CLOCK: Final = 600.0
"""How long where nothing newer tells the service's time: clocks of machines may be five minutes off."""


def is_settled(row: Row) -> bool:
    """Tell whether a row under the key of an operation waits for nothing."""
    return SETTLED in row.values


def is_void(row: Row) -> bool:
    """Tell whether an operation was given up before anybody saw it applied."""
    return row.values.get(SETTLED) == "void"


def marked(write: Write) -> Write:
    """Return the write of an outbox row as another attempt sends it."""
    return insert(write.key, {**write.values, AGAIN: True})


def moved(row: Row) -> Write:
    """Return what becomes of an outbox row whose events are in the feed: told, when an attempt may still come."""
    if AGAIN in row.values:
        return replace(row.key, _values("told", str(row.values["time"])), row.etag)
    return delete(row.key, row.etag)


def void_insert(operation_id: str, time: str) -> Write:
    """Return the write that keeps an operation from being applied; it is refused when it has been."""
    return insert(keys.outbox(operation_id), _values("void", time))


def _values(state: str, time: str) -> dict[str, Value]:
    # A version of the service that knows no such rows finds one without events.
    return {SETTLED: state, "d0": "[]", "time": time}


def expired(settled: Sequence[Row], seen: Iterable[Row]) -> list[Row]:
    """Return the rows that no late attempt can meet any more.

    :param seen: Rows of the same reading, the newest of which tells the service's time.
    """
    if not settled:
        return []
    now = max((row.timestamp for row in (*settled, *seen)), default="")
    by_service = _moment(now) - timedelta(seconds=KEPT_SECONDS)
    limit = max(by_service, datetime.now(UTC) - timedelta(seconds=KEPT_BY_OUR_CLOCK))
    return [row for row in settled if _moment(row.timestamp) < limit]


def _moment(timestamp: str) -> datetime:
    return datetime.fromisoformat(timestamp)

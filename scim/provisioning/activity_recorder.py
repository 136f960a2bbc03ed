"""Keeps what directories are asked: noted in the process, stored behind the answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from scim.deferred_action import DeferredAction
from scim.directories.activity import ActivityStore, LastTimes, Load, Seen, Signal, second_cycle, window_of
from scim.directories.bearer_token import TokenMistake
from scim.provisioning.authentication import AuthenticationFailedException
from scim.provisioning.bounded_cache import BoundedCache
from scim.provisioning.outcome import Outcome

SIGNAL_SECONDS = 0.2
"""How long after it was seen first a signal is stored."""
FIRST_SECONDS, LOAD_SECONDS = 3.0, 60.0
"""How long after a directory's first request its load is stored, and how much later again at the earliest."""
_REMEMBERED = 8_192
_OLD_TOKENS = frozenset({TokenMistake.ENDED, TokenMistake.EXPIRED, TokenMistake.DISABLED_SECRET})
_NO_FAILURES = frozenset({404, 412})
"""Statuses that are part of how an identity provider works: it asks for what may be gone."""

_log = logging.getLogger("scim.activity")


@dataclass(slots=True)
class _Noted:
    load: Load
    last: LastTimes
    is_stored: bool = False
    """Whether the store has all of it."""


class ActivityRecorder:
    """Is told of outcomes; keeps loads once a minute and each signal once, as best effort.

    A known signal costs a look into memory. Wrong tokens count nowhere, but for those that were valid before.
    """

    def __init__(self, store: ActivityStore, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._now = now
        self._noted: dict[tuple[str, datetime], _Noted] = {}
        self._stored: BoundedCache[str, datetime] = BoundedCache(_REMEMBERED)
        self._known: BoundedCache[tuple[str, Signal], bool] = BoundedCache(_REMEMBERED)
        self._signals: list[tuple[str, Signal, Seen]] = []
        self._storing_signals = DeferredAction(self._store_signals)
        self._storing_loads = DeferredAction(self._store_loads)
        self._closing = False

    def observe(self, outcome: Outcome) -> None:
        """Note an outcome; does not wait. The parts of a bulk request count with the whole."""
        now, directory_id, error = self._now(), outcome.directory.id, outcome.error
        if isinstance(error, AuthenticationFailedException):
            if error.mistake in _OLD_TOKENS:
                self._count(directory_id, now, LastTimes(old_token=now), failed=True)
        elif not outcome.is_part:
            for signal, resource_id in {"authenticated": "", **outcome.signals}.items():
                self._see(directory_id, signal, Seen(now, resource_id))
            failed = error is not None and outcome.status not in _NO_FAILURES
            last = LastTimes(now, None if failed else now, now if outcome.changed else None)
            self._count(directory_id, now, last, failed=failed)

    async def close(self) -> None:
        """Store what is waiting."""
        self._closing = True
        await self._storing_signals.close()
        await self._storing_loads.close()
        self._closing = False

    def _see(self, directory_id: str, signal: Signal, seen: Seen) -> None:
        if self._known.get((directory_id, signal)) is None:
            self._known.put((directory_id, signal), value=True)
            self._signals.append((directory_id, signal, seen))
            self._storing_signals.within(SIGNAL_SECONDS)

    def _count(self, directory_id: str, now: datetime, last: LastTimes, *, failed: bool) -> None:
        window = window_of(now)
        noted = self._noted.get((directory_id, window)) or _Noted(Load(window, now, now), LastTimes())
        self._noted[directory_id, window] = _Noted(noted.load.plus(now, failed=failed), noted.last.later(last))
        self._storing_loads.within(FIRST_SECONDS if self._is_due(directory_id, now) else LOAD_SECONDS)

    def _is_due(self, directory_id: str, now: datetime) -> bool:
        stored = self._stored.get(directory_id)
        return self._closing or stored is None or now - stored >= timedelta(seconds=LOAD_SECONDS)

    async def _store_signals(self) -> None:
        signals, self._signals = self._signals, []
        for directory_id, signal, seen in signals:
            try:
                await self._store.mark_seen(directory_id, signal, seen)
            except Exception:  # noqa: BLE001 - it is stored when it is seen again
                _log.warning("signal %s of directory %s was not stored", signal, directory_id, exc_info=True)
                self._known.remove((directory_id, signal))

    async def _store_loads(self) -> None:
        now = self._now()
        for (directory_id, window), noted in list(self._noted.items()):
            if noted.is_stored:
                if window < window_of(now):
                    del self._noted[directory_id, window]
            elif self._is_due(directory_id, now):
                await self._store_load(directory_id, window, noted)
            else:
                self._storing_loads.within(LOAD_SECONDS)
        for directory_id in {directory_id for directory_id, _ in self._noted}:
            self._stored.put(directory_id, now)

    async def _store_load(self, directory_id: str, window: datetime, noted: _Noted) -> None:
        try:
            await self._store.record(directory_id, noted.load, noted.last)
            await self._look_for_a_cycle(directory_id)
        except Exception:  # noqa: BLE001 - the next minute stores the counts of all ten
            _log.warning("the load of directory %s was not stored", directory_id, exc_info=True)
        else:
            if self._noted.get((directory_id, window)) is noted:
                noted.is_stored = True

    async def _look_for_a_cycle(self, directory_id: str) -> None:
        if self._known.get((directory_id, "cycle_seen")) is not None:
            return
        activity = await self._store.activity(directory_id, self._now())
        begun = second_cycle(activity.loads)
        if "cycle_seen" not in activity.seen and begun is not None:
            await self._store.mark_seen(directory_id, "cycle_seen", Seen(begun))
        if "cycle_seen" in activity.seen or begun is not None:
            self._known.put((directory_id, "cycle_seen"), value=True)

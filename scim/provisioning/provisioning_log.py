"""Keeps the provisioning log: what it tells is noted in the process, and stored behind the answers."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from scim.deferred_action import DeferredAction
from scim.directories.interfaces import DirectoryReader
from scim.provisioning.bounded_cache import BoundedCache
from scim.provisioning.errors import scim_error
from scim.provisioning.findings import failure_finding
from scim.provisioning.outcome import Outcome
from scim.resources.errors import ValueTakenError
from scim.resources.interfaces import ResourceStore
from scim.resources.provisioning_log import Finding, ProvisioningLogEntry, ProvisioningLogStore

NEW_SECONDS, REPEAT_SECONDS = 1.0, 15.0
"""How long after its first time an entry is stored, and how long its repeats are counted in the process before."""
ENTRIES_PER_HOUR = 300
"""So many different entries of a directory are kept in an hour of a process; further ones share one for each cause."""
MAX_WAITING = 2_000
_REMEMBERED = 10_000

_log = logging.getLogger("scim.provisioning_log")

_Key = tuple[str, tuple[Any, ...], str]
"""Directory, identity of the entry, and the lookup of a value that was taken."""


@dataclass(frozen=True, slots=True)
class _Noted:
    entry: ProvisioningLogEntry
    taken: ValueTakenError | None
    store: ResourceStore | None

    def repeated(self, later: ProvisioningLogEntry) -> _Noted:
        return replace(self, entry=self.entry.repeated(later))


class ProvisioningLog:
    """Is told of outcomes; notes what an administrator should know of, and stores it as best effort.

    Requests with a wrong token differ in nothing but their mistake, so guessing makes a dozen entries an hour.
    """

    def __init__(
        self,
        store: ProvisioningLogStore,
        directories: DirectoryReader,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._directories = directories
        self._now = now
        self._waiting: dict[_Key, _Noted] = {}
        self._met: BoundedCache[_Key, bool] = BoundedCache(_REMEMBERED)
        self._distinct: BoundedCache[tuple[str, datetime], int] = BoundedCache(_REMEMBERED)
        self._storing = DeferredAction(self._store_waiting)

    def observe(self, outcome: Outcome) -> None:
        """Note what is to be told of an outcome; does not wait."""
        for finding in _findings(outcome):
            entry = _entry(outcome, finding, self._now())
            self._note(outcome.directory.id, _Noted(entry, _taken(outcome.error), outcome.store))

    async def close(self) -> None:
        """Store what is waiting."""
        await self._storing.close()

    def _note(self, directory_id: str, noted: _Noted) -> None:
        key = _key(directory_id, noted)
        repeat = self._met.get(key) is not None
        if not repeat and self._is_full(directory_id, noted.entry):
            noted = _Noted(noted.entry.of_cause(), None, None)
            key = _key(directory_id, noted)
            repeat = self._met.get(key) is not None
        self._met.put(key, value=True)
        self._wait(key, noted)
        self._storing.within(REPEAT_SECONDS if repeat else NEW_SECONDS)

    def _is_full(self, directory_id: str, entry: ProvisioningLogEntry) -> bool:
        hour = (directory_id, entry.hour)
        met = (self._distinct.get(hour) or 0) + 1
        self._distinct.put(hour, met)
        return met > ENTRIES_PER_HOUR

    def _wait(self, key: _Key, noted: _Noted) -> None:
        waiting = self._waiting.get(key)
        if waiting is not None:
            self._waiting[key] = waiting.repeated(noted.entry)
        elif len(self._waiting) < MAX_WAITING:
            self._waiting[key] = noted

    async def _store_waiting(self) -> None:
        waiting, self._waiting = self._waiting, {}
        by_directory: dict[str, dict[_Key, _Noted]] = defaultdict(dict)
        for key, noted in waiting.items():
            by_directory[key[0]][key] = noted
        for directory_id, of_directory in by_directory.items():
            try:
                await self._store_of_directory(directory_id, of_directory.values())
            except Exception:  # noqa: BLE001 - what is stored later is better than a failure that nobody sees
                _log.warning("the provisioning log of directory %s was not stored", directory_id, exc_info=True)
                self._wait_longer(of_directory)

    def _wait_longer(self, noted: Mapping[_Key, _Noted]) -> None:
        for key, each in noted.items():
            self._wait(key, each)
        self._storing.within(REPEAT_SECONDS)

    async def _store_of_directory(self, directory_id: str, noted: Iterable[_Noted]) -> None:
        # Entries made after the directory's deletion would stay for ever.
        directory = await self._directories.directory(directory_id)
        if directory is None or directory.deletion is not None:
            return
        entries: dict[tuple[Any, ...], ProvisioningLogEntry] = {}
        for each in noted:
            entry = await _with_holder(each)
            earlier = entries.get(entry.identity)
            entries[entry.identity] = earlier.repeated(entry) if earlier else entry
        await self._store.add(directory_id, list(entries.values()))


def _taken(error: Exception | None) -> ValueTakenError | None:
    """Return what says which value was taken, without what led to it: it may wait for seconds."""
    return ValueTakenError(error.attribute, error.lookup) if isinstance(error, ValueTakenError) else None


def _findings(outcome: Outcome) -> list[Finding]:
    if outcome.error is None:
        return list(outcome.findings)
    schemas = (outcome.schemas.user, outcome.schemas.group) if outcome.schemas else ()
    return [failure_finding(outcome.error, outcome.path, schemas)]


def _entry(outcome: Outcome, finding: Finding, now: datetime) -> ProvisioningLogEntry:
    error = scim_error(outcome.error) if outcome.error is not None else None
    return ProvisioningLogEntry(
        finding=finding,
        method=outcome.method,
        operation=outcome.operation,
        resource_type=outcome.resource_type,
        status=outcome.status,
        scim_type=error.scim_type if error is not None else "",
        first=now,
        last=now,
    )


def _key(directory_id: str, noted: _Noted) -> _Key:
    return directory_id, noted.entry.identity, noted.taken.lookup if noted.taken else ""


async def _with_holder(noted: _Noted) -> ProvisioningLogEntry:
    """Return an entry that names who has the value that was taken."""
    if noted.taken is None or noted.store is None:
        return noted.entry
    holder = await noted.store.holder_of(noted.taken)
    return replace(noted.entry, finding=replace(noted.entry.finding, related_id=holder))

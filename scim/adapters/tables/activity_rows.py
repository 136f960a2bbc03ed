"""What directories have been asked, in table ``directories``, in the partition of each.

| RowKey | holds |
|---|---|
| ``load|{ten minutes}|{process}`` | the requests that a process answered in these ten minutes |
| ``load|last`` | when something happened last; it sorts behind the others |
| ``seen|{signal}`` | the first time of a step of the setup; inserted once |

One query reads all three kinds, with the directory and with the uses of its tokens when they are wanted, too.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, get_args

from scim.adapters.tables.directory_races import commit_any_state, insert_once, outages, read_rows
from scim.adapters.tables.directory_rows import directory_of, is_staying, is_there
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.table import Row, RowMissingError, Table, Value, insert, merge
from scim.adapters.tables.token_rows import USES_END, uses_in
from scim.directories.activity import LOOK_BACK, DirectoryActivity, LastTimes, Load, Seen, Signal, window_of
from scim.directories.directory import Directory, is_directory_id

_LAST = "load|last"
_DIRECTORY = "directory"


class TableActivityStore:
    """Implements ``ActivityStore`` on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._process = secrets.token_hex(4)

    async def record(self, directory_id: str, load: Load, last: LastTimes) -> None:
        """Keep the load of this process so far. One storage request; at most five the first time in ten minutes."""
        rows: dict[str, Mapping[str, Value]] = {
            f"{_window_key(load.window)}|{self._process}": _load_values(load),
            _LAST: _last_values(last),
        }
        with outages():
            try:
                await commit_any_state(self._table, directory_id, [merge(key, row) for key, row in rows.items()])
            except RowMissingError:
                if await self._exists(directory_id):
                    await self._record_first(directory_id, rows)

    async def _record_first(self, directory_id: str, rows: Mapping[str, Mapping[str, Value]]) -> None:
        for key, values in rows.items():
            try:
                await commit_any_state(self._table, directory_id, [merge(key, values)])
            except RowMissingError:
                await insert_once(self._table, directory_id, insert(key, values))

    async def mark_seen(self, directory_id: str, signal: Signal, seen: Seen) -> None:
        """Keep that a signal was seen, unless it was seen before. 2 storage requests."""
        values: dict[str, Value] = {"time": seen.time.isoformat(), "resource": seen.resource_id}
        with outages():
            if await self._exists(directory_id):
                await insert_once(self._table, directory_id, insert(f"seen|{signal}", values))

    async def activity(self, directory_id: str, now: datetime) -> DirectoryActivity:
        """Return the activity of the last hour. One storage request."""
        if not is_directory_id(directory_id):
            return DirectoryActivity()
        with outages():
            rows = await read_rows(self._table, directory_id, (_window_key(now - LOOK_BACK), USES_END))
        return _activity(rows, now)

    async def with_directory(self, directory_id: str, now: datetime) -> tuple[Directory, DirectoryActivity] | None:
        """Return a directory and its activity, None where there is no such directory. One storage request."""
        if not is_directory_id(directory_id):
            return None
        with outages():
            rows = await read_rows(self._table, directory_id, (_DIRECTORY, USES_END))
        row = next((row for row in rows if row.key == _DIRECTORY), None)
        if row is None or not is_there(row):
            return None
        return directory_of(directory_id, row.values), _activity(rows, now)

    async def forget(self, directory_id: str, before: datetime) -> int:
        """Delete loads that are older. One storage request for each 100 rows, and one."""
        with outages():
            return await Partition(self._table, directory_id, "").delete_range(("load|", _window_key(before)))

    async def _exists(self, directory_id: str) -> bool:
        """Tell whether a directory is there and stays: a row made after its deletion would stay for ever."""
        row = await self._table.read(directory_id, _DIRECTORY, select=["status"])
        return is_staying(row)


def _activity(rows: list[Row], now: datetime) -> DirectoryActivity:
    last = next((_last(row) for row in rows if row.key == _LAST), LastTimes())
    first = _window_key(now - LOOK_BACK)
    loads = [_load(row) for row in rows if first <= row.key < _LAST]
    return DirectoryActivity(loads, last, _seen(rows), uses_in(rows))


def _window_key(moment: datetime) -> str:
    return f"load|{window_of(moment):%Y%m%d%H%M}"


def _load_values(load: Load) -> dict[str, Value]:
    return {
        "window": load.window.isoformat(),
        "first": load.first.isoformat(),
        "last": load.last.isoformat(),
        "requests": load.requests,
        "failures": load.failures,
    }


def _load(row: Row) -> Load:
    values: Mapping[str, Any] = row.values
    window, first, last = (datetime.fromisoformat(values[name]) for name in ("window", "first", "last"))
    return Load(window, first, last, values["requests"], values["failures"])


def _last_values(last: LastTimes) -> dict[str, Value]:
    times = {"request": last.request, "success": last.success, "change": last.change, "old_token": last.old_token}
    return {name: time.isoformat() for name, time in times.items() if time is not None}


def _last(row: Row) -> LastTimes:
    return LastTimes(
        **{
            name: datetime.fromisoformat(str(row.values[name]))
            for name in ("request", "success", "change", "old_token")
            if name in row.values
        }
    )


def _seen(rows: list[Row]) -> dict[Signal, Seen]:
    found = {row.key: row.values for row in rows}
    known: tuple[Signal, ...] = get_args(Signal)
    return {
        signal: Seen(datetime.fromisoformat(str(values["time"])), str(values["resource"]))
        for signal in known
        if (values := found.get(f"seen|{signal}")) is not None
    }

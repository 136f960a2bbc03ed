"""A process of the service for tests: its clock may be wrong, its end chosen, and its storage calls may fail at random.

``python -m tests.resilience.program host …`` is ``python -m scim.local_host …``; ``relay DIRECTORY SECONDS`` relays a
directory again and again for so long, or does its background work once for 0 seconds; ``background DIRECTORY`` takes
messages of a directory and sweeps, again and again, until it is stopped. All of them end with whoever started them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from functools import cache, partial
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Final
from urllib.parse import urlsplit

from scim.adapters.tables import large_groups
from scim.adapters.tables.transport import AiohttpTransport, StorageRequest, StorageResponse
from scim.composed_stores import RESOURCES_TABLE
from scim.composition import Application
from scim.directories.errors import DirectoryStoreUnavailableError
from scim.local_host.__main__ import main as serve
from scim.resources.errors import StorageUnavailableError
from scim.settings import Settings
from tests.faults import FaultyTransport
from tests.resilience.weather import SHARE, Weather

SKEW: Final = "SCIM_TEST_CLOCK_SKEW"
"""Seconds by which this process's clock is ahead."""
END: Final = "SCIM_TEST_END"
"""A file with a number n: this process is killed as soon as its n-th transaction from then on has been applied."""
EVENTS_PER_ROW: Final = "SCIM_TEST_EVENTS_PER_ROW"
"""How many members of a new group are announced at once."""
WEATHER: Final = "SCIM_TEST_WEATHER"
"""What decides which storage calls of this process fail, from SIGUSR1 on and until SIGUSR2."""
FAULTS: Final = "SCIM_TEST_FAULTS"
"""The file that says how many did."""
_NANOSECONDS: Final = 1_000_000_000


def main(arguments: list[str]) -> int:
    """Run one of the programs."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _set_clock(float(os.environ.get(SKEW, "0")))
    if END in os.environ:
        _set_end(Path(os.environ[END]))
    if WEATHER in os.environ:
        _set_weather(os.environ[WEATHER], Path(os.environ[FAULTS]))
    large_groups._EVENTS_PER_ROW = int(os.environ.get(EVENTS_PER_ROW, large_groups._EVENTS_PER_ROW))
    if arguments[0] == "host":
        sys.argv = ["host", *arguments[1:]]
        return serve()
    asyncio.run(_relay(arguments[1], float(arguments[2])) if arguments[0] == "relay" else _work_on(arguments[1]))
    return 0


def _end_with_parent() -> None:
    """Wait for the end of standard input, which comes with the end of the parent, however it ends."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


async def _relay(directory_id: str, seconds: float) -> None:
    application, ends_at = Application(Settings.from_environment(os.environ)), time.monotonic() + seconds
    try:
        while True:
            await application.background.relay_directory(directory_id)
            if time.monotonic() >= ends_at:
                return
            await asyncio.sleep(0.01)
    finally:
        await application.close()


async def _work_on(directory_id: str) -> None:
    application = Application(Settings.from_environment(os.environ))
    print("ready", flush=True)  # noqa: T201 - whoever started this process waits for it
    while True:
        await application.background.take_message(directory_id.encode())
        with suppress(StorageUnavailableError, DirectoryStoreUnavailableError):
            await application.background.sweep()
        await asyncio.sleep(0.05)


def _set_clock(seconds: float) -> None:
    """Let every module of the service read a clock that is so many seconds ahead; durations are right."""

    class WrongDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> WrongDatetime:
            return super().now(tz) + timedelta(seconds=seconds)

    ahead = int(seconds * _NANOSECONDS)
    wrong = {"time_ns": lambda: time.time_ns() + ahead, "time": lambda: time.time() + seconds}
    clock = SimpleNamespace(**{**vars(time), **wrong})
    for module in [each for name, each in sys.modules.items() if name.startswith("scim.")]:
        replaced = {"datetime": (datetime, WrongDatetime), "time": (time, clock)}
        vars(module).update({name: new for name, (old, new) in replaced.items() if vars(module).get(name) is old})


def _set_end(file: Path) -> None:
    """Kill this process behind the n-th transaction on resources, once the file says so."""
    send = AiohttpTransport.send

    async def send_and_end(self: AiohttpTransport, request: StorageRequest, timeout: float) -> StorageResponse:  # noqa: ASYNC109 - as declared
        response = await send(self, request, timeout)
        if _was_applied(request, response) and _count_down(file):
            os.kill(os.getpid(), signal.SIGKILL)
        return response

    AiohttpTransport.send = send_and_end  # type: ignore[method-assign]


def _was_applied(request: StorageRequest, response: StorageResponse) -> bool:
    is_ours = urlsplit(request.url).path.endswith("/$batch") and f"/{RESOURCES_TABLE}".encode() in request.body
    return is_ours and b"HTTP/1.1 4" not in response.body


def _count_down(file: Path) -> bool:
    if not file.exists():
        return False
    left = int(file.read_text()) - 1
    file.write_text(str(left))
    return left == 0


def _set_weather(seed: str, faults: Path) -> None:
    """Let storage calls fail at random between two signals."""
    weather, send = Weather(Random(seed), SHARE, is_calm=True), AiohttpTransport.send
    shared = os.open(faults, os.O_WRONLY | os.O_CREAT)

    def switch(number: int, _frame: object) -> None:
        weather.is_calm = number == signal.SIGUSR2

    @cache
    def faulty(transport: AiohttpTransport) -> FaultyTransport:
        made = FaultyTransport(SimpleNamespace(send=partial(send, transport), close=transport.close))
        weather.begin(made)
        return made

    async def send_or_fail(self: AiohttpTransport, request: StorageRequest, timeout: float) -> StorageResponse:  # noqa: ASYNC109 - as declared
        before = weather.faults
        try:
            return await faulty(self).send(request, timeout)
        finally:
            if weather.faults > before:
                os.pwrite(shared, str(weather.faults).encode(), 0)

    AiohttpTransport.send = send_or_fail  # type: ignore[method-assign]
    for each in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(each, switch)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A process of the service for tests, whose clock may be wrong and whose end may come at a chosen transaction.

``python -m tests.resilience.program host …`` is ``python -m scim.local_host …``; ``relay DIRECTORY SECONDS`` relays a
directory again and again for so long, or does its background work once for 0 seconds.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from types import SimpleNamespace
from typing import Final
from urllib.parse import urlsplit

from scim.adapters.tables import large_groups
from scim.adapters.tables.transport import AiohttpTransport, StorageRequest, StorageResponse
from scim.composed_stores import RESOURCES_TABLE
from scim.composition import Application
from scim.local_host.__main__ import main as serve
from scim.resources import identifiers
from scim.settings import Settings

SKEW: Final = "SCIM_TEST_CLOCK_SKEW"
"""Seconds by which this process's clock is ahead."""
END: Final = "SCIM_TEST_END"
"""A file with a number n: this process is killed as soon as its n-th transaction from then on has been applied."""
EVENTS_PER_ROW: Final = "SCIM_TEST_EVENTS_PER_ROW"
"""How many members of a new group are announced at once."""
_NANOSECONDS: Final = 1_000_000_000


def main(arguments: list[str]) -> int:
    """Run one of the programs."""
    _set_clock(float(os.environ.get(SKEW, "0")))
    if END in os.environ:
        _set_end(Path(os.environ[END]))
    large_groups._EVENTS_PER_ROW = int(os.environ.get(EVENTS_PER_ROW, large_groups._EVENTS_PER_ROW))
    if arguments[0] == "host":
        sys.argv = ["host", *arguments[1:]]
        return serve()
    asyncio.run(_work(arguments[1], float(arguments[2])))
    return 0


async def _work(directory_id: str, seconds: float) -> None:
    application, ends_at = Application(Settings.from_environment(os.environ)), time.monotonic() + seconds
    try:
        while True:
            await application.background.relay_directory(directory_id)
            if time.monotonic() >= ends_at:
                return
            await asyncio.sleep(0.01)
    finally:
        await application.close()


def _set_clock(seconds: float) -> None:
    """Let identifiers and times of changes come from a clock that is so many seconds ahead."""

    class WrongDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> WrongDatetime:
            return super().now(tz) + timedelta(seconds=seconds)

    ahead = int(seconds * _NANOSECONDS)
    clock = SimpleNamespace(time_ns=lambda: time.time_ns() + ahead)
    vars(identifiers).update(datetime=WrongDatetime, time=clock)


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

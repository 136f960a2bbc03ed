"""Reading a user while the same process searches a directory from end to end.

The two directories lie in emulators of their own: one Azurite answers one call after the other, and the wait for it
would hide how long the service itself lets a request wait.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.progress import say
from scim.composition import Application
from scim.local_host.azurite import start_azurite
from scim.maintenance.commands import seed
from scim.maintenance.progress import Progress
from scim.settings import Settings, StorageSettings
from scim.web import WebRequest, WebResponse

SCANNED = 5_000
_READ = 10
_READS = 200


@dataclass(frozen=True, slots=True)
class Reading:
    """Milliseconds that reading a user took in the middle, one figure a round."""

    alone: list[float]
    beside_scan: list[float]


@dataclass(frozen=True, slots=True)
class _Directory:
    application: Application
    path: str
    token: str

    async def get(self, path: str, query: Mapping[str, str]) -> WebResponse:
        headers = {"authorization": f"Bearer {self.token}", "x-request-id": "b-1"}
        request = WebRequest("GET", self.path + path, dict(query), headers, b"", "http://localhost")
        answer = await self.application.provisioning.answer(request)
        if answer.status != 200:  # noqa: PLR2004 - success
            raise RuntimeError(f"GET {path}: {answer.body!r}")
        return answer


async def measure_beside_scan(rounds: int) -> Reading:
    """Return what reading a user took, alone and beside a scan, in turns."""
    say(f"filling a directory of {SCANNED:,} users to be searched, in a storage of its own")
    alone, beside = [], []
    async with _directory(SCANNED) as scanned, _directory(_READ) as read:
        page = json.loads((await read.get("/Users", {"count": "1"})).body)
        path = f"/Users/{page['Resources'][0]['id']}"
        await _read_milliseconds(read, path)
        for number in range(rounds):
            say(f"reading a user, alone and beside a scan, round {number + 1} of {rounds}")
            alone.append(await _read_milliseconds(read, path))
            scanning = asyncio.create_task(_scan(scanned))
            beside.append(await _read_milliseconds(read, path))
            scanning.cancel()
            await asyncio.gather(scanning, return_exceptions=True)
    return Reading(alone, beside)


async def _read_milliseconds(directory: _Directory, path: str) -> float:
    spent = []
    for _ in range(_READS):
        begun = time.perf_counter()
        await directory.get(path, {})
        spent.append(1000 * (time.perf_counter() - begun))
    return median(spent)


async def _scan(directory: _Directory) -> None:
    while True:
        await directory.get("/Users", {"filter": 'nickName eq "nobody has it"', "cursor": ""})


@asynccontextmanager
async def _directory(users: int) -> AsyncIterator[_Directory]:
    """Yield a directory of so many users, gone afterwards with its storage."""
    with TemporaryDirectory() as folder:
        azurite = start_azurite(location=None)
        storage = StorageSettings(connection_string=azurite.connection_string)
        application = Application(Settings(storage, secret_store_file=Path(folder) / "secrets.json"))
        try:
            result = await seed(application, None, users, (), Progress(sys.stderr))
            yield _Directory(application, f"/scim/v2/{result.directory_id}", str(result.token))
        finally:
            await application.close()
            azurite.stop()

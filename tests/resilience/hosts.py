"""Local hosts as processes of their own, several of them on one storage, and a client that speaks to any of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from scim.adapters.tables.client import StorageAccount
from scim.adapters.tables.partition import Partition
from scim.composition import Application
from scim.local_host.place import PROJECT
from scim.resources.interfaces import ResourceStore
from scim.settings import Settings, StorageSettings
from tests.fakes.memory_account import RecordedRelayRequests
from tests.service import PATCH_URN

_BACKGROUND = ("relay_directory", "sweep", "retention")
_STOP_SECONDS = 30
KEPT = ("secrets.json", "demo.json")
"""What a host must have of another to serve the same directory with the same token."""


@dataclass(frozen=True, slots=True)
class Host:
    """A host that is ready."""

    process: subprocess.Popen[str]
    tenant_url: str
    token: str
    directory_id: str


@contextmanager
def started(
    storage: str, data: Path, *, like: Path | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[Host]:
    """Give a host on a storage account, with its own process; it is stopped afterwards, unless it is dead.

    :param like: The data of a host whose directory this one serves, too.
    :param settings: Of the process; it does no background work unless they say so.
    """
    with program(host_arguments(storage, data, like), settings or {}) as process:
        ready = json.loads(first_line(process))
        yield Host(process, ready["tenant_url"], ready["token"], ready["directory_id"])


def host_arguments(storage: str, data: Path, like: Path | None) -> list[str]:
    """Return the arguments of a host, whose data is made ready."""
    data.mkdir(parents=True, exist_ok=True)
    for name in KEPT if like else ():
        shutil.copy((like or data) / name, data / name)
    arguments = ["host", "--host", "own", "--port", "0", "--json", "--log-level", "ERROR"]
    return [*arguments, "--storage", storage, "--data", str(data)]


def first_line(process: subprocess.Popen[str]) -> str:
    """Wait until a process is ready and return what it says of itself."""
    line = process.stdout.readline() if process.stdout else ""
    assert line, f"the process ended with exit code {process.wait()}"
    return line


@contextmanager
def program(arguments: Sequence[str], settings: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Give a process of ``tests.resilience.program``; it is stopped afterwards."""
    disabled = {f"AzureWebJobs.{name}.Disabled": "true" for name in _BACKGROUND}
    command = [sys.executable, "-m", "tests.resilience.program", *arguments]
    environment = {**os.environ, **disabled, **settings}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=PROJECT, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            stop(process)


def stop(process: subprocess.Popen[str]) -> None:
    """Stop a process and wait for its end."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a host answered."""

    status: int
    json: Any
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HostClient:
    """Sends requests to hosts that serve one directory, to each in turn or to a named one."""

    session: aiohttp.ClientSession
    hosts: Sequence[Host]

    async def send(self, method: str, path: str, body: Any = None, *, at: int = 0, **headers: str) -> Reply:
        """Send a request to the host of a number."""
        host = self.hosts[at % len(self.hosts)]
        sent = {"Authorization": f"Bearer {host.token}", "Content-Type": "application/scim+json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else json.dumps(body)
        async with self.session.request(method, host.tenant_url + path, data=data, headers=sent) as response:
            text = await response.text()
            return Reply(response.status, json.loads(text) if text else None, response.headers)

    async def patch(self, path: str, *operations: Mapping[str, Any], at: int = 0, **headers: str) -> Reply:
        """Send a PatchOp."""
        body = {"schemas": [PATCH_URN], "Operations": list(operations)}
        return await self.send("PATCH", path, body, at=at, **headers)


@dataclass(frozen=True, slots=True)
class Behind:
    """The storage behind hosts, to fill it beforehand and to look into it afterwards."""

    application: Application
    partition: Partition
    store: ResourceStore


async def behind(storage: str, host: Host) -> Behind:
    """Return the rows of a host's directory, and background work on them."""
    application = Application(
        Settings(StorageSettings(storage), Path("unused")),
        account=StorageAccount.from_connection_string(storage),
        relay_requests=RecordedRelayRequests(),
    )
    directory = await application.directories.get_directory(host.directory_id)
    return Behind(application, application.partition_of(directory), application.resources_of(directory))

"""The servers under load, each in processes of its own, gone when the benchmark is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any
from urllib.parse import urlsplit

from benchmarks.measuring import Server
from benchmarks.processes import CpuClock

_QUIET = {f"AzureWebJobs.{name}.Disabled": "true" for name in ("relay_directory", "sweep", "retention")}
"""Work off the request path would fall into any phase: it is measured by itself."""
_STOP_SECONDS = 15


class ServerError(Exception):
    """A server did not start; the message is one line for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class RunningService:
    """Our service under its development host, over an Azurite of its own; it writes its log as when deployed."""

    servers: list[Server]
    """One for each directory."""
    directory_ids: list[str]
    connection_string: str
    app_pid: int
    log: Path

    def storage_requests(self) -> dict[str, float]:
        """Return the storage requests of a call by its label, on average, from the service's own log."""
        counts: dict[str, list[int]] = defaultdict(list)
        with self.log.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                entry = _log_entry(line)
                if entry:
                    counts[entry["correlation_id"].rpartition("-")[0]].append(entry["storage_requests"])
        return {label: mean(numbers) for label, numbers in counts.items()}


@contextmanager
def our_service(
    *, module: str = "scim.local_host", environment: Mapping[str, str] | None = None
) -> Iterator[RunningService]:
    """Run our service with two directories.

    :raises ServerError: When it does not start.
    """
    arguments = ["--port", "0", "--ephemeral", "--json", "--directories", "2", "--log-level", "INFO"]
    with tempfile.TemporaryDirectory(prefix="scim-benchmark-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as errors, _started(module, arguments, errors, {**_QUIET, **(environment or {})}) as said:
            yield _our_service(said, log)


def _our_service(said: dict[str, Any], log: Path) -> RunningService:
    app, azurite = CpuClock(said["pids"]["app"]), CpuClock(said["pids"]["azurite"])
    servers = []
    for directory in said["directories"]:
        url = urlsplit(directory["tenant_url"])
        servers.append(Server(str(url.hostname), int(url.port or 0), url.path, directory["token"], app, azurite))
    ids = [directory["directory_id"] for directory in said["directories"]]
    return RunningService(servers, ids, said["storage"], said["pids"]["app"][0], log)


def _log_entry(line: str) -> dict[str, Any] | None:
    start = line.find('{"event":"scim_request"')
    return None if start < 0 else dict(json.loads(line[start:]))


@contextmanager
def reference_server() -> Iterator[Server]:
    """Run scim2-server from memory.

    :raises ServerError: When it does not start.
    """
    with (
        tempfile.TemporaryFile() as errors,
        _started("benchmarks.reference", [], errors, {}) as said,
    ):
        yield Server(said["host"], said["port"], "/v2", said["token"], CpuClock([said["pid"]]))


@contextmanager
def _started(
    module: str, arguments: list[str], errors: Any, environment: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Run a module that says in one JSON line where it listens."""
    process = subprocess.Popen(  # noqa: S603 - our own programs
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE,
        stderr=errors,
        env={**os.environ, **environment},
        text=True,
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise ServerError(f"python -m {module} did not start")
        yield json.loads(line)
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()

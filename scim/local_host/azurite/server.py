"""A running Azurite on 127.0.0.1, which never outlives the process that started it."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from scim.local_host.azurite.install import AzuriteError, Progress, install_azurite, node_program, to_stderr
from scim.local_host.ports import LOOPBACK, chosen_ports

_ACCOUNT = "devstoreaccount1"
# The account key that Microsoft publishes for every emulator; it protects nothing.
_ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_SERVICES = ("blob", "queue", "table")
_ANY_PORTS = (0, 0, 0)
_READY = b"Table service is successfully listening"
_PORT_TAKEN = b"EADDRINUSE"
_START_SECONDS = 60
_STOP_SECONDS = 10
_START_ATTEMPTS = 5
_OPTIONS = ("--silent", "--disableTelemetry", "--skipApiVersionCheck", "--tableKeepAliveTimeout", "120")
# Node's default limit ends a load of 100,000 users.
_NODE_OPTIONS = ("--max-old-space-size=8192", "--require", str(Path(__file__).with_name("stop_with_parent.cjs")))


@dataclass(frozen=True, slots=True)
class Azurite:
    """A started Azurite. ``stop`` ends it; so does the end of this process, however it comes."""

    process: subprocess.Popen[bytes]
    ports: tuple[int, ...]
    """Of blob, queue and table."""

    @property
    def connection_string(self) -> str:
        """What a storage client is given."""
        parts = [f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_ACCOUNT_KEY}"]
        for name, port in zip(_SERVICES, self.ports, strict=True):
            parts.append(f"{name.capitalize()}Endpoint=http://{LOOPBACK}:{port}/{_ACCOUNT}")
        return ";".join(parts) + ";"

    @property
    def pids(self) -> list[int]:
        """The processes of this Azurite."""
        return [self.process.pid]

    def stop(self) -> None:
        """Return when the process is gone; what a persistent one held is saved."""
        self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()


class _PortTakenError(Exception):
    """Another program took a port between our choice and Azurite's start."""


def start_azurite(
    *, location: Path | None, ports: Sequence[int] = _ANY_PORTS, progress: Progress = to_stderr
) -> Azurite:
    """Return a running Azurite with blob, queue and table service, installing it first where it is missing.

    ``location`` keeps the data; ``None`` keeps it in memory. ``ports`` are those of blob, queue and table; a
    free one is taken for each that is 0 or in use.
    """
    package = install_azurite(progress)
    for _ in range(_START_ATTEMPTS):
        try:
            return _start(package, location, chosen_ports(ports))
        except _PortTakenError:
            ports = _ANY_PORTS
    raise AzuriteError(f"Azurite found its ports taken {_START_ATTEMPTS} times in a row")


def _start(package: Path, location: Path | None, ports: Sequence[int]) -> Azurite:
    with _open_log(location) as log:
        process = subprocess.Popen(  # noqa: S603 - our own program and arguments
            [node_program(), *_NODE_OPTIONS, package / "dist" / "src" / "azurite.js", *_arguments(location, ports)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches the whole terminal: the app must be able to finish before its storage goes.
            start_new_session=True,
        )
        azurite = Azurite(process, tuple(ports))
        try:
            _wait_until_ready(process, Path(log.name))
        except BaseException:
            azurite.stop()
            raise
    return azurite


def _open_log(location: Path | None) -> IO[bytes]:
    if location is None:
        return tempfile.NamedTemporaryFile(prefix="azurite-", suffix=".log")
    location.mkdir(parents=True, exist_ok=True)
    return (location / "azurite.log").open("wb")


def _arguments(location: Path | None, ports: Sequence[int]) -> list[str]:
    storage = ["--inMemoryPersistence"] if location is None else ["--location", str(location)]
    listening = [part for name, port in zip(_SERVICES, ports, strict=True) for part in (f"--{name}Port", str(port))]
    return [*_OPTIONS, *storage, *listening]


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for Azurite's own word: a port that answers may be another program's."""
    deadline = time.monotonic() + _START_SECONDS
    while _READY not in (said := log.read_bytes()):
        if process.poll() is not None:
            if _PORT_TAKEN in said:
                raise _PortTakenError
            raise AzuriteError(f"Azurite did not start: {said.decode(errors='replace').strip()[-300:]}")
        if time.monotonic() > deadline:
            raise AzuriteError(f"Azurite did not start within {_START_SECONDS} s")
        time.sleep(0.01)

"""A local host in a process of its own, for tests, benches and checks.

``python -m scim.local_host.started_host COMMAND …`` runs a command against a fresh one: ``{tenant_url}``, ``{token}``
and the other keys of its JSON line are replaced in the command's arguments, and its exit code is handed on.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from scim.local_host.place import PROJECT

_STOP_SECONDS = 30


class HostNotStartedError(Exception):
    """The host ended before it was ready; it said why on standard error."""


@contextmanager
def started_host(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Give the process of a host and what it printed when it was ready; it is stopped afterwards.

    :raises HostNotStartedError: When it does not become ready.
    """
    command = [sys.executable, "-m", "scim.local_host", "--json", *arguments]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise HostNotStartedError(f"the local host ended with exit code {process.wait()}")
            yield process, json.loads(line)
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def run_against_fresh_host(command: Sequence[str]) -> int:
    """Return the exit code of a command that was given a fresh host."""
    with started_host("--ephemeral", "--port", "0") as (_, ready):
        return subprocess.run([_filled(part, ready) for part in command], check=False).returncode  # noqa: S603


def _filled(part: str, ready: Mapping[str, Any]) -> str:
    for name, value in ready.items():
        part = part.replace(f"{{{name}}}", str(value))
    return part


if __name__ == "__main__":
    sys.exit(run_against_fresh_host(sys.argv[1:]))

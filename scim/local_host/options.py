"""The command line of the development host."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scim.local_host.place import PROJECT

_DEFAULT_PORT = 7071

HostChoice = Literal["func", "own"]


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    port: int
    ephemeral: bool
    json: bool
    directories: int
    storage: str | None
    data: Path
    host: HostChoice | None
    """``None``: Core Tools where they are installed, except for an ephemeral run."""
    log_level: str


def read_options(arguments: Sequence[str]) -> Options:
    """Return the options of a command line; exits with an explanation where it makes no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m scim.local_host",
        description="Serve the directory-sync service on 127.0.0.1, with Azurite as its storage. For development.",
    )
    parser.add_argument("--port", type=int, default=_DEFAULT_PORT, help="0 or a port in use: a free one is taken")
    parser.add_argument("--ephemeral", action="store_true", help="keep nothing; a fresh directory, our own host")
    parser.add_argument("--json", action="store_true", help="print one JSON line when ready")
    parser.add_argument("--directories", type=int, default=1, metavar="N", help="with --ephemeral: create so many")
    parser.add_argument("--storage", metavar="CONNECTION_STRING", help="use this storage account; start no Azurite")
    parser.add_argument("--data", type=Path, default=PROJECT / ".local", help="keep data here; default: .local")
    parser.add_argument("--host", choices=["func", "own"], help="Core Tools or our own host; default: what is there")
    parser.add_argument("--log-level", default=None, choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    options = parser.parse_args(arguments)
    if options.ephemeral and options.host == "func":
        parser.error("--ephemeral runs under our own host")
    if options.directories < 1 or (options.directories > 1 and not options.ephemeral):
        parser.error("--directories takes a number from 1 on, and goes with --ephemeral")
    options.log_level = options.log_level or ("WARNING" if options.ephemeral else "INFO")
    return Options(**vars(options))

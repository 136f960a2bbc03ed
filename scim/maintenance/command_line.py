"""The command line: what it takes, what it prints, how it ends."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from scim.composition import Application
from scim.directories.actor import acting, operator
from scim.directories.errors import (
    DirectoryError,
    DirectoryStoreUnavailableError,
    SecretStoreError,
    UnservedDirectoryError,
)
from scim.maintenance import commands, copies, restoring
from scim.maintenance.copy_file import CopyFileError
from scim.maintenance.progress import Progress
from scim.maintenance.results import Result
from scim.maintenance.upgrades import upgrade
from scim.one_line_parser import OneLineParser
from scim.resources.errors import StorageUnavailableError
from scim.settings import Settings, SettingsError

_TOOL: Final = "scim.maintenance"
_PROGRAM: Final = f"python -m {_TOOL}"
_CANNOT_DO: Final = 2
_MAX_USERS: Final = 1_000_000


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code: 0 clean, 1 something is wrong in the rows, 2 it could not be done."""
    options = _read_options(arguments)
    progress = Progress(sys.stderr)
    try:
        result = asyncio.run(_run(options, progress))
    except (SettingsError, DirectoryError, UnservedDirectoryError, CopyFileError) as error:
        return _refuse(progress, str(error))
    except (StorageUnavailableError, DirectoryStoreUnavailableError, SecretStoreError) as error:
        return _refuse(progress, f"storage does not answer: {error}")
    progress.close()
    _print(result, as_json=options.json)
    return result.exit_code


def _refuse(progress: Progress, sentence: str) -> int:
    progress.close()
    sys.stderr.write(f"{_PROGRAM}: {sentence}\n")
    return _CANNOT_DO


def _print(result: Result, *, as_json: bool) -> None:
    lines = [json.dumps(result.as_json())] if as_json else result.lines()
    for line in lines:
        sys.stdout.write(f"{line}\n")


async def _run(options: argparse.Namespace, progress: Progress) -> Result:
    application = Application(Settings.from_environment(os.environ))
    try:
        with acting(operator(_TOOL)):
            return await _done(application, options, progress)
    finally:
        await application.close()


async def _done(application: Application, options: argparse.Namespace, progress: Progress) -> Result:
    match options.command:
        case "check":
            return await commands.check(application, options.directory, progress, repair=options.repair)
        case "relay":
            return await commands.relay_now(application, options.directory)
        case "upgrade":
            return await upgrade(application, options.directories, progress)
        case "backup":
            return await copies.backup(application, options.file, progress)
        case "restore":
            return await restoring.restore(application, options.file, options.only, progress, deleted=options.deleted)
        case _:
            return await commands.seed(application, options.directory, options.users, options.groups, progress)


def _read_options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = OneLineParser(prog=_PROGRAM, description="Look after the rows of the service.")
    commands_shown = "check | relay | seed | upgrade | backup | restore"
    subcommands = parser.add_subparsers(dest="command", required=True, metavar=commands_shown)
    check = subcommands.add_parser("check", help="check all rows of a directory against each other")
    check.add_argument("--repair", action="store_true", help="mend what is unambiguous")
    relay = subcommands.add_parser("relay", help="move what waits in a directory's outbox into its feed")
    seed = subcommands.add_parser("seed", help="fill a directory with sample users and groups, for measurements")
    seed.add_argument("--new", action="store_true", help="create the directory, and print its token")
    seed.add_argument("--users", type=_number, default=0, metavar="N", help="how many users; default: none")
    seed.add_argument("--groups", type=_numbers, default=(), metavar="N,N,…", help="groups of so many of these users")
    for command in (check, relay, seed):
        is_optional = "?" if command is seed else None
        command.add_argument("directory", metavar="DIRECTORY", nargs=is_optional, help="its id, dir_…")
    upgrading = subcommands.add_parser("upgrade", help="bring rows to the newest format, while the service runs")
    upgrading.add_argument("directories", metavar="DIRECTORY", nargs="*", help="their ids, dir_…; default: all")
    saving = subcommands.add_parser("backup", help="copy every row of all tables to a new file")
    returning = subcommands.add_parser("restore", help="put back a copy where there are no rows; change none")
    for command in (saving, returning):
        command.add_argument("file", metavar="FILE", type=Path, help="such as rows.jsonl.gz")
    only_help = "this partition alone, and what is missing in it although it has rows"
    returning.add_argument("--only", action="append", default=[], metavar="PARTITION", help=only_help)
    deleted_help = "bring back a named directory although it was deleted on purpose"
    returning.add_argument("--deleted", action="store_true", help=deleted_help)
    for command in (check, relay, seed, upgrading, saving, returning):
        command.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    if options.command == "seed":
        _require_sense(seed, options)
    if options.command == "restore" and options.deleted and not options.only:
        returning.error("--deleted goes with --only, which names the directory")
    return options


def _require_sense(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.new == (options.directory is not None):
        parser.error("name either a directory or --new")
    if any(size > options.users for size in options.groups):
        parser.error(f"a group of {max(options.groups)} members needs --users {max(options.groups)} or more")


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > _MAX_USERS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to {_MAX_USERS}")
    return int(text)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(_number(part.strip()) for part in text.split(","))

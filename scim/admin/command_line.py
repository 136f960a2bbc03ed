"""The command line: what it takes, what it prints, how it ends."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from typing import Final

from scim.admin import audit, directories, keys, mappings, organizations, portal_links, service_keys, tokens
from scim.admin.command import Command
from scim.admin.deployment import add_deployment_options, deployment_settings
from scim.admin.result import Result
from scim.composition import Application
from scim.directories.actor import acting, operator
from scim.directories.errors import (
    DirectoryBusyError,
    DirectoryError,
    DirectoryStoreUnavailableError,
    SecretStoreError,
    UnservedDirectoryError,
)
from scim.one_line_parser import USAGE_ERROR, OneLineParser
from scim.resources.errors import StorageUnavailableError
from scim.settings import SettingsError

COMMANDS: Final[tuple[Command, ...]] = (
    *organizations.COMMANDS,
    *directories.COMMANDS,
    *tokens.COMMANDS,
    *mappings.COMMANDS,
    *keys.COMMANDS,
    *portal_links.COMMANDS,
    *audit.COMMANDS,
    *service_keys.COMMANDS,
)
"""Every command, in the order in which help lists them."""

_TOOL: Final = "scim.admin"
_PROGRAM: Final = f"python -m {_TOOL}"
_REFUSED, _CANNOT_DO = 1, USAGE_ERROR


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code: 0 done, 1 refused, 2 could not be done."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    try:
        result = asyncio.run(_run(options))
    except (DirectoryBusyError, UnservedDirectoryError) as error:
        return _fail(_CANNOT_DO, str(error))
    except DirectoryError as error:
        return _fail(_REFUSED, str(error))
    except SettingsError as error:
        return _fail(_CANNOT_DO, str(error))
    except (StorageUnavailableError, DirectoryStoreUnavailableError) as error:
        return _fail(_CANNOT_DO, f"storage does not answer: {error}")
    except SecretStoreError as error:
        return _fail(_CANNOT_DO, f"the secret store does not answer: {error}")
    _print(result, as_json=options.json)
    return 0


def _fail(code: int, sentence: str) -> int:
    sys.stderr.write(f"{_PROGRAM}: {' '.join(sentence.split())}\n")
    return code


def _print(result: Result, *, as_json: bool) -> None:
    lines = [json.dumps(result.as_json())] if as_json else result.lines()
    for line in lines:
        sys.stdout.write(f"{line}\n")


async def _run(options: argparse.Namespace) -> Result:
    command: Command = options.command
    application = Application(deployment_settings(options, needs_vault=command.needs_vault))
    try:
        with acting(operator(_TOOL)):
            return await command.run(application, options)
    finally:
        await application.close()


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog=_PROGRAM, description="Operate the directory-sync service.")
    nouns = parser.add_subparsers(required=True, metavar=" | ".join(dict.fromkeys(each.noun for each in COMMANDS)))
    for noun in dict.fromkeys(each.noun for each in COMMANDS):
        commands = [each for each in COMMANDS if each.noun == noun]
        if not commands[0].verb:
            _add(nouns.add_parser(noun, help=commands[0].summary, description=commands[0].summary), commands[0])
            continue
        verbs = nouns.add_parser(noun, help=", ".join(each.verb for each in commands)).add_subparsers(
            required=True, metavar=" | ".join(each.verb for each in commands)
        )
        for command in commands:
            _add(verbs.add_parser(command.verb, help=command.summary, description=command.summary), command)
    return parser


def _add(parser: argparse.ArgumentParser, command: Command) -> None:
    for takes in command.takes:
        takes(parser)
    add_deployment_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(command=command)

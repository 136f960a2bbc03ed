"""One command: what it is called, what it takes, and what it does."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from scim.admin.result import Result
from scim.composition import Application

Run = Callable[[Application, argparse.Namespace], Awaitable[Result]]
Takes = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True, slots=True)
class Command:
    """A verb of a noun, such as ``organizations list``."""

    noun: str
    verb: str
    """Empty for a noun that is a command by itself."""
    summary: str
    run: Run
    takes: tuple[Takes, ...] = ()
    """What adds its arguments to a parser."""
    needs_vault: bool = False
    """Whether it reads or writes values of tokens; the others work without a secret store."""


def argument(*names: str, **options: Any) -> Takes:
    """Return what adds one argument, as ``argparse`` describes it."""

    def take(parser: argparse.ArgumentParser) -> None:
        parser.add_argument(*names, **options)

    return take

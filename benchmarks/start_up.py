"""How long a fresh interpreter takes until the app can answer: what a cold start waits for, beside the platform."""

from __future__ import annotations

import os
import subprocess
import sys

from scim.local_host.place import PROJECT
from scim.settings import DATA_STORAGE, SECRET_STORE

_IMPORT = "import time; begun = time.perf_counter(); import function_app; "
_FIRST_REQUEST = (
    "import asyncio; from scim.composition import application; from scim.web import WebRequest; "
    "asyncio.run(application().provisioning.answer(WebRequest('GET', '/scim/v2/dir_0/ServiceProviderConfig'))); "
    "import aiohttp; application().account; "
)
_TELL = "print(time.perf_counter() - begun)"


def seconds_to_import(runs: int) -> list[float]:
    """Return the time of importing ``function_app``, in fresh interpreters."""
    return [_seconds(_IMPORT + _TELL) for _ in range(runs)]


def seconds_to_first_request(runs: int) -> list[float]:
    """Return the time of importing ``function_app`` and all that the first request needs, in fresh interpreters."""
    return [_seconds(_IMPORT + _FIRST_REQUEST + _TELL) for _ in range(runs)]


def _seconds(program: str) -> float:
    settings = {DATA_STORAGE: "UseDevelopmentStorage=true", SECRET_STORE: f"file:{os.devnull}"}
    ran = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env={**os.environ, **settings},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(ran.stdout)

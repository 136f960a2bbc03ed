"""The one thread for work that would keep every other request of the process waiting.

A process is one event loop, and reading, patching and choosing are pure: while they run, nothing else does. What takes
milliseconds runs where it stands; what may take longer runs here, one at a time, while the loop goes on serving.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from scim.resources.errors import StorageUnavailableError
from scim.resources.storage_scope import current_storage_scope

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

LARGE_BODY = 64 * 1024
"""Bytes of a body above which it is read in the thread."""
MANY_OPERATIONS = 50
"""Operations of a PATCH above which they are applied in the thread."""
MANY_STEPS = 50_000
"""Values that are looked at, times the names or comparisons that ask for them, above which it is done in the thread."""

Result = TypeVar("Result")


async def run_apart(work: Callable[[], Result], *, is_heavy: bool) -> Result:
    """Return the result of work, or raise what it raises: heavy work is done in the thread, with our context variables.

    :raises StorageUnavailableError: When the request's time ends first; what waits for the thread is then left undone.
    """
    return await _in_thread(work) if is_heavy else work()


async def _in_thread(work: Callable[[], Result]) -> Result:
    submitted = _thread().submit(copy_context().run, work)
    waiting = asyncio.wrap_future(submitted)
    try:
        await asyncio.wait([waiting], timeout=current_storage_scope().remaining())
        if waiting.done():
            return waiting.result()
    finally:
        submitted.cancel()
    raise StorageUnavailableError("the time of the request ended while it waited for the worker thread")


@cache
def _thread() -> ThreadPoolExecutor:
    """Return the thread, made at first use; it ends with the process."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="worker")


def values_in(text: str) -> int:
    """Return about how many values JSON text holds, never fewer, counted in a moment."""
    return text.count(",") + 1

"""Heavy work runs in one thread, with the request's context and within its time, and as if it ran where it stands."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from functools import partial

import pytest

from scim.resources.errors import StorageUnavailableError
from scim.resources.storage_scope import current_storage_scope, storage_scope
from scim.resources.worker_thread import run_apart

_NAME: ContextVar[str] = ContextVar("name")


async def test_light_work_is_done_where_it_stands() -> None:
    assert await run_apart(threading.get_ident, is_heavy=False) == threading.get_ident()


async def test_heavy_work_is_done_in_one_other_thread() -> None:
    found = await asyncio.gather(*(run_apart(threading.get_ident, is_heavy=True) for _ in range(20)))

    assert len(set(found)) == 1
    assert threading.get_ident() not in found


async def test_heavy_work_is_done_in_the_order_in_which_it_came() -> None:
    done: list[int] = []

    await asyncio.gather(*(run_apart(partial(done.append, number), is_heavy=True) for number in range(50)))

    assert done == list(range(50))


async def test_heavy_work_sees_the_context_of_its_request() -> None:
    _NAME.set("ours")
    with storage_scope() as scope:
        assert await run_apart(lambda: (_NAME.get(), current_storage_scope() is scope), is_heavy=True) == ("ours", True)


@pytest.mark.parametrize("error", [ValueError("ours"), TimeoutError("ours"), KeyError("ours")])
async def test_what_heavy_work_raises_is_raised(error: Exception) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        await run_apart(fail, is_heavy=True)

    assert raised.value.args == error.args


async def test_work_that_waits_longer_than_its_request_may_is_left_undone() -> None:
    begun, may_end = threading.Event(), threading.Event()
    done: list[str] = []

    def block() -> None:
        begun.set()
        may_end.wait()

    blocking = asyncio.create_task(run_apart(block, is_heavy=True))
    await asyncio.to_thread(begun.wait)
    try:
        with storage_scope(seconds=0.01), pytest.raises(StorageUnavailableError):
            await run_apart(lambda: done.append("late"), is_heavy=True)
    finally:
        may_end.set()
    await blocking
    await run_apart(lambda: done.append("next"), is_heavy=True)

    assert done == ["next"]


async def test_work_of_a_request_that_is_given_up_is_left_undone() -> None:
    begun, may_end = threading.Event(), threading.Event()
    done: list[str] = []

    def block() -> None:
        begun.set()
        may_end.wait()

    blocking = asyncio.create_task(run_apart(block, is_heavy=True))
    await asyncio.to_thread(begun.wait)
    given_up = asyncio.create_task(run_apart(lambda: done.append("late"), is_heavy=True))
    await asyncio.sleep(0)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    may_end.set()
    await blocking
    await run_apart(lambda: done.append("next"), is_heavy=True)

    assert done == ["next"]

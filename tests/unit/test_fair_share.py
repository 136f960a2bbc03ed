"""Who works, who waits and who is refused: 32 at once, 8 of one party, in turn, and no place is ever lost."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter

import pytest

from scim.fair_share import FairShare, NoTurnError
from scim.request_log import LogEntry
from scim.resources.storage_scope import storage_scope


class Work:
    """What requests do in their turn: they stay until they are let go."""

    def __init__(self, share: FairShare) -> None:
        self.share = share
        self.order: list[str] = []
        self.now: Counter[str] = Counter()
        self.go = asyncio.Event()

    async def one(self, party: str, name: str = "") -> str:
        async with self.share.turn(party):
            self.order.append(name or party)
            self.now[party] += 1
            await self.go.wait()
            self.now[party] -= 1
        return name

    def begin(self, *parties: str) -> list[asyncio.Task[str]]:
        return [asyncio.ensure_future(self.one(party, f"{party}{number}")) for number, party in enumerate(parties)]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_eight_of_one_and_thirty_two_in_all_work_at_once() -> None:
    work = Work(FairShare())
    tasks = work.begin(*[party for party in "abcdef" for _ in range(20)])
    await settle()

    assert work.now == Counter(dict.fromkeys("abcd", 8))
    assert (work.share.working, work.share.waiting) == (32, 88)

    work.go.set()
    await asyncio.gather(*tasks)
    assert len(work.order) == 120
    assert (work.share.working, work.share.waiting) == (0, 0)


async def test_requests_of_one_come_in_order_and_parties_take_turns() -> None:
    work = Work(FairShare(at_once=1, of_one=1))
    tasks = work.begin("a", "a", "a", "a", "b", "c", "b")
    await settle()
    work.go.set()
    await asyncio.gather(*tasks)

    assert work.order == ["a0", "a1", "b4", "c5", "a2", "b6", "a3"]


async def test_whoever_waits_too_long_is_refused_and_the_others_are_not() -> None:
    work = Work(FairShare(at_once=1, longest_wait=0.02))
    tasks = work.begin("a", "a", "b")
    refused = await asyncio.wait_for(asyncio.gather(*tasks[1:], return_exceptions=True), 5)
    work.go.set()

    assert [type(each) for each in refused] == [NoTurnError, NoTurnError]
    assert await tasks[0] == "a0"
    assert (work.share.working, work.share.waiting) == (0, 0)


async def test_when_too_many_wait_the_newest_of_the_longest_line_gives_way() -> None:
    work = Work(FairShare(at_once=1, of_one=1, most_waiting=4))
    tasks = work.begin("a", "a", "a", "a", "a", "b", "a")
    await settle()

    assert [task.done() for task in tasks] == [False, False, False, False, True, False, True]
    assert isinstance(tasks[4].exception(), NoTurnError)
    assert isinstance(tasks[6].exception(), NoTurnError)
    work.go.set()
    await asyncio.gather(tasks[5], *tasks[:4])


async def test_no_place_is_lost_by_an_error_a_cancellation_or_an_end_of_patience() -> None:
    share, chance, done = FairShare(4, 2, longest_wait=0.01, most_waiting=40), random.Random(7), Counter[str]()

    async def one(party: str) -> None:
        async with share.turn(party):
            assert share.working <= 4
            await asyncio.sleep(chance.random() / 1000)
            done[party] += 1
            if chance.random() < 0.2:
                raise LookupError

    async def cancelled(task: asyncio.Task[None]) -> None:
        await asyncio.sleep(chance.random() / 200)
        task.cancel()

    for _ in range(40):
        tasks = [asyncio.ensure_future(one(chance.choice("abc"))) for _ in range(50)]
        endings = [asyncio.ensure_future(cancelled(task)) for task in tasks[::3]]
        await asyncio.gather(*tasks, *endings, return_exceptions=True)
        assert (share.working, share.waiting, share._lines, share._working) == (0, 0, {}, {})

    assert min(done.values()) > 50


async def test_a_place_given_in_the_moment_of_a_cancellation_goes_to_the_next() -> None:
    work = Work(FairShare(at_once=1))
    tasks = work.begin("a", "b", "c")
    await settle()
    work.go.set()
    tasks[0].cancel()
    await asyncio.sleep(0)
    tasks[1].cancel()

    await asyncio.wait(tasks)

    assert tasks[2].result() == "c2"
    assert (work.share.working, work.share.waiting) == (0, 0)


async def test_the_wait_is_told_and_is_none_of_the_time_for_storage() -> None:
    work, entry = Work(FairShare(at_once=1)), LogEntry("scim_request", "id", "GET")
    first = work.begin("a")
    await settle()

    async def second() -> float:
        with storage_scope() as scope:
            async with work.share.turn("a", entry):
                return scope.deadline - time.monotonic()

    task = asyncio.ensure_future(second())
    await asyncio.sleep(0.05)
    work.go.set()

    assert await task > 19.99
    assert entry.waited >= 0.05
    await asyncio.gather(*first)


@pytest.mark.parametrize("waiting", [1, 1000])
async def test_a_turn_costs_as_much_however_many_parties_wait(waiting: int) -> None:
    work = Work(FairShare(at_once=1, of_one=1, most_waiting=2000))
    tasks = work.begin(*[f"p{number}" for number in range(waiting + 1)])
    await settle()
    passed = 0

    def has_place(_party: str) -> bool:
        nonlocal passed
        passed += 1
        return True

    object.__setattr__(work.share, "_has_place_for", has_place)
    assert work.share._next_party() is not None
    assert passed == 1
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

"""Going through many directories: several at once, each in its time, and each time others first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scim.adapters.tables.background import ORGANIZATION_LIMITS, RETENTION_LIMITS, SWEEP_LIMITS
from scim.adapters.tables.rounds import Limits, Places, Round, RoundResult, Steps
from scim.adapters.tables.table import StorageUnavailableError
from scim.resources.storage_scope import current_storage_scope
from tests.documents import PROJECT
from tests.fakes.memory_table import MemoryTable

QUICK = Limits(seconds=5.0, seconds_each=0.05, at_once=3)


def names(count: int) -> list[str]:
    return [f"dir_{number:032x}" for number in range(count)]


class Killed(BaseException):
    """The end of a process, which no handler of errors sees."""


@dataclass
class Work:
    """What is done for each name: it hangs for some, and fails for others."""

    hanging: Sequence[str] = ()
    failing: Sequence[str] = ()
    begun: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    under_way: int = 0
    most_at_once: int = 0

    async def __call__(self, name: str) -> bool:
        self.begun.append(name)
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            await asyncio.sleep(0)
            if name in self.hanging:
                await asyncio.Event().wait()
            if name in self.failing:
                raise StorageUnavailableError("busy")
        finally:
            self.under_way -= 1
        self.done.append(name)
        return True


async def go(table: MemoryTable, work: Work, count: int, limits: Limits = QUICK) -> RoundResult:
    return await Round("sweep", limits, Places(table)).go({"default": names(count)}, work)


async def test_names_that_hang_take_their_time_and_no_others() -> None:
    all_names = names(40)
    work = Work(hanging=all_names[:7])

    result = await go(MemoryTable(), work, 40)

    assert sorted(work.done) == all_names[7:]
    assert result == RoundResult(tried=40, failed=7, timed_out=7)
    assert work.most_at_once == QUICK.at_once


async def test_a_round_begins_elsewhere_than_the_last_one() -> None:
    table, first, second = MemoryTable(), Work(), Work()

    await go(table, first, 10)
    await go(table, second, 10)

    assert first.begun[0] == names(10)[0]
    assert second.begun[0] == names(10)[QUICK.at_once]
    assert sorted(second.done) == names(10)


async def test_a_round_without_time_for_all_says_so_and_the_next_begins_with_the_others() -> None:
    table, short = MemoryTable(), Limits(seconds=0.12, seconds_each=0.05, at_once=2)
    first = Work(hanging=names(20))
    result = await go(table, first, 20, short)
    second = Work()

    await go(table, second, 20)

    assert 0 < result.tried < 20
    assert (result.not_reached, result.timed_out) == (20 - result.tried, result.tried)
    assert second.begun[0] == names(20)[result.tried]


async def test_a_round_whose_process_ends_does_not_begin_at_the_same_place_again() -> None:
    table = MemoryTable()

    async def ends(_name: str) -> bool:
        raise Killed

    with pytest.raises(Killed):
        await Round("sweep", QUICK, Places(table)).go({"default": names(10)}, ends)
    work = Work()
    await go(table, work, 10)

    assert work.begun[0] == names(10)[QUICK.at_once]


async def test_a_lane_of_hanging_names_keeps_no_other_lane_waiting() -> None:
    work = Work(hanging=names(30))
    others = [f"dir_{number:032x}" for number in range(100, 130)]
    short = Limits(seconds=0.12, seconds_each=0.1, at_once=2)

    result = await Round("sweep", short, Places(MemoryTable())).go({"default": names(30), "d2": others}, work)

    assert sorted(work.done) == others
    assert (result.tried, result.not_reached) == (32, 28)


async def test_a_place_that_cannot_be_read_or_written_ends_no_round(caplog: pytest.LogCaptureFixture) -> None:
    table, work = MemoryTable(before=lambda _: StorageUnavailableError("busy")), Work(failing=names(3)[:1])

    result = await go(table, work, 5)

    assert (result.tried, result.failed, sorted(work.done)) == (5, 1, names(5)[1:])
    assert "is not known" in caplog.text
    assert "is not kept" in caplog.text


async def test_where_no_name_waits_for_another_no_place_is_kept() -> None:
    table, work = MemoryTable(), Work()

    result = await go(table, work, QUICK.at_once)

    assert (result.tried, table.requests) == (QUICK.at_once, [])


async def test_what_a_name_asks_of_storage_has_its_deadline() -> None:
    left = list[float]()

    async def look(_name: str) -> bool:
        left.append(current_storage_scope().remaining())
        return True

    await Round("sweep", Limits(100.0, 7.0), Places(MemoryTable())).go({"default": names(1)}, look)

    assert 6.0 < left[0] <= 7.0


async def test_a_step_that_fails_keeps_none_of_the_others_from_its_turn() -> None:
    steps, taken = Steps("sweep", "dir_1"), list[str]()

    async def step(name: str) -> None:
        taken.append(name)
        if name == "first":
            raise StorageUnavailableError("busy")

    await steps.take("one", step("first"))
    await steps.take("other", step("second"))

    assert (taken, steps.have_succeeded) == (["first", "second"], False)


def test_every_round_ends_before_the_host_ends_it() -> None:
    said = json.loads(Path(PROJECT / "host.json").read_text(encoding="utf-8"))["functionTimeout"]
    hours, minutes, seconds = map(int, said.split(":"))
    limit = 3600 * hours + 60 * minutes + seconds

    assert SWEEP_LIMITS.seconds <= 0.8 * limit
    assert RETENTION_LIMITS.seconds + ORGANIZATION_LIMITS.seconds <= 0.8 * limit
    assert all(each.seconds_each < each.seconds for each in (SWEEP_LIMITS, RETENTION_LIMITS, ORGANIZATION_LIMITS))

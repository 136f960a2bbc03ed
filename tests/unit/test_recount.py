"""Counting a directory anew: exact in one state, or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from scim.adapters.tables import keys
from scim.adapters.tables.consistency import ledger
from scim.adapters.tables.consistency.check import check_directory
from scim.adapters.tables.consistency.recount import recount
from scim.adapters.tables.consistency.repairs import repair_directory
from scim.adapters.tables.derivation import derive
from scim.adapters.tables.directory_index import read_index
from scim.adapters.tables.index_writes import BLOCK_SIZE
from scim.adapters.tables.pages import page_at
from scim.adapters.tables.relay import relay
from tests.directories import FilledDirectory
from tests.fakes.memory_table import MemoryTable


class InterruptedTable(MemoryTable):
    """A table in which something else happens just before users are counted."""

    __slots__ = ("interrupt",)
    interrupt: Callable[[], Awaitable[object]] | None

    async def query(self, partition: str, first: str, end: str, **options: Any) -> Any:
        if first in ("u", "u|") and self.interrupt is not None:
            await self.interrupt()
        return await super().query(partition, first, end, **options)


def interrupted() -> tuple[FilledDirectory, InterruptedTable]:
    table = InterruptedTable()
    table.interrupt = None
    return FilledDirectory(table), table


async def miscounted(directory: FilledDirectory) -> None:
    await directory.user("anna")
    await relay(directory.partition)
    await directory.change(keys.HEAD, users=7)


async def test_blocks_that_became_too_large_are_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = FilledDirectory()
    users = [(await directory.user(str(number))).id for number in range(250)]
    await relay(directory.partition)
    monkeypatch.setitem(BLOCK_SIZE, "User", 2)

    assert await recount(directory.partition)

    index = await read_index(directory.partition)
    assert [block.count for block in index.maps["User"].blocks] == [2] * 125
    assert [user.id for user in await page_at(directory.partition, index, "User", 241, 3)] == sorted(users)[241:244]
    assert await check_directory(directory.partition) == []


async def test_nothing_is_written_where_all_is_counted_well() -> None:
    directory = FilledDirectory()
    assert await recount(directory.partition)
    assert directory.rows() == {}
    await directory.user("anna")
    await relay(directory.partition)
    await derive(directory.partition)
    before = directory.rows()
    assert await recount(directory.partition)
    assert directory.rows() == before


async def test_users_that_come_while_others_are_counted_are_counted_once() -> None:
    directory, table = interrupted()
    await miscounted(directory)

    async def create_one() -> None:
        table.interrupt = None
        await directory.user("ben")

    table.interrupt = create_one
    assert await recount(directory.partition)
    await relay(directory.partition)
    assert (await read_index(directory.partition)).current_counts()["users"] == 2
    assert await check_directory(directory.partition) == []


async def test_counts_stay_as_they_were_while_users_keep_coming() -> None:
    directory, table = interrupted()
    await miscounted(directory)
    names = iter(range(1000))
    table.interrupt = lambda: directory.user(str(next(names)))

    assert not await recount(directory.partition)

    table.interrupt = None
    counts = (await read_index(directory.partition)).current_counts()
    assert counts["users"] == 7 + next(names)
    assert await recount(directory.partition)
    assert await check_directory(directory.partition) == []


async def test_what_writes_do_to_counts_meanwhile_is_a_warning_and_what_they_cannot_do_a_violation() -> None:
    directory, table = interrupted()
    await miscounted(directory)
    names = iter(range(1000))
    table.interrupt = lambda: directory.user(str(next(names)))

    assert [violation.kind for violation in await check_directory(directory.partition)] == ["wrong_count"]

    await directory.change(keys.HEAD, users=1)
    assert [violation.kind for violation in await check_directory(directory.partition)] == ["counted_during_writes"]


async def test_more_damage_than_is_looked_at_once_is_told_and_mended_in_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_MAX_DIFFERENCES", 20)
    directory = FilledDirectory()
    for number in range(100):
        await directory.user(str(number))
    await relay(directory.partition)
    await directory.drop(*directory.keys("n|"))

    kinds = [violation.kind for violation in await check_directory(directory.partition)]
    assert 0 < kinds.count("missing_lookup") < 100
    assert kinds[0] == "incomplete"

    assert (await repair_directory(directory.partition)).left == []
    assert await check_directory(directory.partition) == []

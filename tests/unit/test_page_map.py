"""The page map that the relay keeps: it counts in each block what lies there, in whatever order ids come."""

from __future__ import annotations

from random import Random

import pytest

from scim.adapters.tables import keys
from scim.adapters.tables.directory_index import read_index
from scim.adapters.tables.index_writes import BLOCK_SIZE
from scim.adapters.tables.relay import relay
from scim.resources.identifiers import begin_operation
from scim.resources.schema import USER_URN
from tests.directories import FilledDirectory


async def create(directory: FilledDirectory, number: int) -> str:
    user_id = f"usr_{number:032x}"
    document = {"schemas": [USER_URN], "id": user_id, "userName": str(number)}
    await directory.store.create_user(document, begin_operation())
    return user_id


async def test_a_full_block_ends_behind_every_id_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BLOCK_SIZE, "User", 2)
    directory = FilledDirectory()
    for number in (1, 9):
        await create(directory, number)
    await relay(directory.partition)
    for number in (5, 10):  # Another machine's clock, or another draw in the same millisecond: 5 comes after 9.
        await create(directory, number)
        await relay(directory.partition)

    blocks = (await read_index(directory.partition)).maps["User"].blocks
    assert [(block.first_id, block.count) for block in blocks] == [("", 3), (f"usr_{10:032x}", 1)]


async def test_a_map_without_its_first_block_does_not_keep_events_from_the_feed() -> None:
    directory = FilledDirectory()
    await directory.put(keys.page_map("User", f"usr_{9:032x}"), count=0)
    await create(directory, 1)
    assert await relay(directory.partition) == 1
    assert directory.keys("f|") == [keys.feed(1)]


async def test_blocks_count_what_lies_in_them_whatever_the_order_of_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BLOCK_SIZE, "User", 5)
    directory, random, ids = FilledDirectory(), Random(7), set[str]()
    numbers = list(range(200))
    for start in range(0, 200, 10):  # Ids that come near each other come in any order.
        part = numbers[start : start + 10]
        random.shuffle(part)
        numbers[start : start + 10] = part
    for number in numbers:
        ids.add(await create(directory, number))
        if random.random() < 0.3:
            await relay(directory.partition)
    await relay(directory.partition)

    blocks = (await read_index(directory.partition)).maps["User"].blocks
    ends = [block.first_id for block in blocks[1:]] + ["usr_~"]
    lying = [sum(block.first_id <= each < end for each in ids) for block, end in zip(blocks, ends, strict=True)]
    assert [block.count for block in blocks] == lying
    assert max(lying) <= 20

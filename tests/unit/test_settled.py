"""Rows that keep late attempts out: who passes over them, and when they go."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scim.adapters.tables import keys, settled
from scim.adapters.tables.consistency.check import check_directory
from scim.adapters.tables.consistency.recount import recount
from scim.adapters.tables.directory_index import read_index
from scim.adapters.tables.failures import AttemptFailedError
from scim.adapters.tables.feed import read_feed
from scim.adapters.tables.outbox import Tally, oldest_age_seconds, outbox_insert
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.relay import relay
from scim.adapters.tables.retrying_table import RetryingTable
from scim.adapters.tables.settled import is_settled, is_void, marked, void_insert
from scim.adapters.tables.table import RowExistsError, StorageUnavailableError, insert
from scim.adapters.tables.voiding import Voids
from scim.events.feed import FeedCursor
from scim.resources.identifiers import begin_operation
from tests.directories import FilledDirectory
from tests.fakes.memory_table import MemoryTable, Request

_MANY = 1200
"""More rows than one page holds."""


async def no_pause(_seconds: float) -> None:
    """Try again at once."""


async def tell(partition: Partition, *, again: bool = True) -> str:
    """Commit an operation as another attempt than the first does, and return its id."""
    operation = begin_operation()
    write = outbox_insert(partition, operation, [], Tally())
    await partition.commit([marked(write) if again else write])
    return operation.id


def rows_of_operations(directory: FilledDirectory) -> dict[str, bool]:
    """Return the keys of outbox rows, and whether each is settled."""
    return {key: is_settled(row) for key, row in directory.rows().items() if key.startswith(keys.OUTBOX_FIRST)}


async def test_the_relay_leaves_an_operation_that_was_attempted_again_as_told() -> None:
    directory = FilledDirectory()
    again, once = await tell(directory.partition), await tell(directory.partition, again=False)

    assert await relay(directory.partition) == 2

    assert rows_of_operations(directory) == {keys.outbox(again): True}
    feed = [row.values for key, row in directory.rows().items() if key.startswith(keys.FEED_FIRST)]
    assert [values["operation"] for values in feed] == [again, once]
    assert all(settled.AGAIN not in values for values in feed)


async def test_what_is_settled_is_neither_counted_nor_relayed_nor_old_nor_wrong() -> None:
    directory = FilledDirectory()
    await directory.user("anna")
    await tell(directory.partition)
    await relay(directory.partition)
    await directory.partition.commit([void_insert(begin_operation().id, "2020-01-01T00:00:00.000Z")])

    index = await read_index(directory.partition)

    assert (len(index.outbox), len(index.settled), index.waiting_since) == (0, 2, None)
    assert index.current_counts() == {"users": 1, "active": 1, "groups": 0}
    assert await oldest_age_seconds(directory.partition) == 0.0
    assert await relay(directory.partition) == 0
    assert await recount(directory.partition)
    assert await check_directory(directory.partition) == []
    assert len((await read_feed(directory.partition, FeedCursor(), 10)).events) == 1
    assert len(rows_of_operations(directory)) == 2


async def test_the_age_of_the_backlog_is_that_of_what_waits_behind_settled_rows() -> None:
    directory = FilledDirectory()
    for _ in range(45):
        await tell(directory.partition)
    await relay(directory.partition)
    assert await oldest_age_seconds(directory.partition) == 0.0

    pass_time(directory.table, seconds=-30)
    await tell(directory.partition)

    assert 0.0 < await oldest_age_seconds(directory.partition) < 60.0


async def test_settled_rows_go_a_minute_later_with_the_next_events_at_no_further_request() -> None:
    directory = FilledDirectory()
    await tell(directory.partition)
    await relay(directory.partition)
    pass_time(directory.table, seconds=61)
    await tell(directory.partition, again=False)
    before = len(directory.table.requests)

    await relay(directory.partition)

    assert rows_of_operations(directory) == {}
    assert len(directory.table.requests) - before == 2


async def test_settled_rows_stay_for_a_minute() -> None:
    directory = FilledDirectory()
    told = await tell(directory.partition)
    await relay(directory.partition)
    pass_time(directory.table, seconds=58)
    await tell(directory.partition, again=False)

    await relay(directory.partition)

    assert rows_of_operations(directory) == {keys.outbox(told): True}


async def test_settled_rows_of_a_directory_that_came_to_rest_are_swept_by_our_clock() -> None:
    directory = FilledDirectory()
    pass_time(directory.table, seconds=-700)
    for _ in range(3):
        await tell(directory.partition)
    await relay(directory.partition)
    assert len(rows_of_operations(directory)) == 3

    await relay(directory.partition)

    assert rows_of_operations(directory) == {}


async def test_settled_rows_are_known_in_a_backlog_of_any_length() -> None:
    directory = FilledDirectory()
    told = [await tell(directory.partition) for _ in range(150)]
    await relay(directory.partition)
    pass_time(directory.table, seconds=61)
    late = await tell(directory.partition)
    for _ in range(_MANY):
        await tell(directory.partition, again=False)

    assert await relay(directory.partition) == _MANY + 1

    assert len(told) == 150
    assert rows_of_operations(directory) == {keys.outbox(late): True}
    assert await relay(directory.partition) == 0


def pass_time(table: MemoryTable, *, seconds: float) -> None:
    """Let the service's clock go on."""
    table._opened += timedelta(seconds=seconds)


async def test_an_operation_that_is_given_up_is_made_void() -> None:
    table = MemoryTable()
    partition = Partition(RetryingTable(Losing(table), no_pause), "dir_1", "org_1")
    operation = begin_operation()

    with pytest.raises(StorageUnavailableError):
        await partition.commit([insert("m|1", {}), outbox_insert(partition, operation, [], Tally())])
    assert isinstance(partition.table, RetryingTable)
    await partition.table.close()

    (row,) = table.rows("dir_1").values()
    assert (row.key, is_void(row)) == (keys.outbox(operation.id), True)
    with pytest.raises(RowExistsError):
        await table.commit("dir_1", [insert("m|1", {}), outbox_insert(partition, operation, [], Tally())])


class Losing(MemoryTable):
    """The way to a table on which transactions of more than one write are lost."""

    def __init__(self, table: MemoryTable) -> None:
        super().__init__()
        self._partitions = table._partitions
        self.before = _lose


def _lose(request: Request) -> Exception | None:
    lost = request.operation == "commit" and len(request.keys) > 1
    return AttemptFailedError("lost", may_be_applied=True) if lost else None


async def test_making_void_goes_on_until_storage_takes_it() -> None:
    table, failures = MemoryTable(), iter(range(5))
    away = AttemptFailedError("away", may_be_applied=True)
    table.before = lambda _: None if next(failures, None) is None else away
    voids = Voids(table, no_pause)

    voids.add("dir_1", "0" * 32)
    await voids.close()

    assert list(table.rows("dir_1")) == [keys.outbox("0" * 32)]


async def test_what_was_applied_stays_when_it_was_given_up() -> None:
    directory = FilledDirectory()
    operation_id = await tell(directory.partition)
    voids = Voids(directory.table, no_pause)

    voids.add(directory.partition.directory_id, operation_id)
    await voids.close()

    assert await relay(directory.partition) == 1


async def test_what_was_refused_and_answered_leaves_nothing_to_make_void() -> None:
    directory = FilledDirectory()
    partition = Partition(RetryingTable(directory.table, no_pause), directory.partition.directory_id, "org_1")
    await directory.put("m|1")

    with pytest.raises(RowExistsError):
        await partition.commit([insert("m|1", {}), outbox_insert(partition, begin_operation(), [], Tally())])

    assert rows_of_operations(directory) == {}

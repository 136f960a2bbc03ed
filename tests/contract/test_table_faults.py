"""What callers see when storage is slow, busy or gone, with either client, at any storage call."""

from __future__ import annotations

import time

import pytest

from scim.adapters.tables.retrying_table import MAX_RETRIES, RetryingTable
from scim.adapters.tables.table import (
    RowChangedError,
    RowExistsError,
    RowMissingError,
    StorageUnavailableError,
    Table,
    TransactionRefusedError,
    Write,
    delete,
    insert,
    merge,
    replace,
)
from scim.resources.storage_scope import storage_scope
from tests.faults import (
    Fault,
    FaultyTransport,
    answer,
    answer_after_commit,
    anything,
    drop_after_commit,
    drop_before_send,
    empty_page,
    queries,
    time_out_after_commit,
    transactions,
)

NOT_APPLIED: dict[str, Fault] = {
    "not connected": drop_before_send(),
    "throttled": answer(429),
    **{f"answered {status}": answer(status) for status in (408, 500, 502, 503, 504)},
}
ANSWER_LOST: dict[str, Fault] = {
    "dropped": drop_after_commit(),
    "timed out": time_out_after_commit(),
    **{f"answered {status}": answer_after_commit(status) for status in (408, 500, 502, 503, 504)},
}


ANY_FAILURE = NOT_APPLIED | ANSWER_LOST


@pytest.fixture
def pauses(table: RetryingTable) -> list[float]:
    """The pauses between attempts, which tests do not wait for."""
    taken: list[float] = []

    async def pause(seconds: float) -> None:
        taken.append(seconds)

    table._pause = pause
    return taken


@pytest.mark.parametrize("fault", NOT_APPLIED)
async def test_a_commit_that_did_not_arrive_is_repeated(
    table: Table, partition: str, faults: FaultyTransport, pauses: list[float], fault: str
) -> None:
    faults.when(transactions, NOT_APPLIED[fault], times=2)
    (etag,) = await table.commit(partition, [insert("row", {"n": 1})])
    row = await table.read(partition, "row")
    assert row is not None
    assert row.etag == etag
    assert (faults.count("transaction"), len(pauses)) == (3, 2)


@pytest.mark.parametrize("fault", ANY_FAILURE)
async def test_reads_are_repeated(
    table: Table, partition: str, faults: FaultyTransport, pauses: list[float], fault: str
) -> None:
    await table.commit(partition, [insert("row", {"n": 1})])
    failing = ANY_FAILURE[fault]
    for call in (
        lambda: table.read(partition, "row"),
        lambda: table.query(partition, "row", "row~"),
    ):
        faults.reset()
        faults.when(anything, failing, times=MAX_RETRIES)
        assert await call()
        assert faults.count() == 1 + MAX_RETRIES


REPEATED: dict[str, tuple[Write, type[TransactionRefusedError]]] = {
    "insert": (insert("new", {"n": 1}), RowExistsError),
    "replace": (replace("there", {"n": 2}, "current"), RowChangedError),
    "merge": (merge("there", {"n": 2}, "current"), RowChangedError),
    "delete": (delete("there", "current"), RowMissingError),
    "delete of any state": (delete("there"), RowMissingError),
}


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("fault", ANSWER_LOST)
@pytest.mark.parametrize("case", REPEATED)
async def test_a_repeated_commit_that_meets_its_own_writes_is_refused_as_uncertain(
    table: Table, partition: str, faults: FaultyTransport, case: str, fault: str
) -> None:
    (etag,) = await table.commit(partition, [insert("there", {"n": 1})])
    write, refusal = REPEATED[case]
    if write.etag == "current":
        write = Write(write.kind, write.key, write.values, etag)
    faults.when(transactions, ANSWER_LOST[fault])
    with pytest.raises(refusal) as caught:
        await table.commit(partition, [write, insert("beside", {})])
    assert (caught.value.uncertain, caught.value.index) == (True, 0)
    assert faults.count("transaction") == 3
    assert await table.read(partition, "beside") is not None


@pytest.mark.parametrize("fault", NOT_APPLIED)
async def test_a_refusal_is_certain_only_when_no_attempt_can_have_been_applied(
    table: Table, partition: str, faults: FaultyTransport, pauses: list[float], fault: str
) -> None:
    await table.commit(partition, [insert("row", {})])
    faults.when(transactions, NOT_APPLIED[fault])
    with pytest.raises(RowExistsError) as caught:
        await table.commit(partition, [insert("row", {})])
    assert caught.value.uncertain == fault.startswith("answered")


async def test_a_commit_that_can_be_repeated_succeeds_after_a_lost_answer(
    table: Table, partition: str, faults: FaultyTransport, pauses: list[float]
) -> None:
    await table.commit(partition, [insert("row", {"n": 1})])
    faults.when(transactions, drop_after_commit())
    (etag,) = await table.commit(partition, [merge("row", {"n": 2})])
    row = await table.read(partition, "row")
    assert row is not None
    assert (row.etag, dict(row.values)) == (etag, {"n": 2})


@pytest.mark.parametrize("fault", ANY_FAILURE)
async def test_after_three_retries_storage_is_unavailable(
    table: Table, partition: str, faults: FaultyTransport, pauses: list[float], fault: str
) -> None:
    faults.when(anything, ANY_FAILURE[fault], times=99)
    with pytest.raises(StorageUnavailableError) as caught:
        await table.read(partition, "row")
    assert caught.value.retry_after > 0
    assert faults.count() == 1 + MAX_RETRIES
    assert len(pauses) == MAX_RETRIES
    assert all(0 < pause <= 2 for pause in pauses)


@pytest.mark.parametrize("status", [400, 403, 405])
async def test_what_repeating_does_not_cure_is_tried_once(
    table: Table, partition: str, faults: FaultyTransport, status: int
) -> None:
    faults.when(anything, answer(status), times=99)
    with pytest.raises(StorageUnavailableError):
        await table.read(partition, "row")
    with pytest.raises(StorageUnavailableError):
        await table.query(partition, "a", "b")
    with pytest.raises(StorageUnavailableError):
        await table.commit(partition, [insert("row", {})])
    assert faults.count() == 3


async def test_a_call_is_repeated_once_when_the_proof_is_rejected(
    table: Table, partition: str, faults: FaultyTransport, pauses: list[float]
) -> None:
    for number in (1, 3, 5):
        faults.at(number, answer(401))
    assert await table.commit(partition, [insert("row", {})])
    assert (await table.read(partition, "row")) is not None
    assert (await table.query(partition, "a", "z")).rows
    assert (faults.count(), pauses) == (6, [])

    faults.when(anything, answer(401), times=99)
    with pytest.raises(StorageUnavailableError):
        await table.commit(partition, [insert("other", {})])
    assert faults.count() == 8


async def test_retry_after_is_waited_for(
    table: Table, partition: str, faults: FaultyTransport, pauses: list[float]
) -> None:
    faults.at(1, answer(503, retry_after="7"))
    faults.at(2, answer(429, retry_after="3"))
    assert await table.read(partition, "row") is None
    assert pauses == [7.0, 3.0]


async def test_retry_after_beyond_the_deadline_is_handed_on(
    table: Table, partition: str, faults: FaultyTransport, pauses: list[float]
) -> None:
    faults.when(anything, answer(503, retry_after="30"), times=99)
    with storage_scope(20.0), pytest.raises(StorageUnavailableError) as caught:
        await table.commit(partition, [insert("row", {})])
    assert caught.value.retry_after == 30
    assert (faults.count(), pauses) == (1, [])


async def test_an_unusable_retry_after_is_ignored(
    table: Table, partition: str, faults: FaultyTransport, pauses: list[float]
) -> None:
    faults.at(1, answer(503, retry_after="soon"))
    assert await table.read(partition, "row") is None
    assert pauses[0] <= 2


async def test_the_deadline_ends_the_retries(table: Table, partition: str, faults: FaultyTransport) -> None:
    faults.when(anything, answer(503), times=99)
    begun = time.monotonic()
    with storage_scope(0.3), pytest.raises(StorageUnavailableError):
        await table.read(partition, "row")
    assert time.monotonic() - begun < 0.5


async def test_an_attempt_gets_ten_seconds_or_what_is_left(
    table: Table, partition: str, faults: FaultyTransport
) -> None:
    with storage_scope(0.25):
        await table.read(partition, "row")
    with storage_scope(60):
        await table.read(partition, "row")
    assert 0 < faults.calls[0].timeout <= 0.25
    assert faults.calls[1].timeout == 10.0


async def test_no_attempt_begins_after_the_deadline(table: Table, partition: str, faults: FaultyTransport) -> None:
    with storage_scope(0.0), pytest.raises(StorageUnavailableError):
        await table.commit(partition, [insert("row", {})])
    assert faults.count() == 0


async def test_every_attempt_counts_in_the_scope(
    table: Table, partition: str, faults: FaultyTransport, pauses: list[float]
) -> None:
    faults.at(1, drop_before_send())
    faults.at(2, answer_after_commit(503))
    with storage_scope() as scope:
        await table.read(partition, "row")
    assert scope.requests == 3


async def test_an_empty_page_is_no_end(table: Table, partition: str, faults: FaultyTransport) -> None:
    keys = [f"k{number}" for number in range(6)]
    await table.commit(partition, [insert(key, {}) for key in keys])
    faults.when(queries, empty_page(), times=2)
    page = await table.query(partition, "k", "l", limit=4)
    found, empty = [row.key for row in page.rows], not page.rows
    while page.continuation:
        page = await table.query(partition, "k", "l", limit=4, continuation=page.continuation)
        found += [row.key for row in page.rows]
    assert empty
    assert found == keys
    assert faults.count("query") == 4

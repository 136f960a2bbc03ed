"""What every table client promises, checked for the slim client and the SDK's against Azurite."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum, StrEnum

import pytest

from scim.adapters.tables.table import (
    Int64,
    Row,
    RowChangedError,
    RowExistsError,
    RowMissingError,
    Table,
    TransactionRefusedError,
    TransactionTooLargeError,
    Value,
    Write,
    delete,
    insert,
    merge,
    replace,
)
from scim.resources.storage_scope import storage_scope
from tests.faults import FaultyTransport

VALUES: dict[str, Value] = {
    "text": "plain",
    "emoji": "Zoë 👩‍🚀 💚",
    "quotes": 'it\'s "quoted" \\ and {braced}',
    "lines": "a\r\n\r\nb\tc\u2028d\u2029e\x01",
    "boundary": '\r\n--changeset_x--\r\nHTTP/1.1 500 no\r\nETag: W/"x"',
    "empty": "",
    "number": 42,
    "least": -(2**31),
    "large": Int64(2**63 - 1),
    "small_but_large": Int64(7),
    "real": 1.5,
    "whole": 3.0,
    "boundless": float("-inf"),
    "yes": True,
    "no": False,
    "moment": datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC),
    "second": datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
    "binary": bytes(range(256)),
    "nothing": b"",
}
KEYS = ("u|usr_1", "it's", "a,b", "a b", "plus+and&equals=", "100%25", "Zoë", "👩‍🚀", "e!c", "~.:;@()$*[]")


OLD_ETAG = "W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\""


async def row_of(table: Table, partition: str, key: str) -> Row:
    row = await table.read(partition, key)
    assert row is not None
    return row


async def seed(table: Table, partition: str, *keys: str) -> None:
    await table.commit(partition, [insert(key, {"name": key, "number": number}) for number, key in enumerate(keys)])


async def keys_in(table: Table, partition: str) -> list[str]:
    return [row.key for row in (await table.query(partition, "", "\uffff")).rows]


async def test_every_type_comes_back_as_it_was_written(table: Table, partition: str) -> None:
    await table.commit(partition, [insert("row", VALUES)])
    row = await row_of(table, partition, "row")
    assert dict(row.values) == VALUES
    assert {name: type(value) for name, value in row.values.items()} == {
        name: type(value) for name, value in VALUES.items()
    }


async def test_nan_enumerations_and_other_time_zones_are_stored_as_plain_values(table: Table, partition: str) -> None:
    word = StrEnum("word", {"HELLO": "hello"}).HELLO  # type: ignore[attr-defined]
    number = IntEnum("number", {"SEVEN": 7}).SEVEN  # type: ignore[attr-defined]
    moment = datetime(2024, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    await table.commit(partition, [insert("row", {"w": word, "n": number, "m": moment, "nan": float("nan")})])
    values = (await row_of(table, partition, "row")).values
    assert (values["w"], values["n"]) == ("hello", 7)
    assert values["m"] == datetime(2023, 12, 31, 23, tzinfo=UTC)
    assert str(values["nan"]) == "nan"


async def test_queries_return_the_same_types(table: Table, partition: str) -> None:
    await table.commit(partition, [insert("row", VALUES)])
    (row,) = (await table.query(partition, "row", "row~")).rows
    assert dict(row.values) == VALUES
    assert row == await row_of(table, partition, "row")


async def test_a_row_has_etag_and_timestamp(table: Table, partition: str) -> None:
    (etag,) = await table.commit(partition, [insert("row", {})])
    row = await row_of(table, partition, "row")
    assert row.etag == etag
    assert datetime.fromisoformat(row.timestamp).utcoffset() == timedelta(0)
    assert dict(row.values) == {}


@pytest.mark.parametrize("key", KEYS)
async def test_keys_of_any_permitted_spelling(table: Table, partition: str, key: str) -> None:
    await table.commit(partition, [insert(key, {"n": 1}), insert("other", {})])
    await table.commit(partition, [merge(key, {"m": 2})])
    row = await row_of(table, partition, key)
    assert row.key == key
    assert dict(row.values) == {"n": 1, "m": 2}
    assert [found.key for found in (await table.query(partition, key, key + "!")).rows] == [key]
    await table.commit(partition, [replace(key, {"r": 3}, row.etag)])
    assert dict((await row_of(table, partition, key)).values) == {"r": 3}
    await table.commit(partition, [delete(key)])
    assert await keys_in(table, partition) == ["other"]


async def test_keys_differ_by_letter_case(table: Table, partition: str) -> None:
    await seed(table, partition, "key")
    assert await table.read(partition, "KEY") is None
    assert await table.read(partition.upper(), "key") is None


@pytest.mark.parametrize("key", ["a/b", "a\\b", "a#b", "a?b", "a\nb", "a\x7fb", "k" * 513, "\ud800"])
async def test_a_key_that_cannot_exist_is_read_as_missing_without_a_request(
    table: Table, partition: str, key: str, faults: FaultyTransport
) -> None:
    assert await table.read(partition, key) is None
    assert await table.read(key, "row") is None
    assert faults.count() == 0


async def test_a_range_has_its_start_and_not_its_end(table: Table, partition: str) -> None:
    await seed(table, partition, "a", "b", "b|1", "c")
    assert [row.key for row in (await table.query(partition, "b", "c")).rows] == ["b", "b|1"]
    assert (await table.query(partition, "b", "b")).rows == []
    assert (await table.query(partition, "x", "z")).rows == []
    assert (await table.query(partition, "c", "a")).rows == []


async def test_pages_follow_each_other_in_key_order(table: Table, partition: str) -> None:
    keys = [f"k{number:02}" for number in range(25)]
    await seed(table, partition, *reversed(keys), "z")
    found, continuation, pages = [], None, 0
    while pages == 0 or continuation:
        page = await table.query(partition, "k", "l", limit=10, continuation=continuation)
        found += [row.key for row in page.rows]
        continuation, pages = page.continuation, pages + 1
    assert found == keys
    assert pages == 3


async def test_a_selection_returns_only_what_it_names(table: Table, partition: str) -> None:
    await table.commit(partition, [insert("row", VALUES)])
    whole = await row_of(table, partition, "row")
    wanted: dict[str, Value] = {"large": Int64(2**63 - 1), "text": "plain"}
    part = await table.read(partition, "row", select=("text", "large", "absent"))
    assert part == Row("row", whole.etag, wanted)
    assert (await table.query(partition, "row", "row~", select=("text", "large"))).rows == [part]
    stamped = await table.read(partition, "row", select=("Timestamp",))
    assert stamped == Row("row", whole.etag, {}, whole.timestamp)


async def test_merge_keeps_and_replace_drops_other_properties(table: Table, partition: str) -> None:
    await table.commit(partition, [insert("m", {"a": 1, "b": 2}), insert("r", {"a": 1, "b": 2})])
    await table.commit(partition, [merge("m", {"b": 3}), replace("r", {"b": 3}, "*")])
    assert dict((await row_of(table, partition, "m")).values) == {"a": 1, "b": 3}
    assert dict((await row_of(table, partition, "r")).values) == {"b": 3}


async def test_commit_returns_etags_in_order_and_none_for_a_delete(table: Table, partition: str) -> None:
    await seed(table, partition, "a", "b", "c")
    etags = await table.commit(partition, [merge("a", {}), delete("b"), replace("c", {}, "*"), insert("d", {})])
    assert etags[1] == ""
    for key, etag in zip("acd", (etags[0], etags[2], etags[3]), strict=True):
        assert (await row_of(table, partition, key)).etag == etag


async def test_a_hundred_writes_are_one_transaction(table: Table, partition: str) -> None:
    etags = await table.commit(partition, [insert(f"k{number:03}", {"n": number}) for number in range(100)])
    assert len(etags) == 100
    assert len(set(etags)) > 1
    assert len(await keys_in(table, partition)) == 100


REFUSALS: dict[str, tuple[Write, type[TransactionRefusedError]]] = {
    "insert of an existing row": (insert("there", {}), RowExistsError),
    "merge of a missing row": (merge("missing", {"x": 1}), RowMissingError),
    "replace of a missing row": (replace("missing", {"x": 1}, "*"), RowMissingError),
    "delete of a missing row": (delete("missing"), RowMissingError),
    "merge of a changed row": (
        merge("there", {"x": 1}, OLD_ETAG),
        RowChangedError,
    ),
    "replace of a changed row": (
        replace("there", {}, OLD_ETAG),
        RowChangedError,
    ),
    "delete of a changed row": (delete("there", OLD_ETAG), RowChangedError),
}


@pytest.mark.parametrize("index", [0, 3])
@pytest.mark.parametrize("case", REFUSALS)
async def test_a_refusal_names_the_write_and_undoes_the_others(
    table: Table, partition: str, case: str, index: int
) -> None:
    await table.commit(partition, [insert("there", {"n": 1}), insert("kept", {"n": 1}), insert("gone", {"n": 1})])
    before = (await table.query(partition, "", "\uffff")).rows
    refused, error = REFUSALS[case]
    others = [insert("new", {}), merge("kept", {"n": 2}), delete("gone")]
    writes = [*others[:index], refused, *others[index:]]
    with pytest.raises(error) as caught:
        await table.commit(partition, writes)
    assert caught.value.index == index
    assert not caught.value.uncertain
    assert (await table.query(partition, "", "\uffff")).rows == before


async def test_the_first_of_several_refused_writes_is_named(table: Table, partition: str) -> None:
    await seed(table, partition, "a")
    with pytest.raises(RowExistsError) as caught:
        await table.commit(partition, [insert("b", {}), insert("a", {}), delete("missing")])
    assert caught.value.index == 1


async def test_an_etag_serves_once(table: Table, partition: str) -> None:
    await seed(table, partition, "a")
    etag = (await row_of(table, partition, "a")).etag
    (newer,) = await table.commit(partition, [replace("a", {"n": 1}, etag)])
    with pytest.raises(RowChangedError):
        await table.commit(partition, [replace("a", {"n": 2}, etag)])
    await table.commit(partition, [delete("a", newer)])


async def test_of_concurrent_inserts_one_wins(table: Table, partition: str) -> None:
    claims = [
        table.commit(partition, [insert("name", {"n": number}), insert(f"row{number}", {})]) for number in range(20)
    ]
    outcomes = await asyncio.gather(*claims, return_exceptions=True)
    lost = [outcome for outcome in outcomes if isinstance(outcome, RowExistsError)]
    assert (len(lost), {error.index for error in lost}) == (19, {0})
    assert len(await keys_in(table, partition)) == 2


async def test_a_broken_limit_is_named_before_anything_is_sent(
    table: Table, partition: str, faults: FaultyTransport
) -> None:
    for writes, limit in (
        ([], "1 to 100"),
        ([insert(str(number), {}) for number in range(101)], "1 to 100"),
        ([insert("a", {}), delete("a")], "one write for each key"),
        ([insert("a", {"t": "x" * 32_769})], "32768"),
        ([insert(str(n), {f"p{m}": "é" * 32_768 for m in range(2)}) for n in range(36)], "4128768 bytes"),
    ):
        with pytest.raises(TransactionTooLargeError, match=limit):
            await table.commit(partition, writes)
    assert faults.count() == 0


async def test_each_call_is_one_storage_request(table: Table, partition: str) -> None:
    with storage_scope() as scope:
        await seed(table, partition, "a", "b")
        assert scope.requests == 1
        await table.read(partition, "a")
        await table.read(partition, "missing")
        assert scope.requests == 3
        await table.query(partition, "a", "c")
        assert scope.requests == 4

"""Every limit of Table Storage is found before anything is sent, and named."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scim.adapters.tables.limits import check_payload, check_transaction, is_possible_key, row_size
from scim.adapters.tables.table import (
    MAX_TRANSACTION_BYTES,
    Int64,
    TransactionTooLargeError,
    Value,
    Write,
    delete,
    insert,
    merge,
    replace,
)

EMOJI = "👍"
UTC_NOW = datetime.now(UTC)
WITHIN: list[dict[str, Value]] = [
    {"t": "x" * 32_768},
    {"t": EMOJI * 16_384},
    {"b": b"x" * 65_536},
    {"n": 2**31 - 1, "m": -(2**31)},
    {"n": Int64(2**63 - 1), "m": Int64(-(2**63))},
    {f"p{number}": number for number in range(252)},
    {"n" * 255: 1, "_x9": 2},
    {f"t{number}": "x" * 32_000 for number in range(16)},
    {"d": datetime(1601, 1, 1, tzinfo=UTC)},
]
BEYOND: list[tuple[dict[str, Value], str]] = [
    ({"t": "x" * 32_769}, "32768 UTF-16 units; t has 32769"),
    ({"t": EMOJI * 16_385}, "32768 UTF-16 units"),
    ({"t": "a\ud800b"}, "lone surrogates"),
    ({"b": b"x" * 65_537}, "65536 bytes; b has 65537"),
    ({"n": 2**31}, "32-bit integer"),
    ({"n": -(2**31) - 1}, "32-bit integer"),
    ({"n": Int64(2**63)}, "64-bit integer"),
    ({f"p{number}": number for number in range(253)}, "252 properties"),
    ({f"t{number}": "x" * 32_768 for number in range(16)}, "1048576 bytes"),
    ({"n" * 256: 1}, "property name"),
    ({"a-b": 1}, "property name"),
    ({"a b": 1}, "property name"),
    ({"1a": 1}, "property name"),
    ({"é": 1}, "property name"),
    ({"": 1}, "property name"),
    ({"x@odata.type": "Edm.Int64"}, "property name"),
    ({"RowKey": "x"}, "property name"),
    ({"Timestamp": "x"}, "property name"),
    ({"d": datetime(2024, 1, 1)}, "time zone"),  # noqa: DTZ001 - the point
    ({"d": datetime(1600, 1, 1, tzinfo=UTC)}, "1601"),
]


@pytest.mark.parametrize("values", WITHIN)
def test_rows_up_to_each_limit_pass(values: dict[str, Value]) -> None:
    check_transaction("p", [insert("k", values)])
    check_transaction("p", [merge("k", values)])


@pytest.mark.parametrize(("values", "named"), BEYOND)
def test_rows_beyond_a_limit_are_refused_by_its_name(values: dict[str, Value], named: str) -> None:
    for write in (insert("k", values), merge("k", values), replace("k", values, "*")):
        with pytest.raises(TransactionTooLargeError, match=named):
            check_transaction("p", [insert("other", {}), write])


@pytest.mark.parametrize("count", [0, 101])
def test_a_transaction_has_one_to_a_hundred_writes(count: int) -> None:
    with pytest.raises(TransactionTooLargeError, match=f"1 to 100 writes, not {count}"):
        check_transaction("p", [insert(str(number), {}) for number in range(count)])
    check_transaction("p", [insert(str(number), {}) for number in range(100)])


def test_a_key_is_written_once() -> None:
    with pytest.raises(TransactionTooLargeError, match="one write for each key"):
        check_transaction("p", [delete("a"), insert("b", {}), insert("a", {})])
    check_transaction("p", [delete("a"), insert("A", {})])


@pytest.mark.parametrize("etag", ["", "x", "W/", '"strong"', 'W/"x"\r\nIf-Match: *', 'W/"a"b"', "**"])
@pytest.mark.parametrize("kind", ["merge", "replace", "delete"])
def test_a_write_without_a_usable_condition_is_refused(kind: str, etag: str) -> None:
    with pytest.raises(TransactionTooLargeError, match="needs an ETag"):
        check_transaction("p", [Write(kind, "k", {}, etag)])  # type: ignore[arg-type]


@pytest.mark.parametrize("character", [*"/\\#?\x00\x1f\x7f\x80\x9f\t\n\r", "\ud800"])
def test_forbidden_characters_of_keys(character: str) -> None:
    assert not is_possible_key(f"a{character}b")
    for partition, key in ((f"p{character}", "k"), ("p", f"k{character}")):
        with pytest.raises(TransactionTooLargeError, match="key has"):
            check_transaction(partition, [insert(key, {})])


def test_keys_have_at_most_512_utf16_units() -> None:
    assert is_possible_key("k" * 512)
    assert not is_possible_key("k" * 513)
    assert is_possible_key(EMOJI * 256)
    assert not is_possible_key(EMOJI * 257)
    assert is_possible_key("")


@pytest.mark.parametrize("key", ["a|b", "it's", "a,b", "a b", "%", "é", EMOJI, "\xa0", "~.:;@()$*[]{}"])
def test_other_characters_are_permitted(key: str) -> None:
    assert is_possible_key(key)


def test_the_payload_has_less_than_four_mebibytes() -> None:
    check_payload(MAX_TRANSACTION_BYTES)
    with pytest.raises(TransactionTooLargeError, match=str(MAX_TRANSACTION_BYTES)):
        check_payload(MAX_TRANSACTION_BYTES + 1)
    assert MAX_TRANSACTION_BYTES < 4 * 1024 * 1024


def test_the_size_of_a_row_is_what_the_service_counts() -> None:
    assert row_size("pp", "kkk", {}) == 4 + 2 * 5
    values: dict[str, Value] = {"t": "ab", "n": 1, "l": Int64(1), "f": 1.0, "y": True, "b": b"abc", "d": UTC_NOW}
    assert row_size("", "", values) == 4 + 7 * (8 + 2) + 8 + 4 + 8 + 8 + 1 + 7 + 8

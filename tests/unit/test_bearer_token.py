"""Bearer tokens: their format, what is kept of them, and what is wrong with one that fails."""

from __future__ import annotations

import hmac
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim.directories.bearer_token import (
    PresentedToken,
    TokenMistake,
    TokenRecord,
    digest,
    explain,
    fingerprint,
    matches,
    new_token,
    record_of,
)

DIRECTORY = "dir_" + "0192f0c1" * 4
OTHER = "dir_" + "a" * 32
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=7)


def mistake(authorization: str | None, *records: TokenRecord, at: datetime = NOW) -> TokenMistake:
    return explain(PresentedToken.read(authorization, DIRECTORY), records, at)


def active(token: str) -> TokenRecord:
    return replace(record_of(token, NOW), state="active", version="v1")


@given(st.binary(min_size=32, max_size=32))
def test_a_token_has_the_format_that_secret_scanners_look_for(random: bytes) -> None:
    token = new_token(DIRECTORY, lambda _: random)
    assert re.fullmatch(r"scimdt_[0-9a-f]{32}_[0-9A-Za-z]{49}", token)
    assert token.startswith(f"scimdt_{DIRECTORY[4:]}_")


def test_all_256_bits_reach_the_token() -> None:
    tokens = {new_token(DIRECTORY, lambda _, bit=bit: (1 << bit).to_bytes(32))[:-6] for bit in range(256)}  # type: ignore[misc]
    assert len(tokens) == 256
    assert len(new_token(DIRECTORY, lambda _: b"\xff" * 32)) == len(new_token(DIRECTORY, lambda _: b"\0" * 32))


def test_the_last_six_characters_are_the_checksum_of_all_before() -> None:
    token = new_token(DIRECTORY)
    number = 0
    for character in token[-6:]:
        number = number * 62 + "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".index(character)
    assert number == zlib.crc32(token[:-6].encode())


def test_tokens_differ() -> None:
    assert len({new_token(DIRECTORY) for _ in range(100)}) == 100


def test_a_record_keeps_digest_prefix_and_last_four_and_nothing_else_of_the_value() -> None:
    token = new_token(DIRECTORY)
    record = record_of(token, NOW)
    assert record.fingerprint == sha256(token.encode()).hexdigest()[:16]
    assert record.last_four == token[-4:]
    assert token[:-4] not in repr(record)
    assert record.state == "creating"


def test_a_record_survives_its_json_form() -> None:
    record = replace(active(new_token(DIRECTORY)), ends_at=LATER, expires_at=LATER + timedelta(microseconds=1))
    assert TokenRecord.from_json(record.to_json()) == record
    assert TokenRecord.from_json(active("x").to_json()) == active("x")


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        (lambda record: record, True),
        (lambda record: replace(record, state="creating"), False),
        (lambda record: replace(record, state="ended"), False),
        (lambda record: replace(record, ends_at=NOW + timedelta(microseconds=1)), True),
        (lambda record: replace(record, ends_at=NOW), False),
        (lambda record: replace(record, expires_at=NOW + timedelta(microseconds=1)), True),
        (lambda record: replace(record, expires_at=NOW), False),
        (lambda record: replace(record, ends_at=LATER, expires_at=NOW), False),
    ],
)
def test_a_token_is_valid_while_active_and_before_its_end_and_expiry(
    change: Callable[[TokenRecord], TokenRecord], valid: bool
) -> None:
    assert change(active("x")).is_valid(NOW) is valid


def test_a_digest_matches_itself_and_its_fingerprint_and_no_shorter_beginning() -> None:
    own = digest("x")
    assert matches(own, own)
    assert matches(own, bytes.fromhex(fingerprint(own)))
    assert not matches(own, digest("y"))
    assert not matches(own, own[:7])
    assert not matches(own, b"")


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (None, TokenMistake.MISSING),
        ("", TokenMistake.EMPTY),
        ("   ", TokenMistake.EMPTY),
        ("Bearer", TokenMistake.EMPTY),
        ("Bearer   ", TokenMistake.EMPTY),
        ("Basic dXNlcjpwYXNz", TokenMistake.NOT_BEARER),
        ("Bearer hunter2", TokenMistake.NOT_OUR_FORMAT),
        ("Bearer 'quoted'", TokenMistake.NOT_OUR_FORMAT),
        ("Bearer " + "x" * 5000, TokenMistake.NOT_OUR_FORMAT),
        ("Bearer Zoë\ud83d", TokenMistake.NOT_OUR_FORMAT),
    ],
)
def test_what_is_no_token_of_ours_is_told_apart(authorization: str | None, expected: TokenMistake) -> None:
    assert mistake(authorization) is expected


def test_mistakes_with_a_token_of_ours_are_told_apart() -> None:
    token = new_token(DIRECTORY)
    assert mistake(f"Bearer {token}") is TokenMistake.UNRECOGNISED
    assert mistake(token) is TokenMistake.NOT_BEARER
    assert mistake(f"Bearer Bearer {token}") is TokenMistake.BEARER_TWICE
    assert mistake(f"bearer bearer {token}") is TokenMistake.BEARER_TWICE
    assert mistake(f"Bearer {new_token(OTHER)}") is TokenMistake.ANOTHER_DIRECTORY


@given(st.integers(min_value=8, max_value=88))
def test_a_token_cut_off_anywhere_is_recognised_as_cut_off(length: int) -> None:
    assert mistake(f"Bearer {new_token(DIRECTORY)[:length]}") is TokenMistake.CUT_OFF


def test_an_altered_character_is_recognised() -> None:
    token = new_token(DIRECTORY)
    altered = token[:50] + ("a" if token[50] != "a" else "b") + token[51:]
    assert mistake(f"Bearer {altered}") is TokenMistake.CUT_OFF


@pytest.mark.parametrize("authorization", ["Bearer {}", "bearer {}", "BEARER   {}  ", "Bearer\t{}"])
def test_the_scheme_is_read_without_regard_to_case_and_spaces(authorization: str) -> None:
    token = new_token(DIRECTORY)
    assert PresentedToken.read(authorization.format(token), DIRECTORY).digest == digest(token)


def test_what_the_directory_remembers_of_a_token_says_most() -> None:
    record, header = active("an operator's token"), "Bearer an operator's token"
    assert mistake(header, replace(record, state="ended")) is TokenMistake.ENDED
    assert mistake(header, replace(record, ends_at=NOW)) is TokenMistake.ENDED
    assert mistake(header, replace(record, expires_at=NOW)) is TokenMistake.EXPIRED
    assert mistake(header, record) is TokenMistake.DISABLED_SECRET
    assert mistake(header, replace(record, state="creating")) is TokenMistake.NOT_OUR_FORMAT
    assert mistake("Bearer another", record) is TokenMistake.NOT_OUR_FORMAT


def test_the_presented_value_is_not_kept() -> None:
    token = new_token(DIRECTORY)
    presented = PresentedToken.read(f"Bearer Bearer {token}", DIRECTORY)
    assert token not in repr(presented)
    assert set(PresentedToken.__slots__) == {"digest", "mistake"}


def test_comparison_goes_through_the_constant_time_function(monkeypatch: pytest.MonkeyPatch) -> None:
    compare = Mock(return_value=True)
    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert matches(digest("x"), digest("y"))
    compare.assert_called_once_with(digest("x"), digest("y"))

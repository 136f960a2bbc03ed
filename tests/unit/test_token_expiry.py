"""When it is told that a token expires soon."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from scim.directories.bearer_token import TokenRecord
from scim.directories.token_expiry import WARNING_DAYS, due_warning, marks_of_warning

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def token(left: timedelta | None, *told: int) -> TokenRecord:
    expires_at = NOW + left if left is not None else None
    marks = tuple(f"expiring-{days}" for days in told)
    return TokenRecord("v1", "active", NOW, "abcd", "0" * 16, expires_at=expires_at, told=marks)


@pytest.mark.parametrize(
    ("left", "due"),
    [
        (None, None),
        (timedelta(days=30) + SECOND, None),
        (timedelta(days=30), 30),
        (timedelta(days=7) + SECOND, 30),
        (timedelta(days=7), 7),
        (timedelta(days=1) + SECOND, 7),
        (timedelta(days=1), 1),
        (SECOND, 1),
        (-SECOND, None),
    ],
)
def test_the_most_urgent_warning_is_due(left: timedelta | None, due: int | None) -> None:
    assert due_warning(token(left), NOW) == due


def test_what_was_told_is_not_due_again() -> None:
    for days in WARNING_DAYS:
        left = timedelta(days=days)
        assert due_warning(token(left), NOW) == days
        assert due_warning(replace(token(left), told=marks_of_warning(days)), NOW) is None


def test_telling_an_urgent_warning_settles_those_before_it() -> None:
    assert marks_of_warning(30) == ("expiring-30",)
    assert marks_of_warning(7) == ("expiring-30", "expiring-7")
    assert marks_of_warning(1) == ("expiring-30", "expiring-7", "expiring-1")


def test_a_token_that_is_replaced_or_ended_is_not_spoken_of() -> None:
    expiring = token(timedelta(days=5))
    assert due_warning(replace(expiring, ends_at=NOW + timedelta(days=3)), NOW) is None
    assert due_warning(replace(expiring, state="ended", ends_at=NOW), NOW) is None
    assert due_warning(replace(expiring, state="creating"), NOW) is None

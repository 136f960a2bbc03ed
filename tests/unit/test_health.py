"""How a directory stands: the first state that fits, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scim.directories.activity import DirectoryActivity, LastTimes, Load, Seen, Signal, second_cycle, window_of
from scim.directories.directory import Directory
from scim.directories.health import Standing
from scim.directories.token import Token

NOW = datetime(2026, 1, 31, 12, 34, tzinfo=UTC)
DIRECTORY = Directory("dir_" + "0" * 32, "org_" + "0" * 32, "entra_id", "Entra", "active", NOW, NOW)


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


def load(requests: int, failures: int, moment: datetime = NOW) -> Load:
    return Load(window_of(moment), moment, moment, requests, failures)


def token(state: Any = "current", **changed: Any) -> Token:
    return replace(Token("1", state, NOW, None, None, None, "abcd", None), **changed)


HEALTHY = Standing(
    DIRECTORY,
    DirectoryActivity([load(100, 3)], LastTimes(ago(minutes=1), ago(minutes=1))),
    [token()],
    users=3,
    active_users=2,
    groups=0,
    waiting_since=None,
)


def standing(*, last: LastTimes | None = None, loads: list[Load] | None = None, **changed: Any) -> Standing:
    known = HEALTHY.activity
    return replace(HEALTHY, activity=replace(known, last=last or known.last, loads=loads or known.loads), **changed)


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (standing(), "healthy"),
        (standing(directory=replace(DIRECTORY, status="disabled"), waiting_since=ago(hours=1)), "disabled"),
        (standing(loads=[load(10, 5), load(15, 5)]), "failing"),
        (standing(loads=[load(10, 5), load(16, 5)]), "healthy"),
        (standing(loads=[load(9, 9)]), "healthy"),
        (standing(loads=[load(20, 20, ago(minutes=61))]), "healthy"),
        (standing(last=LastTimes(ago(days=2), ago(days=2), old_token=ago(days=1))), "failing"),
        (standing(last=LastTimes(ago(days=2), None, old_token=ago(days=3))), "failing"),
        (standing(last=LastTimes(ago(hours=1), ago(hours=1), old_token=ago(hours=2))), "healthy"),
        (standing(waiting_since=ago(minutes=16)), "failing"),
        (standing(waiting_since=ago(minutes=14)), "healthy"),
        (standing(tokens=[token("ended")]), "failing"),
        (standing(tokens=[], users=0), "failing"),
        (standing(tokens=[token("pending"), token("ended")]), "healthy"),
        (standing(tokens=[token("previous"), token("ended")]), "healthy"),
        (standing(tokens=[token(expires_at=ago(days=-29))]), "token_expiring"),
        (standing(tokens=[token(expires_at=ago(days=-31))]), "healthy"),
        (standing(tokens=[token("previous", ends_at=ago(days=-2), last_used=ago(hours=3))]), "token_expiring"),
        (standing(tokens=[token("previous", ends_at=ago(days=-2), last_used=ago(hours=25))]), "healthy"),
        (standing(tokens=[token("previous", ends_at=ago(days=-4), last_used=ago(hours=3))]), "healthy"),
        (standing(users=0), "waiting"),
        (standing(users=0, last=LastTimes()), "waiting"),
        (standing(last=LastTimes(ago(hours=25), ago(hours=25))), "quiet"),
        (standing(last=LastTimes()), "healthy"),
    ],
)
def test_the_first_state_that_fits_is_the_health(given: Standing, state: str) -> None:
    health = given.health(NOW)

    assert health.state == state
    assert health.reason.endswith(".")


def test_reasons_have_the_figures() -> None:
    assert standing(loads=[load(30, 12)]).health(NOW).reason == "12 of 30 requests of the last hour failed."
    assert "29 days" in standing(tokens=[token(expires_at=ago(days=-29, hours=-1))]).health(NOW).reason
    assert "5 hours" in standing(tokens=[token(expires_at=ago(hours=-5.5))]).health(NOW).reason
    assert "2 days" in standing(last=LastTimes(ago(days=2), ago(days=2))).health(NOW).reason


def test_a_directory_whose_users_were_all_deleted_does_not_wait() -> None:
    seen = replace(HEALTHY.activity, seen={"user_created": Seen(ago(days=3))})

    assert replace(HEALTHY, users=0, activity=seen).health(NOW).state == "healthy"


def test_a_directory_whose_first_users_have_just_arrived_is_healthy() -> None:
    tested = LastTimes(ago(days=2), ago(days=2))
    signals: dict[Signal, Seen] = {"authenticated": Seen(ago(days=2)), "user_created": Seen(ago(seconds=1))}

    assert standing(last=tested).health(NOW).state == "quiet"
    assert replace(HEALTHY, activity=DirectoryActivity((), tested, signals)).health(NOW).state == "healthy"


@pytest.mark.parametrize(
    ("minutes", "cycle"),
    [
        ([], None),
        ([0], None),
        ([0, 40], 40),
        ([0, 4, 8, 40, 44], 40),
        ([0, 29], None),
        ([0, 51], None),
        ([0, 10, 45], 45),
        ([0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40], None),
        ([0, 20, 40], 40),
    ],
)
def test_a_cycle_is_a_burst_30_to_50_minutes_behind_another(minutes: list[int], cycle: int | None) -> None:
    begin = datetime(2026, 1, 31, 9, 7, tzinfo=UTC)
    loads = [load(5, 0, begin + timedelta(minutes=minute)) for minute in minutes]

    found = second_cycle(reversed(loads))

    assert found == (None if cycle is None else begin + timedelta(minutes=cycle))

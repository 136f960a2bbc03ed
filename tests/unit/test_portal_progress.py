"""Why a step of the setup waits, in words; and which problems a success has settled."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from scim.directories.activity import DirectoryActivity, Seen, Signal
from scim.portal.guide import guide
from scim.portal.newest_problems import shown_problems
from scim.portal.progress import progress_of
from scim.resources.provisioning_log import Finding, ProvisioningLogEntry

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
CAME: Mapping[Signal, Seen] = {"authenticated": Seen(NOW - timedelta(minutes=12))}
USER: Mapping[Signal, Seen] = {**CAME, "user_created": Seen(NOW - timedelta(hours=2), "usr_1")}


@pytest.mark.parametrize(
    ("seen", "step", "said"),
    [
        (CAME, "connection_tested", "accepted 12 minutes ago, and the connection was not tested yet"),
        (CAME, "user_created", "accepted 12 minutes ago, and no user has come yet"),
        (USER, "user_email", "Users arrive without an e-mail: this mapping is missing"),
        (USER, "group_created", "The first user came 2 hours ago, and no group yet"),
    ],
)
def test_a_step_that_waits_says_what_came_so_far_and_what_to_do(
    seen: Mapping[Signal, Seen], step: Signal, said: str
) -> None:
    provider = guide().of("entra_id")
    waiting = {tick.guide.id: tick for tick in progress_of(provider, DirectoryActivity(seen=seen), NOW).ticks}
    unseen = {tick.guide.id: tick for tick in progress_of(provider, DirectoryActivity(), NOW).ticks}

    assert said in waiting[step].reason
    assert waiting[step].guide.waiting
    assert unseen[step].reason == ""


@pytest.mark.parametrize(
    ("cause", "after", "settled"),
    [
        ("token_bearer_twice", 1, True),
        ("token_bearer_twice", -1, False),
        ("token_bearer_twice", 0, False),
        ("user_name_taken", 1, False),
    ],
)
def test_a_later_success_settles_what_was_wrong_with_a_token_and_nothing_else(
    cause: str, after: int, *, settled: bool
) -> None:
    entry = ProvisioningLogEntry(Finding(cause), "GET", "search", "User", 401, "", NOW - timedelta(minutes=9), NOW)

    (shown,) = shown_problems([entry], NOW + timedelta(seconds=after))
    (unknown,) = shown_problems([entry], None)

    assert shown.is_settled == settled
    assert not unknown.is_settled

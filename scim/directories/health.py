"""How a directory stands, in one word and one sentence. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from scim.directories.activity import LOOK_BACK, DirectoryActivity
from scim.directories.directory import Directory
from scim.directories.token import Token

HealthState = Literal["disabled", "failing", "token_expiring", "waiting", "quiet", "healthy"]

MIN_FAILURES, FAILURE_PERCENT = 10, 40
LONGEST_WAIT = timedelta(minutes=15)
"""What the background has not done within this time is stuck."""
EXPIRY_NOTICE, OVERLAP_NOTICE = timedelta(days=30), timedelta(days=3)
RECENT_USE = timedelta(hours=24)
QUIET_AFTER = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Health:
    """How a directory stands, and why."""

    state: HealthState
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """All that a directory's health follows from."""

    directory: Directory
    activity: DirectoryActivity
    tokens: Sequence[Token]
    users: int
    active_users: int
    groups: int
    waiting_since: datetime | None
    """Since when the oldest work of the background waits; None when none does."""

    def health(self, now: datetime) -> Health:
        """Return how the directory stands: the first state that fits, the worst first."""
        return (
            self._disabled() or self._failing(now) or self._token_expiring(now) or self._waiting() or self._quiet(now)
        ) or Health("healthy", "Requests arrive and succeed.")

    def _disabled(self) -> Health | None:
        if self.directory.status == "active":
            return None
        if self.directory.status == "deleting":
            return Health("disabled", "The directory is being deleted: no request is let in.")
        return Health("disabled", "The directory is disabled: no request is let in until the application enables it.")

    def _failing(self, now: datetime) -> Health | None:
        last = self.activity.last
        if all(token.state == "ended" for token in self.tokens):
            return Health("failing", "No token is valid: no request is let in until a new one is made and entered.")
        if last.old_token is not None and (last.success is None or last.old_token > last.success):
            return Health("failing", "The identity provider still sends a token that was replaced, revoked or expired.")
        loads = [load for load in self.activity.loads if load.last > now - LOOK_BACK]
        failures, requests = sum(load.failures for load in loads), sum(load.requests for load in loads)
        if failures >= MIN_FAILURES and failures * 100 >= requests * FAILURE_PERCENT:
            return Health("failing", f"{failures} of {requests} requests of the last hour failed.")
        if self.waiting_since is not None and now - self.waiting_since > LONGEST_WAIT:
            minutes = int((now - self.waiting_since).total_seconds() // 60)
            return Health("failing", f"Changes have been waiting for {minutes} minutes to be processed on our side.")
        return None

    def _token_expiring(self, now: datetime) -> Health | None:
        for token in self.tokens:
            if token.state == "current" and token.expires_at is not None and token.expires_at - now <= EXPIRY_NOTICE:
                return Health("token_expiring", f"The token expires in {_days(token.expires_at - now)}.")
            ending = token.state == "previous" and token.ends_at is not None and token.ends_at - now <= OVERLAP_NOTICE
            if ending and token.ends_at and token.last_used and now - token.last_used <= RECENT_USE:
                left = _days(token.ends_at - now)
                return Health("token_expiring", f"The previous token is still in use, and ends in {left}.")
        return None

    def _waiting(self) -> Health | None:
        if self.users or "user_created" in self.activity.seen:
            return None
        if self.activity.last.request is None:
            return Health("waiting", "No request has arrived yet.")
        return Health("waiting", "The credentials are accepted, and no user has arrived yet.")

    def _quiet(self, now: datetime) -> Health | None:
        """Users are counted as they arrive, before it is stored that requests do: nothing known means just now."""
        known = [each.time for each in self.activity.seen.values()]
        last = max(filter(None, (*known, self.activity.last.request)), default=now)
        if now - last <= QUIET_AFTER:
            return None
        return Health("quiet", f"No request has arrived for {_days(now - last)}; without changes that is normal.")


def _days(time: timedelta) -> str:
    days, hours = time.days, int(time.total_seconds() // 3600)
    if days >= 1:
        return f"{days} day{'s' if days > 1 else ''}"
    return "less than an hour" if hours < 1 else f"{hours} hour{'s' if hours > 1 else ''}"

"""The steps of the setup as the provider's requests show them: seen, or what is still to be done. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scim.directories.activity import DirectoryActivity, Seen
from scim.portal.guide import ProviderGuide, SignalGuide
from scim.portal.times import time_ago


@dataclass(frozen=True, slots=True)
class Tick:
    """One step of the setup: when it was seen, or why it waits and what to do."""

    guide: SignalGuide
    seen: Seen | None
    reason: str = ""
    """What has come so far, where that helps; empty otherwise."""


@dataclass(frozen=True, slots=True)
class Progress:
    """All steps of a provider's setup, in their order."""

    ticks: Sequence[Tick]
    last_request: datetime | None
    """When a request was let in last; None when none is known."""
    last_success: datetime | None = None
    """When one succeeded last, to about a minute: what was wrong with a token before is settled."""

    @property
    def done(self) -> frozenset[str]:
        """The steps of the guide whose every signal was seen."""
        waiting = {tick.guide.step for tick in self.ticks if tick.seen is None}
        return frozenset(tick.guide.step for tick in self.ticks) - waiting

    @property
    def summary(self) -> str:
        """How far the setup is, in a sentence."""
        seen = sum(tick.seen is not None for tick in self.ticks)
        return f"{seen} of {len(self.ticks)} steps have been seen."


def progress_of(provider: ProviderGuide, activity: DirectoryActivity, now: datetime) -> Progress:
    """Return the steps of a provider's setup, with what a directory's activity shows of them."""
    ticks = [
        Tick(each, activity.seen.get(each.id), _reason(each, activity, now) if each.id not in activity.seen else "")
        for each in provider.signals
    ]
    return Progress(ticks, activity.last.request, activity.last.success)


def _reason(signal: SignalGuide, activity: DirectoryActivity, now: datetime) -> str:
    """Return what came before the step that waits."""
    accepted, user = activity.seen.get("authenticated"), activity.seen.get("user_created")
    if signal.id in ("connection_tested", "user_created") and accepted is not None:
        what = "the connection was not tested" if signal.id == "connection_tested" else "no user has come"
        return f"The credentials were accepted {time_ago(accepted.time, now)}, and {what} yet."
    if signal.id == "user_email" and user is not None:
        return "Users arrive without an e-mail: this mapping is missing, or nobody who came so far has one."
    if signal.id == "group_created" and user is not None:
        return f"The first user came {time_ago(user.time, now)}, and no group yet."
    return ""

"""The newest problems of a directory, and which of them a later success has settled. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from scim.resources.log_words import TOKEN_PREFIX, CauseWords, words_of
from scim.resources.provisioning_log import ProvisioningLogEntry


@dataclass(frozen=True, slots=True)
class ShownProblem:
    """A problem as a page shows it."""

    entry: ProvisioningLogEntry
    words: CauseWords
    is_of_token: bool
    """Whether it was about a token: then a request that succeeds afterwards shows that it was mended."""
    is_settled: bool


def shown_problems(entries: Iterable[ProvisioningLogEntry], last_success: datetime | None) -> list[ShownProblem]:
    """Return problems as they are shown, with the time of the last success where that is known."""
    shown = []
    for entry in entries:
        is_of_token = entry.finding.cause.startswith(TOKEN_PREFIX)
        is_settled = is_of_token and last_success is not None and entry.last < last_success
        shown.append(ShownProblem(entry, words_of(entry.finding), is_of_token, is_settled))
    return shown

"""Which faults happen at which storage calls, and what must be so afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby
from urllib.parse import unquote

from tests.faults import (
    Call,
    Fault,
    answer,
    answer_after_commit,
    drop_after_commit,
    drop_before_commit,
    drop_before_send,
    empty_page,
    time_out_after_commit,
    time_out_before_commit,
)
from tests.resilience.change import Change, WriteKind
from tests.resilience.scene import Scene

NOT_APPLIED: dict[str, Fault] = {
    "not connected": drop_before_send(),
    "dropped before commit": drop_before_commit(),
    "timed out before commit": time_out_before_commit(),
    "throttled": answer(429),
    "500 before commit": answer(500),
    "503 before commit": answer(503),
    "401": answer(401),
}
APPLIED: dict[str, Fault] = {
    "dropped after commit": drop_after_commit(),
    "timed out after commit": time_out_after_commit(),
    "500 after commit": answer_after_commit(500),
    "503 after commit": answer_after_commit(503),
}
REFUSED: dict[str, Fault] = {"403": answer(403)}
"""What is not repeated at once: whoever asked is told to come again."""
EMPTY_PAGE = "empty page"
FAULTS = NOT_APPLIED | REFUSED | APPLIED | {EMPTY_PAGE: empty_page()}
LASTING = ("not connected", "dropped before commit", "dropped after commit")
_ATTEMPTS = 4
_ID = re.compile("(?:usr|grp)_[0-9a-z]{32}")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A fault at the n-th storage call of a write: once, or at every attempt of that call."""

    call: int
    fault: str
    lasting: bool

    def __str__(self) -> str:
        return f"{self.fault}{' for good' if self.lasting else ''} at call {self.call}"

    def plan(self, scene: Scene) -> None:
        """Let the fault happen in what is sent next."""
        scene.transport.reset()
        same = _SameCall(self.call)
        # What the background does depends on what others left, so that a call of this number may be of another kind.
        scene.transport.when(
            lambda call: same(call) and self.fault in possible_faults(call),
            FAULTS[self.fault],
            times=_ATTEMPTS if self.lasting else 1,
        )


@dataclass(slots=True)
class _SameCall:
    """Matches the call of a number, and its repetitions."""

    number: int
    sent: tuple[str, str, bytes] | None = None

    def __call__(self, call: Call) -> bool:
        content = call.request.method, call.request.url, call.request.body
        if self.sent is None and call.number == self.number:
            self.sent = content
        return content == self.sent


def all_occurrences(calls: Sequence[Call]) -> Iterator[Occurrence]:
    """Yield every fault at every call, once and for good."""
    for call in calls:
        for fault in possible_faults(call):
            yield Occurrence(call.number, fault, lasting=False)
            yield Occurrence(call.number, fault, lasting=True)


def quick_occurrences(calls: Sequence[Call]) -> Iterator[Occurrence]:
    """Yield every fault at every step of a write, and for good those that differ in what can be known afterwards.

    Reads that are under way at once and differ in an id only are one step: the first of them fails.
    """
    for _, step in groupby(calls, _shape):
        call = next(step)
        for fault in possible_faults(call):
            yield Occurrence(call.number, fault, lasting=False)
        for fault in LASTING if call.kind == "transaction" else LASTING[:1]:
            yield Occurrence(call.number, fault, lasting=True)


def _shape(call: Call) -> tuple[str, int]:
    is_read = call.kind == "read"
    return (_ID.sub("id", unquote(call.request.url)), 0) if is_read else ("", call.number)


def possible_faults(call: Call) -> list[str]:
    """Return the faults that can happen to a call: only queries are answered in parts."""
    return [fault for fault in FAULTS if fault != EMPTY_PAGE or call.kind == "query"]


async def storage_calls(scene: Scene, kind: WriteKind) -> list[Call]:
    """Return the storage calls of one write of a kind when nothing fails."""
    (change,) = await kind.prepare(scene, 1)
    await change.arrange()
    scene.transport.reset()
    answered = await change.send()
    calls = list(scene.transport.calls)
    assert answered.status == kind.success, answered
    await change.holds()
    return calls


async def suffer(scene: Scene, kind: WriteKind, change: Change, occurrence: Occurrence) -> None:
    """Let one write meet a fault, and assert that it succeeds, or says that it may be repeated and then succeeds."""
    scene.transport.reset()
    await change.arrange()
    await scene.settle()
    occurrence.plan(scene)
    answered = await change.send()
    scene.transport.reset()
    await change.is_whole()
    if (occurrence.lasting or occurrence.fault in REFUSED) and answered.status == HTTPStatus.SERVICE_UNAVAILABLE:
        assert answered.headers["Retry-After"]
        again = await change.send()
        assert again.status in (kind.success, kind.repeated or kind.success), f"repeated: {again}"
    else:
        assert answered.status == kind.success, answered
    await change.holds()

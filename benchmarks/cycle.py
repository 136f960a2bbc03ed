"""The cycle by which Entra ID provisions a user: does it exist, create, read, change, find again by either name."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import count
from statistics import mean, median

from benchmarks.http_client import HttpAnswer
from benchmarks.measuring import Call, Measurement, Server, UnexpectedAnswerError, measure
from benchmarks.payloads import change_of_user, matching, new_user

OPERATIONS = {
    "filter-miss": "filter by userName, no match",
    "post": "POST",
    "get": "GET",
    "patch": "PATCH, 3 replace operations",
    "hit-username": "filter by userName, match",
    "hit-externalid": "filter by externalId, match",
}
"""The operations of a cycle by their labels, in order."""
DELETE = "delete"
"""Takes away what a round made, so that directories keep their size; measured, but no part of the cycle."""

_numbers = count(1)

Round = dict[str, Measurement]


@dataclass(frozen=True, slots=True)
class CycleRuns:
    """Rounds of cycles on one server."""

    subject: str
    concurrency: int
    rounds: list[Round] = field(default_factory=list)

    def of(self, label: str) -> list[Measurement]:
        """Return the measurements of one operation, by round."""
        return [measured[label] for measured in self.rounds]

    def cpu_ms(self) -> list[float]:
        """Return the server's CPU time for a request of the cycle, by round."""
        return [mean(measured[label].cpu_ms for label in OPERATIONS) for measured in self.rounds]

    def storage_cpu_ms(self) -> list[float]:
        """Return the emulator's CPU time for a request of the cycle, by round."""
        return [mean(measured[label].storage_cpu_ms for label in OPERATIONS) for measured in self.rounds]

    def cycle_ms(self) -> list[float]:
        """Return the time of a whole cycle for one user, the median of the users, by round."""
        return [
            median(map(sum, zip(*(measured[label].milliseconds for label in OPERATIONS), strict=True)))
            for measured in self.rounds
        ]

    def per_second(self) -> list[float]:
        """Return the requests of the cycle answered in a second, by round."""
        return [
            sum(len(measured[label].milliseconds) for label in OPERATIONS)
            / sum(measured[label].seconds for label in OPERATIONS)
            for measured in self.rounds
        ]


async def run_cycles(server: Server, users: int, concurrency: int) -> Round:
    """Return what the cycles of some new users took; the users are gone afterwards."""
    names = [f"user{next(_numbers):06d}" for _ in range(users)]
    addresses = [f"{name}@fabrikam.example" for name in names]
    measured: Round = {}

    async def run(label: str, calls: list[Call]) -> list[HttpAnswer]:
        measured[label], answers = await measure(server, calls, concurrency)
        return answers

    await run("filter-miss", [_find("filter-miss", "userName", address) for address in addresses])
    created = await run("post", [Call("post", "POST", "/Users", new_user(name)) for name in names])
    paths = [f"/Users/{json.loads(answer.body)['id']}" for answer in created]
    await run("get", [Call("get", "GET", path) for path in paths])
    changes = [Call("patch", "PATCH", path, change_of_user(name)) for path, name in zip(paths, names, strict=True)]
    await run("patch", changes)
    # In another letter case: no cache of filter texts may have seen it.
    by_name = await run("hit-username", [_find("hit-username", "userName", each.upper()) for each in addresses])
    by_external_id = await run("hit-externalid", [_find("hit-externalid", "externalId", name) for name in names])
    _require_found([*by_name, *by_external_id])
    await run(DELETE, [Call(DELETE, "DELETE", path) for path in paths])
    return measured


def _require_found(answers: list[HttpAnswer]) -> None:
    for answer in answers:
        if json.loads(answer.body)["totalResults"] != 1:
            raise UnexpectedAnswerError(f"a matching query found something else: {answer.body[:300]!r}")


def _find(label: str, attribute: str, value: str) -> Call:
    return Call(label, "GET", matching(attribute, value))

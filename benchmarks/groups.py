"""Groups of different sizes: a change of one member must cost the same in all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import mean

from benchmarks.measuring import Call, Measurement, Server, measure
from benchmarks.payloads import added, new_group, removed, renamed

OPERATIONS = {
    "group-read": "GET without members",
    "group-add": "add 1 member",
    "group-remove": "remove 1 member",
    "group-add-many": "add 100 members",
    "group-rename": "rename",
}
_MEMBER_CHANGES = ("group-add", "group-remove")
MANY = 100

Round = dict[str, Measurement]


@dataclass(slots=True)
class Group:
    """A group under measurement, how long it took to fill, and what its rounds took."""

    size: int
    path: str
    fill: Measurement | None
    """One call for each 100 members; None where the group was created with all of its members."""
    rounds: list[Round] = field(default_factory=list)

    def member_change_cpu_ms(self) -> list[float]:
        """Return the server's CPU time for adding or removing one member, by round."""
        return [mean(measured[label].cpu_ms for label in _MEMBER_CHANGES) for measured in self.rounds]

    def fill_rate(self) -> float:
        """Return the members a second at which the group was filled."""
        return 0.0 if self.fill is None else self.fill.per_second * MANY


async def fill_group(server: Server, members: Sequence[str]) -> Group:
    """Create a group of these members, by 100 for each PATCH as far as they go."""
    size, rest = len(members), len(members) % MANY
    call = Call("group-post", "POST", "/Groups", new_group(f"Group of {size}", members[:rest]))
    _, (created,) = await measure(server, [call])
    path = f"/Groups/{json.loads(created.body)['id']}"
    calls = [
        Call("group-fill", "PATCH", path, added(members[start : start + MANY])) for start in range(rest, size, MANY)
    ]
    return Group(size, path, (await measure(server, calls))[0] if calls else None)


async def measure_group(server: Server, group: Group, others: Sequence[str], repeats: int) -> None:
    """Add a round to a group, after which it is as it was.

    :param others: 100 users at least that are no members.
    """
    path, some = group.path, others[:repeats]
    every = others[:MANY]
    measured = {
        "group-read": await _run(server, [Call("group-read", "GET", f"{path}?excludedAttributes=members")] * repeats),
        "group-add": await _run(server, [Call("group-add", "PATCH", path, added([each])) for each in some]),
        "group-remove": await _run(server, [Call("group-remove", "PATCH", path, removed([each])) for each in some]),
    }
    many = [Call("group-add-many", "PATCH", path, added(every))]
    measured["group-add-many"] = await _run(server, many)
    await _run(server, [Call("group-remove-many", "PATCH", path, removed(every))])
    names = [f"Group of {group.size}, name {number}" for number in range(repeats)]
    renames = [Call("group-rename", "PATCH", path, renamed(name)) for name in names]
    measured["group-rename"] = await _run(server, renames)
    group.rounds.append(measured)


async def _run(server: Server, calls: Sequence[Call]) -> Measurement:
    return (await measure(server, calls))[0]

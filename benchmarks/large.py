"""A very large directory beside a small one: what does not depend on the size must cost the same in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from benchmarks.background import Background
from benchmarks.beside_scan import Reading, measure_beside_scan
from benchmarks.groups import MANY, Group, measure_group
from benchmarks.measuring import Call, Measurement, Server, measure
from benchmarks.processes import peak_mebibytes, resident_mebibytes
from benchmarks.progress import say
from benchmarks.results import Memory
from benchmarks.servers import our_service

SMALL = 1_000
_PAGE = 100
_GROUP_SIZES = (10, 1_000)
_ROUNDS = 3
_PAGES_IN_A_ROUND = 10
_REPEATS = 20


@dataclass(frozen=True, slots=True)
class LargeResults:
    """What was measured of a directory of so many users; each list has one entry a round."""

    users: int
    reading: Reading
    pages: dict[int, list[Measurement]]
    """Pages of 100 users from the first to the last, by the number of users."""
    groups: list[Group]
    deletions: dict[int, Measurement]
    storage_requests: dict[str, float]
    memory: Memory


async def run_large(users: int) -> LargeResults:
    """Return the figures of a directory of so many users."""
    reading = await measure_beside_scan(_ROUNDS)
    say("starting our service")
    with our_service() as service:
        background = Background(service.connection_string)
        small, large = service.servers
        say(f"filling a directory of {SMALL:,} users")
        await background.seed(service.directory_ids[0], SMALL)
        say(f"filling a directory of {users + MANY:,} users with groups of 10, 1,000 and {users:,}")
        ids, groups = await background.fill(service.directory_ids[1], users + MANY, (*_GROUP_SIZES, users))
        await background.close()
        pages = await _pages({SMALL: small, users + MANY: large})
        for number in range(_ROUNDS):
            say(f"groups, round {number + 1} of {_ROUNDS}")
            await _group_round(large, groups, ids[0], ids[-MANY:])
        deletions = {group.size: await _one(large, "group-delete", "DELETE", group.path) for group in groups}
        memory = Memory(resident_mebibytes(service.app_pid), peak_mebibytes(service.app_pid))
        requests = service.storage_requests()
    return LargeResults(users, reading, pages, groups, deletions, requests, memory)


async def _pages(servers: dict[int, Server]) -> dict[int, list[Measurement]]:
    measured: dict[int, list[Measurement]] = {users: [] for users in servers}
    for number in range(_ROUNDS):
        say(f"pages of {_PAGE} users, round {number + 1} of {_ROUNDS}")
        for users, server in servers.items():
            calls = [Call("page", "GET", f"/Users?startIndex={start}&count={_PAGE}") for start in _starts(users)]
            measured[users].append((await measure(server, calls))[0])
    return measured


def _starts(users: int) -> list[int]:
    """Return where pages begin: spread evenly, the first and the last among them."""
    last = users - _PAGE
    return [1 + last * number // (_PAGES_IN_A_ROUND - 1) for number in range(_PAGES_IN_A_ROUND)]


async def _group_round(server: Server, groups: Sequence[Group], member: str, others: Sequence[str]) -> None:
    for group in groups:
        await measure_group(server, group, others, _REPEATS)
        group_id = group.path.rpartition("/")[2]
        text = quote(f'id eq "{group_id}" and members eq "{member}"')
        calls = [Call("group-has", "GET", f"/Groups?filter={text}&attributes=id")] * _REPEATS
        group.rounds[-1]["group-has"], _ = await measure(server, calls)


async def _one(server: Server, label: str, method: str, path: str) -> Measurement:
    return (await measure(server, [Call(label, method, path)]))[0]

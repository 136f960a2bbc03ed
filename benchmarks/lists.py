"""Pages of 100 users at the start, in the middle and at the end of a directory."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.measuring import Call, Measurement, Server, measure

PLACES = {"list-start": "first page", "list-middle": "middle page", "list-end": "last page"}
_PAGE = 100

Round = dict[str, Measurement]


@dataclass(slots=True)
class Listing:
    """A directory of some size, and what its pages took, by round."""

    users: int
    rounds: list[Round] = field(default_factory=list)


async def measure_list(server: Server, listing: Listing, repeats: int) -> None:
    """Add a round to a listing."""
    starts = {"list-start": 1, "list-middle": listing.users // 2, "list-end": listing.users - _PAGE + 1}
    measured: Round = {}
    for label, start in starts.items():
        calls = [Call(label, "GET", f"/Users?startIndex={start}&count={_PAGE}")] * repeats
        measured[label], _ = await measure(server, calls)
    listing.rounds.append(measured)

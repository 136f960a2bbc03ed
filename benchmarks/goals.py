"""The figures that decide, and what they must not pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.results import Ratio, Results, ratio


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure and its limit."""

    name: str
    figure: float
    limit: float
    unit: str = "x"
    spread: str = ""
    """The lowest and the highest round."""

    @property
    def is_met(self) -> bool:
        """Whether the figure keeps the limit."""
        return self.figure <= self.limit


def goals(results: Results) -> list[Goal]:
    """Return the goals and how far each was reached."""
    return [*_of_size(results), *_of_start(results), *_of_reference(results)]


def _of_size(results: Results) -> Iterator[Goal]:
    small, large = results.groups[0], results.groups[-1]
    members = ratio(large.member_change_cpu_ms(), small.member_change_cpu_ms())
    yield _goal(f"CPU of a member change, group of {large.size:,} to {small.size:,}", members, 1.3)
    sizes = results.sizes
    yield _goal(f"CPU of the cycle, {sizes.first.subject} to {sizes.second.subject}", sizes.cpu_ratio(), 1.3)


def _of_start(results: Results) -> Iterator[Goal]:
    yield Goal("import of function_app, best", min(results.imports.app), 1.0, "s")
    yield Goal("memory of our process at the end of the load", results.memory.resident, 128, "MiB")


def _of_reference(results: Results) -> Iterator[Goal]:
    compared = results.sequential.cpu_ratio()
    yield _goal("CPU of the cycle, storage client included, to scim2-server in memory", compared, 3.0)
    yield _goal("the same, as wished", compared, 1.0)


def _goal(name: str, found: Ratio, limit: float) -> Goal:
    return Goal(name, found.median, limit, "x", f"{min(found.rounds):.2f}-{max(found.rounds):.2f}")

"""What one benchmark found."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.background import RelayCost
from benchmarks.cycle import CycleRuns
from benchmarks.groups import Group
from benchmarks.lists import Listing
from benchmarks.plan import Plan
from benchmarks.profiling import Profile


@dataclass(frozen=True, slots=True)
class Memory:
    """MiB of our process at the end of all load."""

    resident: float
    peak: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """How two series compare, round by round, so that both sides of each ratio met the same noise."""

    rounds: list[float]

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return median(self.rounds)


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Ratio:
    """Return the ratios of two series."""
    return Ratio([above / below for above, below in zip(numerators, denominators, strict=True)])


@dataclass(frozen=True, slots=True)
class Comparison:
    """The cycle on two subjects that took turns in each round."""

    first: CycleRuns
    second: CycleRuns

    def cpu_ratio(self) -> Ratio:
        """Return how the CPU times of a request compare."""
        return ratio(self.first.cpu_ms(), self.second.cpu_ms())


@dataclass(frozen=True, slots=True)
class Imports:
    """Seconds that fresh interpreters took to import."""

    app: list[float]
    """``function_app``."""
    first_request: list[float]
    """``function_app`` and all that the first SCIM request imports and makes."""


@dataclass(frozen=True, slots=True)
class Results:
    """All figures of one run."""

    plan: Plan
    sequential: Comparison
    """Our service with the small directory alone, and scim2-server."""
    parallel: Comparison
    """The same, 16 requests at once."""
    sizes: Comparison
    """The large directory, and the small one beside it."""
    groups: list[Group]
    lists: list[Listing]
    storage_requests: dict[str, float]
    relay: RelayCost
    memory: Memory
    imports: Imports
    surface_microseconds: dict[str, list[float]]
    growth_milliseconds: dict[str, tuple[float, float]]
    profile: Profile
    machine: str = field(default_factory=lambda: f"{os.cpu_count()} cores, Python {platform.python_version()}")
    load_average: float = field(default_factory=lambda: os.getloadavg()[2])

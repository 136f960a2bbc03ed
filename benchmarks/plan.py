"""How much is measured: quickly, to see whether a change pays, or in full, for the record."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes and repetitions of one benchmark."""

    small_directory: int
    large_directory: int
    group_sizes: tuple[int, ...]
    rounds: int
    """Every figure is the median of so many rounds, in which the subjects that are compared take turns."""
    cycles: int
    """Users in a round at concurrency 1."""
    parallel_cycles: int
    """Users in a round at concurrency 16."""
    group_repeats: int
    list_repeats: int
    profile_rounds: int
    surface_users: int
    imports: int


QUICK = Plan(
    small_directory=100,
    large_directory=600,
    group_sizes=(10, 500),
    rounds=2,
    cycles=30,
    parallel_cycles=48,
    group_repeats=16,
    list_repeats=5,
    profile_rounds=2,
    surface_users=100,
    imports=2,
)
FULL = Plan(
    small_directory=1_000,
    large_directory=10_000,
    group_sizes=(10, 1_000, 10_000),
    rounds=5,
    cycles=100,
    parallel_cycles=96,
    group_repeats=50,
    list_repeats=10,
    profile_rounds=8,
    surface_users=300,
    imports=5,
)

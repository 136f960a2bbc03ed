"""The figures of a very large directory, as tables for people."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks.goals import Goal
from benchmarks.groups import OPERATIONS
from benchmarks.large import SMALL, LargeResults
from benchmarks.report import Row, goal_rows, milliseconds, table
from benchmarks.results import ratio

_PAGE_HEAD = ("page of 100 users", "median", "CPU", "Azurite's CPU", "storage requests")
_GROUP_HEAD = ("operation", "members", "median", "CPU", "Azurite's CPU", "storage requests")
_GROUP_OPERATIONS = {**OPERATIONS, "group-has": "is one a member"}


def goals_of_size(results: LargeResults) -> Iterator[Goal]:
    """Return what must not depend on the size, and how far it does."""
    pages = ratio(*([each.cpu_ms for each in rounds] for rounds in reversed(list(results.pages.values()))))
    yield _goal(f"CPU of a page, {results.users:,} users to {SMALL:,}", pages.rounds, 1.5)
    smallest, largest = results.groups[0], results.groups[-1]
    for label, name in _GROUP_OPERATIONS.items():
        compared = ratio(*([each[label].cpu_ms for each in group.rounds] for group in (largest, smallest)))
        yield _goal(f"CPU of: {name}, group of {largest.size:,} to {smallest.size}", compared.rounds, 1.3)
    latencies = ratio(results.reading.beside_scan, results.reading.alone)
    yield _goal("latency of reading a user, beside a scan to alone", latencies.rounds, 3.0)
    yield Goal("memory of our process at its peak", results.memory.peak, 128, "MiB")


def _goal(name: str, rounds: list[float], limit: float) -> Goal:
    return Goal(name, median(rounds), limit, "x", f"{min(rounds):.2f}-{max(rounds):.2f}")


def as_text(results: LargeResults) -> str:
    """Return the tables, in Markdown."""
    return "\n".join(
        [
            table(f"A directory of {results.users:,} users", _PAGE_HEAD, _page_rows(results)),
            table("Groups", _GROUP_HEAD, _group_rows(results)),
            table("Goals", ("figure", "reached", "rounds", "limit", ""), goal_rows(goals_of_size(results))),
        ]
    )


def _page_rows(results: LargeResults) -> Iterator[Row]:
    for users, measured in results.pages.items():
        figures = [milliseconds(measured, name) for name in ("median_ms", "cpu_ms", "storage_cpu_ms")]
        yield f"of {users:,}", *figures, _requests(results, "page")


def _group_rows(results: LargeResults) -> Iterator[Row]:
    for label, name in _GROUP_OPERATIONS.items():
        for group in results.groups:
            measured = [each[label] for each in group.rounds]
            figures = [milliseconds(measured, name) for name in ("median_ms", "cpu_ms", "storage_cpu_ms")]
            yield name, f"{group.size:,}", *figures, _requests(results, label)
    for size, deletion in results.deletions.items():
        figures = [f"{each:.2f}" for each in (deletion.median_ms, deletion.cpu_ms, deletion.storage_cpu_ms)]
        yield "delete the group", f"{size:,}", *figures, _requests(results, "group-delete")


def _requests(results: LargeResults, label: str) -> str:
    return f"{results.storage_requests.get(label, 0):.3g}"

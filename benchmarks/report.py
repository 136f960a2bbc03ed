"""The figures of a run as tables for people, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from statistics import mean, median
from typing import Any

from benchmarks import cycle, groups, growth, in_process, lists
from benchmarks.cycle import CycleRuns
from benchmarks.goals import Goal, goals
from benchmarks.measuring import Measurement
from benchmarks.results import Results

Row = Sequence[str]


def as_json(results: Results) -> dict[str, Any]:
    """Return every figure, down to the latency of each call, and the goals."""
    reached = [{**asdict(goal), "is_met": goal.is_met} for goal in goals(results)]
    return {"goals": reached, **asdict(results)}


def as_text(results: Results) -> str:
    """Return the tables, in Markdown."""
    return "\n".join(_sections(results))


def _sections(results: Results) -> Iterator[str]:
    rounds = results.plan.rounds
    yield f"{results.machine}. Times in ms; each figure is the median of {rounds} rounds; CPU is of one request."
    yield f"Load average over 15 minutes: {results.load_average:.1f}, of which the benchmark itself is 2 at most.\n"
    yield table("The cycle, operation by operation", _OPERATION_HEAD, _operation_rows(results))
    yield table("The cycle as a whole", _CYCLE_HEAD, _cycle_rows(results))
    yield table("Groups", _GROUP_HEAD, _group_rows(results))
    yield table("Lists of 100 users", _LIST_HEAD, _list_rows(results))
    yield table("Where the CPU time of a request of the cycle goes", ("layer", "ms", "share"), _layer_rows(results))
    yield table("The provisioning surface alone", ("operation", "µs of CPU"), _surface_rows(results))
    yield table(f"Long requests: {growth.HALF} and {growth.WHOLE} of each", _GROWTH_HEAD, _growth_rows(results))
    yield table("Start, memory, background", ("what", "figure"), _other_rows(results))
    yield table("Goals", ("figure", "reached", "rounds", "limit", ""), goal_rows(goals(results)))


_OPERATION_HEAD = (
    "operation",
    "median",
    "p95",
    "median at 16",
    "p95 at 16",
    "CPU",
    "Azurite's CPU",
    "storage requests",
    "scim2-server: median",
    "CPU",
)


def _operation_rows(results: Results) -> Iterator[Row]:
    for label, name in {**cycle.OPERATIONS, cycle.DELETE: "DELETE (not in the cycle)"}.items():
        alone, at_16 = results.sequential.first.of(label), results.parallel.first.of(label)
        reference = results.sequential.second.of(label)
        yield (
            name,
            *(
                milliseconds(alone, "median_ms"),
                milliseconds(alone, "p95_ms"),
                milliseconds(at_16, "median_ms"),
                milliseconds(at_16, "p95_ms"),
            ),
            *(milliseconds(alone, "cpu_ms"), milliseconds(alone, "storage_cpu_ms"), _count(results, label)),
            *(milliseconds(reference, "median_ms"), milliseconds(reference, "cpu_ms")),
        )


_CYCLE_HEAD = (
    "subject",
    "at once",
    "cycle of six",
    "best round",
    "requests/s",
    "best round",
    "CPU",
    "Azurite's CPU",
    "CPU to the next row's",
)


def _cycle_rows(results: Results) -> Iterator[Row]:
    for compared in (results.sequential, results.parallel, results.sizes):
        yield _runs_row(compared.first, f"{compared.cpu_ratio().median:.2f}")
        yield _runs_row(compared.second, "1")


def _runs_row(runs: CycleRuns, cpu_ratio: str) -> Row:
    return (
        runs.subject,
        str(runs.concurrency),
        *(f"{median(runs.cycle_ms()):.1f}", f"{min(runs.cycle_ms()):.1f}"),
        *(f"{median(runs.per_second()):.0f}", f"{max(runs.per_second()):.0f}"),
        *(f"{median(runs.cpu_ms()):.2f}", f"{median(runs.storage_cpu_ms()):.2f}", cpu_ratio),
    )


_GROUP_HEAD = ("operation", "members", "median", "p95", "CPU", "Azurite's CPU", "storage requests")


def _group_rows(results: Results) -> Iterator[Row]:
    for label, name in groups.OPERATIONS.items():
        for group in results.groups:
            measured = [each[label] for each in group.rounds]
            yield (
                name,
                f"{group.size:,}",
                *(milliseconds(measured, "median_ms"), milliseconds(measured, "p95_ms")),
                *(milliseconds(measured, "cpu_ms"), milliseconds(measured, "storage_cpu_ms"), _count(results, label)),
            )
    largest = results.groups[-1]
    yield "fill, members a second", f"{largest.size:,}", f"{largest.fill_rate():.0f}", "", "", "", ""


_LIST_HEAD = ("page", "users", "median", "p95", "CPU", "Azurite's CPU", "storage requests")


def _list_rows(results: Results) -> Iterator[Row]:
    for label, name in lists.PLACES.items():
        for listing in results.lists:
            measured = [each[label] for each in listing.rounds]
            yield (
                name,
                f"{listing.users:,}",
                *(milliseconds(measured, "median_ms"), milliseconds(measured, "p95_ms")),
                *(milliseconds(measured, "cpu_ms"), milliseconds(measured, "storage_cpu_ms"), _count(results, label)),
            )


def _layer_rows(results: Results) -> Iterator[Row]:
    profile = results.profile
    ours = sum(profile.layer_ms.values())
    for layer, spent in sorted(profile.layer_ms.items(), key=lambda item: -item[1]):
        yield layer, f"{spent:.3f}", f"{spent / ours:.0%}"
    yield f"our process ({profile.samples:,} samples)", f"{ours:.3f}", "100%"
    yield "Azurite", f"{profile.storage_cpu_ms:.3f}", ""


def _surface_rows(results: Results) -> Iterator[Row]:
    for label, name in in_process.OPERATIONS.items():
        yield name, f"{median(results.surface_microseconds[label]):.0f}"
    cycles = [median(results.surface_microseconds[label]) for label in cycle.OPERATIONS]
    yield "a request of the cycle", f"{mean(cycles):.0f}"


_GROWTH_HEAD = ("request", "CPU", "of twice as much", "ratio")


def _growth_rows(results: Results) -> Iterator[Row]:
    for name, (half, whole) in results.growth_milliseconds.items():
        yield name, f"{half:.1f}", f"{whole:.1f}", f"{whole / half:.2f}"


def _other_rows(results: Results) -> Iterator[Row]:
    yield "import of function_app, best", f"{min(results.imports.app):.2f} s"
    yield "the same and all that the first request needs, best", f"{min(results.imports.first_request):.2f} s"
    yield "resident memory of our process after all load", f"{results.memory.resident:.0f} MiB"
    yield "its peak", f"{results.memory.peak:.0f} MiB"
    yield "relay, CPU for each change", f"{results.relay.cpu_ms():.2f} ms"
    yield "relay, storage requests for each change", f"{results.relay.requests():.2f}"


def goal_rows(reached: Iterable[Goal]) -> Iterator[Row]:
    """Yield a row for each goal."""
    for goal in reached:
        figure, limit = f"{goal.figure:.2f} {goal.unit}", f"<= {goal.limit:g} {goal.unit}"
        yield goal.name, figure, goal.spread, limit, "met" if goal.is_met else "MISSED"


def milliseconds(measured: Sequence[Measurement], name: str) -> str:
    """Return a figure of each round, and of those the middle one."""
    return f"{median(getattr(each, name) for each in measured):.2f}"


def _count(results: Results, label: str) -> str:
    return f"{results.storage_requests.get(label, 0):.3g}"


def table(title: str, head: Row, rows: Iterator[Row]) -> str:
    """Return a Markdown table that reads well as plain text, too."""
    lines = [head, *rows]
    widths = [max(len(row[column]) for row in lines) for column in range(len(head))]
    shown = [_line(row, widths) for row in lines]
    rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
    return "\n".join([f"## {title}", "", shown[0], rule, *shown[1:], ""])


def _line(row: Row, widths: Sequence[int]) -> str:
    first, *rest = [(cell, width) for cell, width in zip(row, widths, strict=True)]
    return f"| {' | '.join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)])} |"

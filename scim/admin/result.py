"""What a command has to say: as JSON for scripts, with the names of the API, and as a table for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Entry = Mapping[str, Any]
_SEPARATOR = "  "


@dataclass(frozen=True, slots=True)
class Listed:
    """Entries of one kind."""

    kind: str
    """What they are called when there are none."""
    columns: Sequence[str]
    """What of each entry a person sees."""
    entries: Sequence[Entry]

    def as_json(self) -> Mapping[str, Any]:
        """Return the entries, whole."""
        return {"data": self.entries}

    def lines(self) -> Iterator[str]:
        """Yield a table."""
        if not self.entries:
            yield f"no {self.kind}"
            return
        rows = [[_heading(column) for column in self.columns]]
        rows += [[_text(entry.get(column)) for column in self.columns] for entry in self.entries]
        yield from _aligned(rows)


@dataclass(frozen=True, slots=True)
class Shown:
    """One entry; what it holds of entries follows as tables."""

    entry: Entry
    secret: str | None = None
    """The name of what is shown this once."""

    def as_json(self) -> Entry:
        """Return the entry, whole."""
        return self.entry

    def lines(self) -> Iterator[str]:
        """Yield a line for each value, then the tables, then what to keep."""
        plain = {name: value for name, value in self.entry.items() if not _is_table(value)}
        yield from _aligned([[_heading(name), _text(value)] for name, value in plain.items()])
        for name, value in self.entry.items():
            if _is_table(value):
                yield ""
                yield from Listed(_heading(name).lower(), tuple(value[0]), value).lines()
        if self.secret is not None and self.entry[self.secret] is not None:
            yield ""
            yield f"Keep the {self.secret} now: it is not shown again."


Result = Listed | Shown


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield _SEPARATOR.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _heading(name: str) -> str:
    return name.upper().replace("_", " ")


def _named(name: str, value: Any) -> str:
    return f"{value} {name}" if isinstance(value, int) else f"{name}: {_text(value)}"


def _text(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(_named(name.replace("_", " "), each) for name, each in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(map(_text, value)) or "none"
    return str(value)

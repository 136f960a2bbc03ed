"""A table as a CSV file (RFC 4180) that a spreadsheet opens without taking a cell for a formula. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

_FORMULA = re.compile(r"(^|[,;|\t\r\n])((?:[^\S\t\r\n]|[\"'])*)([=+\-@\uFF1D\uFF0B\uFF0D\uFF20\t\r])")
"""What begins a formula, in full width as well: at the start of a cell, or behind what a spreadsheet that was told
another separator takes for the start of one; spaces and quotes before it do not hide it."""


def csv_text(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return the file, every cell in quotes, with a mark by which spreadsheets know that it is UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(head)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return f"\ufeff{out.getvalue()}"


def _harmless(cell: str) -> str:
    """Return a cell in which an apostrophe stands before whatever could begin a formula: what follows it is text."""
    return _FORMULA.sub(r"\1'\2\3", cell)

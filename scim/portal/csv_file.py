"""A table as a CSV file (RFC 4180) that a spreadsheet opens without taking a cell for a formula. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

_SEPARATORS = r",;|\t\r\n\x0b\x0c\x85\u2028\u2029\uFF0C\uFF1B\uFF5C"
_UNSEEN = r"\x00-\x08\x0e-\x1b\x7f\xad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_SIGNS = r"=+\-@\uFF1D\uFF0B\uFF0D\uFF20\uFE66\uFE62\uFE63\uFE6B\t\r"
_FORMULA = re.compile(f"(^|[{_SEPARATORS}])((?:[^\\S{_SEPARATORS}]|[{_UNSEEN}\"'])*)(?=[{_SIGNS}])")
"""What begins a formula, in full width and small forms as well: at the start of a cell, or behind what a spreadsheet
that was told another separator takes for the start of one; neither spaces, quotes nor what is not seen hide it."""


def csv_text(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return the file, every cell in quotes, with a mark by which spreadsheets know that it is UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(head)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return f"\ufeff{out.getvalue()}"


def _harmless(cell: str) -> str:
    """Return a cell in which an apostrophe stands before whatever could begin a formula: what follows it is text."""
    return _FORMULA.sub(r"\1'\2", cell)

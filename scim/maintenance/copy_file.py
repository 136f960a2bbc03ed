"""The file that holds a copy of all rows: a line for each, between a first and a last that tell what it is.

It is gzip's, whose members each say when they were begun: the first holds all lines, a second one, empty, is written
when the copy is done. So the lines say nothing but the rows, and two copies of the same rows have the same lines.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from scim.adapters.tables.entity import decode_entity
from scim.adapters.tables.table import Row

_FORMAT: Final = "directory-sync rows 2"
_MAGIC: Final = b"\x1f\x8b\x08"
_HEADER: Final = 10
_EMPTY_MEMBER: Final = len(gzip.compress(b""))


class CopyFileError(Exception):
    """A copy cannot be written, read or put back; the text says why, in one line."""


class Place(NamedTuple):
    """Where a partition is."""

    account: str
    """The data account, by its name in the settings."""
    table: str
    partition: str


@dataclass(frozen=True, slots=True)
class CopiedRow:
    """A row of a copy."""

    place: Place
    row: Row
    characters: int
    """How long its line is, which bounds what it takes in a transaction."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a copy was begun and when it was done; the latter empty in a copy of an earlier version."""

    begun: str = ""
    ended: str = ""


def new_file(path: Path) -> IO[str]:
    """Open a new file that only its owner may read."""
    path.touch(mode=0o600, exist_ok=False)
    return gzip.open(path, "wt", encoding="utf-8")


def write_first(file: IO[str]) -> None:
    """Write the first line."""
    _write(file, {"format": _FORMAT})


def write_row(file: IO[str], account: str, table: str, entity: Mapping[str, Any]) -> None:
    """Write the line of a row."""
    _write(file, {"account": account, "table": table, "row": entity})


def write_last(file: IO[str], rows: int) -> None:
    """Write the last line, without which a copy is not whole."""
    _write(file, {"rows": rows})


def mark_ended(path: Path) -> None:
    """Note in a file that is closed that the copy is done now."""
    with path.open("ab") as file:
        file.write(gzip.compress(b"", mtime=time.time()))


def moment_of(path: Path) -> Moment:
    """Return between which times a copy was made.

    :raises CopyFileError: When the file cannot be read.
    """
    try:
        content = path.read_bytes() if path.stat().st_size < _HEADER else _ends(path)
    except OSError as error:
        raise CopyFileError(f"{path}: {error.strerror or error}") from error
    return Moment(_begun(content[:_HEADER]), _begun(content[-_EMPTY_MEMBER:]))


def _ends(path: Path) -> bytes:
    """Return the beginning and the end of a file."""
    with path.open("rb") as file:
        first = file.read(_HEADER)
        file.seek(max(_HEADER, path.stat().st_size - _EMPTY_MEMBER))
        return first + file.read()


def _begun(member: bytes) -> str:
    """Return when a member of a gzip file was begun, empty for what is none (RFC 1952 §2.3)."""
    if len(member) < _HEADER or not member.startswith(_MAGIC):
        return ""
    seconds = int.from_bytes(member[4:8], "little")
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def copied_rows(path: Path) -> Iterator[CopiedRow]:
    """Yield the rows of a copy, each partition's together and in the order of keys.

    :raises CopyFileError: When the file is no copy, or at its end, when it is not whole.
    """
    for line, characters in _checked_lines(path):
        if "row" in line:
            entity = line["row"]
            place = Place(line["account"], line["table"], entity["PartitionKey"])
            yield CopiedRow(place, decode_entity(entity), characters)


def _checked_lines(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield each line with its length, and tell whether the first and the last are those of a whole copy."""
    count, last = 0, None
    for number, (line, length) in enumerate(_lines(path)):
        if number == 0 and line.get("format") != _FORMAT:
            raise CopyFileError(f"{path}: this is no copy of rows")
        count += "row" in line
        last = line.get("rows")
        yield line, length
    if last != count:
        raise CopyFileError(f"{path}: this copy is not whole; its end is missing")


def _lines(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for text in file:
                yield json.loads(text), len(text)
    except (EOFError, ValueError) as error:
        raise CopyFileError(f"{path}: this copy is not whole, or no copy of rows") from error
    except OSError as error:
        raise CopyFileError(f"{path}: {error.strerror or error}") from error


def _write(file: IO[str], line: Mapping[str, Any]) -> None:
    file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")

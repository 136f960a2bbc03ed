"""Where a local run keeps what it keeps."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scim.local_host.demo_record import DemoRecord

PROJECT = Path(__file__).parents[2]


class PlaceTakenError(Exception):
    """Another run uses the same data; the message is one line for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Place:
    """The files of a run."""

    folder: Path
    storage: Path | None
    """Azurite's data; ``None`` keeps it in memory."""

    @property
    def secrets(self) -> Path:
        """The secret store's file."""
        return self.folder / "secrets.json"

    @property
    def demo_record(self) -> DemoRecord:
        """Which directory is the demo directory, and the key of the API."""
        return DemoRecord(self.folder / "demo.json")


@contextmanager
def temporary_place() -> Iterator[Place]:
    """Give a place that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="scim-local-") as folder:
        yield Place(Path(folder), storage=None)


@contextmanager
def kept_place(folder: Path) -> Iterator[Place]:
    """Give the place that stays, to one run at a time: two Azurites would overwrite each other's data.

    :raises PlaceTakenError: While another run has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PlaceTakenError(f"another run uses the data in {folder}; stop it first") from error
        yield Place(folder, storage=folder / "storage")

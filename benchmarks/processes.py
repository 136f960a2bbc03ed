"""What other processes of this machine spend: their CPU time and their memory, as Linux tells it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_WHOLE_PROCESS = 2  # CPUCLOCK_SCHED: nanoseconds, threads that ended included; /proc/PID/stat has steps of 10 ms.


@dataclass(frozen=True, slots=True)
class CpuClock:
    """The CPU time that some processes have used together."""

    pids: Sequence[int]

    def seconds(self) -> float:
        """Return the user and system time of all of them since they began."""
        return sum(time.clock_gettime(~pid << 3 | _WHOLE_PROCESS) for pid in self.pids)


def resident_mebibytes(pid: int) -> float:
    """Return the memory that a process holds now, in MiB."""
    return _status_kibibytes(pid, "VmRSS") / 1024


def peak_mebibytes(pid: int) -> float:
    """Return the most memory that a process has held, in MiB."""
    return _status_kibibytes(pid, "VmHWM") / 1024


def _status_kibibytes(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))

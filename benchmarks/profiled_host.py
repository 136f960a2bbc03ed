"""``python -m benchmarks.profiled_host`` is the development host with a profile, taken from SIGUSR1 on.

The profile is written, as JSON, to the file that the environment names when the host is told to stop.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from benchmarks.layers import Sampler
from scim.local_host.__main__ import main as run_host

PROFILE_FILE = "SCIM_BENCHMARK_PROFILE"


def main() -> int:
    """Return the exit code of the host."""
    sampler = Sampler()
    signal.signal(signal.SIGUSR1, lambda *_: sampler.start())
    try:
        return run_host()
    finally:
        sampler.stop()
        Path(os.environ[PROFILE_FILE]).write_text(json.dumps(sampler.counts), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

"""A profile of the service by layer, in a run of its own: taking it costs time that the other figures must not hold."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from benchmarks.cycle import CycleRuns, run_cycles
from benchmarks.layers import LAYERS
from benchmarks.profiled_host import PROFILE_FILE
from benchmarks.servers import our_service


@dataclass(frozen=True, slots=True)
class Profile:
    """CPU time of a request of the cycle by layer, of our process and of the storage emulator."""

    samples: int
    layer_ms: dict[str, float]
    storage_cpu_ms: float


async def profile_by_layer(users: int, rounds: int) -> Profile:
    """Return a profile of cycles at concurrency 1."""
    with tempfile.TemporaryDirectory(prefix="scim-profile-") as folder:
        file = Path(folder) / "profile.json"
        with our_service(module="benchmarks.profiled_host", environment={PROFILE_FILE: str(file)}) as service:
            await run_cycles(service.servers[0], users, 1)
            os.kill(service.app_pid, signal.SIGUSR1)
            runs = CycleRuns("profiled", 1, [await run_cycles(service.servers[0], users, 1) for _ in range(rounds)])
        return _profile(json.loads(file.read_text(encoding="utf-8")), runs)


def _profile(counts: dict[str, int], runs: CycleRuns) -> Profile:
    samples, cpu_ms = sum(counts.values()), mean(runs.cpu_ms())
    by_layer = {layer: cpu_ms * counts.get(layer, 0) / samples for layer in LAYERS}
    return Profile(samples, by_layer, mean(runs.storage_cpu_ms()))

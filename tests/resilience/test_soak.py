"""Every kind of write at random, in processes that are killed, under faults at random, for long: ``make soak``."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from random import SystemRandom

import pytest

from tests.resilience.soak import Soak
from tests.resilience.soak_worker import KINDS

SECONDS = float(os.environ.get("SCIM_SOAK_SECONDS", "10"))
SEED = os.environ.get("SCIM_SOAK_SEED", "")
"""That of an earlier run: each caller then does the same and meets the same faults, as far as races allow."""
_ROUND_SECONDS = 30.0


@pytest.mark.slow
@pytest.mark.timeout(SECONDS * 2 + 240)
async def test_random_writes_under_kills_faults_and_wrong_clocks_lead_where_they_must(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed, begun = SEED or str(SystemRandom().randrange(10**9)), time.monotonic()

    def say(text: str) -> None:
        with capsys.disabled():
            sys.stderr.write(f"{time.monotonic() - begun:6.0f} s  {text}\n")

    say(f"SCIM_SOAK_SEED={seed}")
    soak = Soak(tmp_path, seed, say)
    await soak.run(SECONDS, _ROUND_SECONDS)

    assert soak.faults > 0
    assert soak.kills > 0
    if SECONDS >= _ROUND_SECONDS:
        assert soak.done.keys() == KINDS.keys()

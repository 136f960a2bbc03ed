"""Keeps what observers are told, and stores nothing: a test counts only the requests it is about."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from scim.provisioning.outcome import Outcome


@dataclass(slots=True)
class RecordedOutcomes:
    """Stands in for ``ProvisioningLog`` and ``ActivityRecorder``."""

    told: deque[Outcome] = field(default_factory=lambda: deque(maxlen=1000))

    def observe(self, outcome: Outcome) -> None:
        self.told.append(outcome)

    async def close(self) -> None:
        return

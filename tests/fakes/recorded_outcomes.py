"""Keeps what the provisioning log is told, and stores nothing: a test counts only the requests it is about."""

from __future__ import annotations

from dataclasses import dataclass, field

from scim.provisioning.outcome import Outcome


@dataclass(slots=True)
class RecordedOutcomes:
    """Stands in for ``ProvisioningLog``."""

    told: list[Outcome] = field(default_factory=list)

    def observe(self, outcome: Outcome) -> None:
        if outcome.error is not None or outcome.findings:
            self.told.append(outcome)

    async def close(self) -> None:
        return

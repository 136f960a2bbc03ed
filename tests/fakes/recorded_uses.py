"""Notes the uses of tokens and stores nothing, so that a test counts only the requests it is about."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class RecordedUses:
    """Stands in for ``TokenUses``."""

    noted: list[tuple[str, str]] = field(default_factory=list)

    def note(self, directory_id: str, version: str) -> None:
        self.noted.append((directory_id, version))

    async def close(self) -> None:
        return

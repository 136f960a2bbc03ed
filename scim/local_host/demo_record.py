"""What a kept run remembers of its demo organization, in a file that only its owner may read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DemoRecord:
    """A file with a few named texts."""

    path: Path

    def get(self, name: str) -> str:
        """Return a text, empty when there is none."""
        return self._texts().get(name, "")

    def keep(self, name: str, text: str) -> None:
        """Keep a text beside the others."""
        texts = {**self._texts(), name: text}
        with os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            os.fchmod(file.fileno(), 0o600)
            json.dump(texts, file)

    def _texts(self) -> dict[str, str]:
        if not self.path.exists():
            return {}
        return {name: str(text) for name, text in json.loads(self.path.read_text(encoding="utf-8")).items()}

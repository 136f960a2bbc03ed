"""``host.json`` has what the documents give a reason for, and nothing else."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.documents import PROJECT, document


def test_every_setting_of_the_host_has_its_reason() -> None:
    rows = re.findall(
        r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$",
        document("docs/infrastructure.md").section("The host's settings"),
        re.MULTILINE,
    )
    documented = {key: value.strip("`").replace("empty", "") for key, value, _ in rows}

    assert documented == {key: str(value) for key, value in flat(json.loads((PROJECT / "host.json").read_text()))}
    assert all(len(reason) > len("a reason") for _, _, reason in rows)


def flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return each value with the path that leads to it."""
    found = []
    for key, value in values.items():
        found += flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return found

"""The table of parameters says what the templates take, and what production chooses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.documents import document
from tests.infra.bicep import INFRA, Deployment

ROWS = {
    name.strip("`"): (default, production)
    for line in document("docs/infrastructure.md").section("Parameters").splitlines()
    if line.startswith("| `")
    for name, default, production, _ in [[cell.strip() for cell in line.strip("|").split("|")]]
}


@pytest.fixture(scope="module")
def template(built: Path) -> dict[str, Any]:
    compiled: dict[str, Any] = json.loads((built / "main.json").read_text())
    return compiled


def test_the_table_has_every_parameter_with_its_default(template: dict[str, Any]) -> None:
    defaults = {name: shown(each.get("defaultValue")) for name, each in template["parameters"].items()}

    assert {name: default for name, (default, _) in ROWS.items()} == defaults


def test_production_differs_as_the_table_says(built: Path) -> None:
    chosen = json.loads((built / "production.json").read_text())["parameters"]
    documented = {name: production for name, (_, production) in ROWS.items() if production}

    assert documented == {name: shown(each.get("value")) for name, each in chosen.items()}


def test_the_table_of_outputs_has_every_output(template: dict[str, Any], development: Deployment) -> None:
    table = document("docs/infrastructure.md").section("Outputs")
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}

    assert documented == set(template["outputs"]) == set(development.outputs)


def test_every_module_and_query_is_used() -> None:
    text = "".join(path.read_text() for path in INFRA.rglob("*.bicep"))
    files = [*(INFRA / "modules").iterdir(), *(INFRA / "queries").iterdir()]

    assert [path.name for path in files if f"/{path.name}'" not in text and f"'{path.name}'" not in text] == []


def shown(value: Any) -> str:
    """Return a value as the table shows it."""
    if value in (None, "", [], {}):
        return "none"
    if isinstance(value, dict):
        return "all off" if all(each is False for each in value.values()) else "set"
    if isinstance(value, str) and value.startswith("["):
        return "computed"
    return f"`{json.dumps(value)}`".replace('"', "")

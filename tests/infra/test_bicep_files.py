"""Every Bicep file compiles and lints without a word, and the linter has all its rules."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.infra.bicep import INFRA, parameter_files, run_bicep

TEMPLATES = sorted(INFRA.rglob("*.bicep"))
RULES = frozenset((Path(__file__).parent / "linter-rules.txt").read_text().split())
"""The rules of Bicep 0.49, read in its program: a misspelt name in bicepconfig.json is accepted and does nothing."""


def test_every_template_and_every_parameter_file_compiles_without_a_word(built: Path) -> None:
    compiled = {path.relative_to(built).with_suffix("") for path in built.rglob("*.json")}
    expected = {path.relative_to(INFRA).with_suffix("") for path in [*TEMPLATES, *parameter_files()]}

    assert compiled == expected


@pytest.mark.parametrize("pattern", ["**/*.bicep", "**/*.bicepparam"])
def test_the_linter_has_nothing_to_say(bicep: Path, pattern: str) -> None:
    linted = run_bicep(bicep, "lint", "--pattern", pattern)

    assert (linted.stdout, linted.stderr, linted.returncode) == ("", "", 0)


def test_the_linter_looks_at_modules_and_fails_for_what_it_finds(bicep: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(INFRA, tmp_path / "infra")
    module = copy / "modules" / "budget.bicep"
    module.write_text(f"{module.read_text()}\nvar useless = 1\n")

    linted = run_bicep(bicep, "lint", "--pattern", "**/*.bicep", folder=copy)

    assert linted.returncode == 1
    assert "budget.bicep" in linted.stderr
    assert "no-unused-vars" in linted.stderr


def test_every_rule_of_the_linter_is_an_error_but_the_description_of_variables() -> None:
    configured = json.loads((INFRA / "bicepconfig.json").read_text())["analyzers"]["core"]
    levels = {name: rule["level"] for name, rule in configured["rules"].items()}

    assert configured["enabled"] is True
    assert levels == dict.fromkeys(RULES, "error") | {"use-description-vars": "off"}


def test_a_rule_is_disabled_only_with_a_reason() -> None:
    lines = [line for path in TEMPLATES for line in path.read_text().splitlines() if "#disable" in line]

    assert [line for line in lines if " // " not in line or "disable-next-line" not in line] == []
    assert {line.split()[1] for line in lines} == {"BCP037", "use-recent-api-versions"}


def test_no_template_takes_a_secret_or_gives_one(built: Path) -> None:
    whole = json.loads((built / "main.json").read_text())

    assert not [name for name, each in whole["parameters"].items() if each.get("type", "").startswith("secure")]
    text = json.dumps(whole)
    assert not [call for call in ("listKeys", "listAccountSas", "listSecrets", "AccountKey") if call in text]


def test_the_one_preview_of_an_api_is_the_one_that_is_explained(built: Path) -> None:
    text = (built / "main.json").read_text()

    previews = {line.strip().strip(",") for line in text.splitlines() if "apiVersion" in line and "preview" in line}

    assert previews == {'"apiVersion": "2021-05-01-preview"'}

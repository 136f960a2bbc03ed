"""What the documents say of telemetry is what the code tells."""

from __future__ import annotations

import re

import pytest
from azure.monitor.opentelemetry._constants import _ALL_SUPPORTED_INSTRUMENTED_LIBRARIES
from azure.monitor.opentelemetry._utils.configurations import _get_configurations

from tests.documents import PROJECT, document

REFERENCE = document("docs/telemetry.md")


def test_the_reference_and_the_signals_of_operations_name_the_metrics_of_the_code() -> None:
    made = set(re.findall(r'create_\w+\("([\w.]+)"', read("scim/adapters/telemetry/instruments.py")))

    assert names_in(REFERENCE.section("Metrics")) == made
    assert names_in(document("docs/operations.md").section("Signals")) == made


def test_the_reference_names_the_attributes_of_the_spans() -> None:
    code = "".join(read(f"scim/adapters/telemetry/{name}.py") for name in ("requests", "tables", "secrets"))
    names = ("directory_id", "resource_type", "token_version", "token_last_four", "key_id", "organization_id")
    facts = {f"scim.{fact}" for fact in (*names, "actor_type", "actor_id", "link_id", "changes")}

    assert names_in(REFERENCE.section("Spans")) == set(re.findall(r'"(scim\.[\w.]+)"', code)) | facts


def test_the_libraries_of_the_distribution_make_no_spans_of_their_own() -> None:
    assert set(value_of("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS").split(",")) == set(
        _ALL_SUPPORTED_INSTRUMENTED_LIBRARIES
    )


def test_the_sampler_is_one_that_the_distribution_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"):
        monkeypatch.setenv(name, value_of(name))

    assert _get_configurations()["traces_per_second"] == 5.0


def value_of(setting: str) -> str:
    found = re.search(rf"^\| `{setting}` \| `([^`]+)` \|", REFERENCE.text, re.MULTILINE)
    assert found
    return found[1]


def names_in(text: str) -> set[str]:
    return set(re.findall(r"`(scim\.[\w.]+)`", text))


def read(path: str) -> str:
    return (PROJECT / path).read_text(encoding="utf-8")

"""Checkov finds nothing in what is predicted that has no written reason."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.infra.bicep import Deployment
from tests.infra.checkov import Failure, Scan, install_checkov, scan
from tests.infra.conftest import DEPLOYMENTS

WAIVERS = Path(__file__).parent / "checkov-waivers.tsv"
FEWEST_RESOURCES = 25

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scanned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scan:
    folder = tmp_path_factory.mktemp("predicted")
    for name in DEPLOYMENTS:
        deployment: Deployment = request.getfixturevalue(name)
        (folder / f"{name}.json").write_text(deployment.as_template())
    if reason := install_checkov():
        pytest.skip(reason)
    return scan(folder)


def test_checkov_reads_every_deployment(scanned: Scan) -> None:
    """A compiled Bicep file gives it nothing to check, and that would look as if all were well."""
    assert scanned.resources > FEWEST_RESOURCES * len(DEPLOYMENTS)
    assert scanned.passed > FEWEST_RESOURCES * len(DEPLOYMENTS)
    assert scanned.unread == 0


def test_no_check_fails_without_a_written_reason(scanned: Scan) -> None:
    assert sorted(scanned.failures - waived()) == []


def test_no_reason_is_left_of_a_check_that_passes(scanned: Scan) -> None:
    assert sorted(waived() - scanned.failures) == []


def test_checkov_finds_storage_that_speaks_old_protocols(development: Deployment, tmp_path: Path) -> None:
    if reason := install_checkov():
        pytest.skip(reason)
    template = development.as_template()
    open_template = template.replace('"minimumTlsVersion": "TLS1_2"', '"minimumTlsVersion": "TLS1_0"')
    assert open_template != template
    (tmp_path / "development.json").write_text(open_template)

    assert Failure("development", "CKV_AZURE_44", "Storage/storageAccounts") in scan(tmp_path).failures


def waived() -> set[Failure]:
    """Return every failure that has a reason."""
    with WAIVERS.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert all(row["reason"].endswith(".") for row in rows)
    return {Failure(name, row["check"], row["resource"]) for row in rows for name in row["deployments"].split()}

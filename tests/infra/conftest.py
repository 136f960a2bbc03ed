"""The Bicep CLI, and each deployment predicted once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from anthonycmartin.bicep_rpc_client import BicepClientConfiguration, BicepClientFactory
from anthonycmartin.bicep_testing import BicepTestSession

from tests.infra.bicep import INFRA, NOT_FOUND, Deployment, bicep_cli, predict, run_bicep

OPERATOR_ID = "44444444-4444-4444-4444-444444444444"
OPERATOR_IP = "203.0.113.9"


@pytest.fixture(scope="session")
def bicep() -> Path:
    """The CLI; where there is none the test is skipped."""
    cli = bicep_cli()
    if cli is None:
        pytest.skip(NOT_FOUND)
    return cli


@pytest.fixture(scope="session")
def built(bicep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file compiled, in folders as in ``infra/``."""
    folder = tmp_path_factory.mktemp("built")
    templates = run_bicep(bicep, "build", "--pattern", "**/*.bicep", "--outdir", str(folder))
    parameters = run_bicep(bicep, "build-params", "--pattern", "**/*.bicepparam", "--outdir", str(folder))
    printed = [each.stdout + each.stderr for each in (templates, parameters)]
    assert (printed, templates.returncode, parameters.returncode) == (["", ""], 0, 0)
    return folder


@pytest.fixture(scope="session")
def bicep_session(bicep: Path) -> Iterator[BicepTestSession]:
    """A CLI that stays open, since its start takes longest, with the variables that an operator sets."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SCIM_OPERATOR_ID", OPERATOR_ID)
        environment.setenv("SCIM_OPERATOR_IP", OPERATOR_IP)
        environment.setenv("SCIM_ALERT_EMAIL", "operations@example.com")
        session = started(bicep)
    with session:
        yield session


def started(bicep: Path) -> BicepTestSession:
    """Return a session with a CLI that has the variables of this moment."""
    client = BicepClientFactory().initialize(BicepClientConfiguration(existing_cli_path=str(bicep)))
    return BicepTestSession(client)


@pytest.fixture(scope="session")
def development(bicep_session: BicepTestSession) -> Deployment:
    return predict(bicep_session, INFRA / "development.bicepparam")


@pytest.fixture(scope="session")
def production(bicep_session: BicepTestSession) -> Deployment:
    return predict(bicep_session, INFRA / "production.bicepparam")


@pytest.fixture(scope="session")
def operated(bicep_session: BicepTestSession) -> Deployment:
    """Several data accounts, an operator, a publisher, every log."""
    return predict(bicep_session, INFRA / "variants" / "operated.bicepparam")


@pytest.fixture(scope="session")
def private(bicep_session: BicepTestSession) -> Deployment:
    """The private network, and restricted callers."""
    return predict(bicep_session, INFRA / "variants" / "private.bicepparam")


@pytest.fixture(scope="session")
def spread(bicep_session: BicepTestSession) -> Deployment:
    """Two data accounts, of which new directories are placed in the second."""
    return predict(bicep_session, INFRA / "variants" / "spread.bicepparam")


@pytest.fixture(scope="session")
def quiet(bicep_session: BicepTestSession) -> Deployment:
    """Everything off that can be."""
    return predict(bicep_session, INFRA / "variants" / "quiet.bicepparam")


DEPLOYMENTS = ("development", "production", "operated", "private", "quiet", "spread")


@pytest.fixture(params=DEPLOYMENTS)
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """Each of them in turn."""
    found: Deployment = request.getfixturevalue(request.param)
    return found

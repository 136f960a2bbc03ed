"""The Bicep CLI, where there is one, and the resources that it predicts for a parameter file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from anthonycmartin.bicep_testing import BicepTestSession, SnapshotMetadata, SnapshotResource

from tests.documents import PROJECT

INFRA = PROJECT / "infra"
NOT_FOUND = "the Bicep CLI is not in ../shared/tools, on the path or where `az bicep install` puts it"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
_CLI_PLACES = (PROJECT.parent / "shared" / "tools" / "bicep" / "bicep", Path.home() / ".azure" / "bin" / "bicep")


def bicep_cli() -> Path | None:
    """Return the Bicep CLI, or None where there is none."""
    found = [place for place in _CLI_PLACES if place.is_file()]
    on_path = shutil.which("bicep")
    return next(iter([*found, *([Path(on_path)] if on_path else [])]), None)


def run_bicep(cli: Path, *arguments: str, folder: Path = INFRA) -> subprocess.CompletedProcess[str]:
    """Return how a command of the CLI ended, and what it printed; it knows none of an operator's variables."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCIM_")}
    return subprocess.run(
        [cli, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=200, check=False
    )


@dataclass(frozen=True)
class Role:
    """A role assignment, in the words of the table of roles."""

    scope: str
    """The type and name of the resource."""
    role_id: str
    principal: str


@dataclass(frozen=True)
class Deployment:
    """What one parameter file would make."""

    resources: tuple[SnapshotResource, ...]
    diagnostics: tuple[str, ...]
    outputs: Mapping[str, Any]

    def of_type(self, kind: str) -> list[SnapshotResource]:
        """Return the resources of a type."""
        return [each for each in self.resources if each.type == f"Microsoft.{kind}"]

    def only(self, kind: str, ending: str = "") -> SnapshotResource:
        """Return the one resource of a type whose name ends so."""
        (found,) = [each for each in self.of_type(kind) if each.name.endswith(ending)]
        return found

    @cached_property
    def types(self) -> set[str]:
        """The types of all resources, without ``Microsoft.``."""
        return {each.type.removeprefix("Microsoft.") for each in self.resources}

    @cached_property
    def settings(self) -> dict[str, str]:
        """The application settings."""
        return dict(self.only("Web/sites/config").properties)

    @cached_property
    def app(self) -> SnapshotResource:
        """The Function App."""
        return self.only("Web/sites")

    @cached_property
    def roles(self) -> list[Role]:
        """The role assignments."""
        return [_role(each) for each in self.of_type("Authorization/roleAssignments")]

    def as_template(self) -> str:
        """Return a plain ARM template of the resources, as scanners read it."""
        return json.dumps(
            {
                "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
                "contentVersion": "1.0.0.0",
                "resources": [_as_plain(each) for each in self.resources],
            },
            indent=1,
        )


def predict(session: BicepTestSession, parameters: Path) -> Deployment:
    """Return what a parameter file would make. Without a deployment's name and place, names would stay unknown."""
    metadata = SnapshotMetadata(
        tenant_id="33333333-3333-3333-3333-333333333333",
        subscription_id=SUBSCRIPTION,
        resource_group="rg",
        location="westeurope",
        deployment_name="scim",
    )
    snapshot = session.snapshot(parameters, metadata)
    return Deployment(snapshot.predicted_resources, snapshot.diagnostics, snapshot.outputs)


def parameter_files() -> list[Path]:
    """Return every parameter file."""
    return sorted(INFRA.rglob("*.bicepparam"))


def scope_of(resource_id: str) -> str:
    """Return the type and name of the resource that something lies on."""
    parent = resource_id.rpartition("/providers/")[0]
    kind, name = parent.rpartition("/providers/Microsoft.")[2].split("/", 1)
    return f"{kind}/{name}"


def names(resources: Iterable[SnapshotResource]) -> list[str]:
    """Return the last part of each resource's name."""
    return [each.name.rpartition("/")[2] for each in resources]


def _role(assignment: SnapshotResource) -> Role:
    role_id = str(assignment.properties["roleDefinitionId"]).rpartition("/")[2].rstrip("'])")
    return Role(scope_of(assignment.id), role_id, str(assignment.properties["principalId"]))


def _as_plain(resource: SnapshotResource) -> dict[str, Any]:
    return {
        "type": resource.type,
        "apiVersion": resource.api_version,
        "name": resource.name,
        "location": resource.location,
        "properties": dict(resource.properties),
        **resource.additional_properties,
    }

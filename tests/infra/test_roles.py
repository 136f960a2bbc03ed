"""Every right that is given, compared with the table of the documents."""

from __future__ import annotations

import re

from tests.documents import document
from tests.infra.bicep import Deployment, Role

QUEUE_DATA_CONTRIBUTOR = "974c5e8b-45b9-4653-ba55-5f855dd0fb88"
TABLE = document("docs/infrastructure.md").section("Roles")
Row = tuple[str, str, str]


def test_every_role_is_in_the_table_of_the_documents(operated: Deployment) -> None:
    assert {described(operated, role) for role in operated.roles} == documented()


def test_every_role_is_given_once_and_only_on_a_resource(deployment: Deployment) -> None:
    scopes = [role.scope for role in deployment.roles]

    assert len(deployment.roles) == len(set(deployment.roles))
    assert [scope for scope in scopes if "resourceGroups" in scope] == []


def test_the_apps_rights_are_the_same_everywhere_but_those_of_telemetry(
    development: Deployment, production: Deployment, quiet: Deployment
) -> None:
    def of_app(deployment: Deployment) -> set[Row]:
        return {row for role in deployment.roles if (row := described(deployment, role))[2] == "app"}

    assert of_app(development) == of_app(production)
    assert of_app(development) - of_app(quiet) == {
        ("Application Insights", "3913510d-42f4-4e42-8a64-420c390055eb", "app")
    }


def test_without_operator_and_publisher_only_the_app_has_rights(quiet: Deployment) -> None:
    assert {described(quiet, role)[2] for role in quiet.roles} == {"app"}


def described(deployment: Deployment, role: Role) -> Row:
    """Return a role as the table has it: scope, role's id, principal."""
    return place(deployment, role), role.role_id, principal(role)


def place(deployment: Deployment, role: Role) -> str:
    kind, _, name = role.scope.rpartition("/")
    if kind == "Storage/storageAccounts":
        return account(deployment, role, name)
    if kind.endswith("blobServices/default/containers"):
        return f"container `{name}`"
    return {"KeyVault/vaults": "vault", "Insights/components": "Application Insights", "Web/sites": "Function App"}[
        kind
    ]


def account(deployment: Deployment, role: Role, name: str) -> str:
    if name == deployment.outputs["packageAccountName"]:
        return "host account"
    of_queues = role.role_id == QUEUE_DATA_CONTRIBUTOR and name == deployment.outputs["dataAccountName"]
    return "first data account" if of_queues else "data account"


def principal(role: Role) -> str:
    if "id-publisher-" in role.principal:
        return "publisher"
    if "userAssignedIdentities/id-" in role.principal:
        return "app"
    return "operator"


def documented() -> set[Row]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.splitlines() if line[:2] == "| "]
    return {(scope, re.sub("`", "", role_id), who) for scope, _, role_id, who, _ in rows if scope != "Scope"}

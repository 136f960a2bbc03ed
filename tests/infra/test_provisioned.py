"""What each deployment has, and what of it is closed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scim.adapters.storage_queue import QUEUE_NAME
from scim.composed_stores import DIRECTORIES_TABLE, LOG_TABLE, RESOURCES_TABLE
from tests.infra.bicep import INFRA, Deployment, names, predict
from tests.infra.conftest import OPERATOR_ID, started

DEVELOPMENT_TYPES = {
    "Authorization/roleAssignments",
    "Insights/components",
    "Insights/diagnosticSettings",
    "Insights/metricAlerts",
    "Insights/scheduledQueryRules",
    "Insights/workbooks",
    "KeyVault/vaults",
    "ManagedIdentity/userAssignedIdentities",
    "OperationalInsights/workspaces",
    "Storage/storageAccounts",
    "Storage/storageAccounts/blobServices",
    "Storage/storageAccounts/blobServices/containers",
    "Storage/storageAccounts/managementPolicies",
    "Storage/storageAccounts/queueServices",
    "Storage/storageAccounts/queueServices/queues",
    "Storage/storageAccounts/tableServices",
    "Storage/storageAccounts/tableServices/tables",
    "Web/serverfarms",
    "Web/sites",
    "Web/sites/basicPublishingCredentialsPolicies",
    "Web/sites/config",
}
NETWORK_TYPES = {
    "Network/natGateways",
    "Network/privateDnsZones",
    "Network/privateDnsZones/virtualNetworkLinks",
    "Network/privateEndpoints",
    "Network/privateEndpoints/privateDnsZoneGroups",
    "Network/publicIPAddresses",
    "Network/virtualNetworks",
}
UNTAGGED = {
    "Authorization/locks",
    "Authorization/roleAssignments",
    "Consumption/budgets",
    "Insights/diagnosticSettings",
}
"""What Azure gives no tags, beside children of a tagged resource."""


def test_development_has_what_is_needed_and_nothing_else(development: Deployment) -> None:
    assert development.types == DEVELOPMENT_TYPES


def test_what_is_off_is_not_there(quiet: Deployment) -> None:
    off = {"Insights/components", "Insights/metricAlerts", "Insights/scheduledQueryRules"}

    assert quiet.types == DEVELOPMENT_TYPES - off


def test_production_has_the_network_locks_a_budget_and_somebody_to_tell_besides(production: Deployment) -> None:
    more = {"Authorization/locks", "Consumption/budgets", "Insights/actionGroups"}

    assert production.types == DEVELOPMENT_TYPES | NETWORK_TYPES | more


def test_nothing_is_left_unsaid_by_the_prediction(deployment: Deployment) -> None:
    assert deployment.diagnostics == ()


def test_every_resource_that_can_have_tags_has_them(production: Deployment) -> None:
    untagged = [
        each.type
        for each in production.resources
        if each.type.count("/") == 1 and each.additional_properties.get("tags", {}).get("stage") != "production"
    ]

    assert {kind.removeprefix("Microsoft.") for kind in untagged} == UNTAGGED


def test_storage_takes_no_key_no_stranger_and_no_old_protocol(deployment: Deployment) -> None:
    accounts = deployment.of_type("Storage/storageAccounts")

    assert accounts
    for account in accounts:
        properties = account.properties
        assert properties["allowSharedKeyAccess"] is False
        assert properties["allowBlobPublicAccess"] is False
        assert properties["defaultToOAuthAuthentication"] is True
        assert properties["allowCrossTenantReplication"] is False
        assert properties["isLocalUserEnabled"] is False
        assert properties["minimumTlsVersion"] == "TLS1_2"
        assert properties["supportsHttpsTrafficOnly"] is True
    containers = deployment.of_type("Storage/storageAccounts/blobServices/containers")
    assert {each.properties["publicAccess"] for each in containers} == {"None"}


def test_tables_and_queues_are_those_of_the_service(development: Deployment) -> None:
    tables = development.of_type("Storage/storageAccounts/tableServices/tables")
    queues = development.of_type("Storage/storageAccounts/queueServices/queues")

    assert sorted(names(tables)) == sorted([DIRECTORIES_TABLE, LOG_TABLE, RESOURCES_TABLE])
    assert sorted(names(queues)) == [QUEUE_NAME, f"{QUEUE_NAME}-poison"]
    assert {each.name.split("/")[0] for each in [*tables, *queues]} == {development.outputs["dataAccountName"]}


def test_the_hosts_account_and_data_accounts_are_apart(development: Deployment) -> None:
    containers = development.of_type("Storage/storageAccounts/blobServices/containers")

    assert sorted(names(containers)) == ["deployments", "packages"]
    assert {each.name.split("/")[0] for each in containers} == {development.outputs["packageAccountName"]}
    assert development.outputs["packageAccountName"] != development.outputs["dataAccountName"]


def test_kept_packages_go_after_a_year_and_others_never(development: Deployment) -> None:
    policy = development.only("Storage/storageAccounts/managementPolicies").properties["policy"]
    (rule,) = policy["rules"]

    assert rule["definition"]["filters"]["prefixMatch"] == ["packages/"]
    assert rule["definition"]["actions"] == {"baseBlob": {"delete": {"daysAfterModificationGreaterThan": 365}}}


def test_the_vault_knows_roles_only_and_nothing_in_it_can_be_purged(deployment: Deployment) -> None:
    properties = deployment.only("KeyVault/vaults").properties

    assert properties["enableRbacAuthorization"] is True
    assert properties["enableSoftDelete"] is True
    assert properties["enablePurgeProtection"] is True
    assert properties["softDeleteRetentionInDays"] == 90
    assert properties["enabledForTemplateDeployment"] is False
    assert "accessPolicies" not in properties


def test_what_is_done_in_the_vault_is_logged(deployment: Deployment) -> None:
    setting = deployment.only("Insights/diagnosticSettings", "audit")

    assert "/vaults/" in setting.id
    assert setting.properties["logs"] == [{"category": "AuditEvent", "enabled": True}]


def test_workspace_and_application_insights_take_entra_ids_tokens_only(development: Deployment) -> None:
    workspace = development.only("OperationalInsights/workspaces").properties

    assert workspace["features"]["disableLocalAuth"] is True
    assert workspace["workspaceCapping"] == {"dailyQuotaGb": 1}
    assert development.only("Insights/components").properties["DisableLocalAuth"] is True


def test_the_app_runs_python_on_flex_consumption_by_its_identity(deployment: Deployment) -> None:
    plan = deployment.only("Web/serverfarms")
    config = deployment.app.properties["functionAppConfig"]
    storage = config["deployment"]["storage"]

    assert plan.additional_properties["sku"] == {"tier": "FlexConsumption", "name": "FC1"}
    assert config["runtime"] == {"name": "python", "version": "3.13"}
    assert storage["authentication"]["type"] == "UserAssignedIdentity"
    assert "/deployments" in storage["value"] or "deployments" in storage["value"]
    assert deployment.app.additional_properties["identity"]["type"] == "UserAssigned"


def test_an_instance_works_on_more_than_the_one_request_that_python_gets_by_default(development: Deployment) -> None:
    scale = development.app.properties["functionAppConfig"]["scaleAndConcurrency"]

    assert scale == {
        "instanceMemoryMB": 2048,
        "maximumInstanceCount": 100,
        "alwaysReady": [],
        "triggers": {"http": {"perInstanceConcurrency": 100}},
    }
    assert development.app.properties["functionAppConfig"]["siteUpdateStrategy"] == {"type": "Recreate"}


def test_the_app_takes_https_only_and_no_password(deployment: Deployment) -> None:
    site = deployment.app.properties["siteConfig"]
    policies = deployment.of_type("Web/sites/basicPublishingCredentialsPolicies")

    assert deployment.app.properties["httpsOnly"] is True
    assert site["minTlsVersion"] == "1.2"
    assert site["scmMinTlsVersion"] == "1.2"
    assert site["ftpsState"] == "Disabled"
    assert site["remoteDebuggingEnabled"] is False
    assert {each.name.rpartition("/")[2]: each.properties["allow"] for each in policies} == {"ftp": False, "scm": False}


@pytest.mark.parametrize("name", ["private", "production"])
def test_in_the_private_network_storage_and_vault_have_endpoints_and_names(
    name: str, request: pytest.FixtureRequest
) -> None:
    deployment: Deployment = request.getfixturevalue(name)
    endpoints = deployment.of_type("Network/privateEndpoints")
    zones = " ".join(each.name for each in deployment.of_type("Network/privateDnsZones"))
    network = deployment.only("Network/virtualNetworks").properties
    app_subnet = next(each for each in network["subnets"] if each["name"] == "app")["properties"]

    reached = sorted(
        connection["properties"]["groupIds"][0]
        for each in endpoints
        for connection in each.properties["privateLinkServiceConnections"]
    )
    assert reached == ["blob", "queue", "table", "table", "vault"]
    assert len(deployment.of_type("Network/privateEndpoints/privateDnsZoneGroups")) == len(endpoints)
    assert [kind for kind in ("blob", "queue", "table", "vaultcore") if kind not in zones] == []
    assert len(deployment.of_type("Network/privateDnsZones/virtualNetworkLinks")) == 4
    assert app_subnet["delegations"][0]["properties"]["serviceName"] == "Microsoft.App/environments"
    assert "natGateways" in app_subnet["natGateway"]["id"]
    assert str(deployment.app.properties["virtualNetworkSubnetId"]).endswith("/subnets/app")


def test_in_the_private_network_only_the_operators_addresses_come_from_outside(private: Deployment) -> None:
    for account in private.of_type("Storage/storageAccounts"):
        rules = account.properties["networkAcls"]
        assert rules["defaultAction"] == "Deny"
        assert [rule["value"] for rule in rules["ipRules"]] == ["203.0.113.7", "198.51.100.0/28"]
    vault_rules = private.only("KeyVault/vaults").properties["networkAcls"]
    assert vault_rules["defaultAction"] == "Deny"
    assert [rule["value"] for rule in vault_rules["ipRules"]] == ["203.0.113.7", "198.51.100.0/28"]


def test_outside_the_private_network_no_address_is_refused(development: Deployment) -> None:
    for each in [*development.of_type("Storage/storageAccounts"), development.only("KeyVault/vaults")]:
        assert each.properties["publicNetworkAccess"] == "Enabled"
        assert each.properties["networkAcls"]["defaultAction"] == "Allow"


def test_restricted_callers_are_entra_id_and_the_allowed_addresses(private: Deployment) -> None:
    site = private.app.properties["siteConfig"]
    rules = [(rule["tag"], rule["ipAddress"], rule["action"]) for rule in site["ipSecurityRestrictions"]]

    assert site["ipSecurityRestrictionsDefaultAction"] == "Deny"
    assert site["scmIpSecurityRestrictionsUseMain"] is False
    assert rules == [
        ("ServiceTag", "AzureActiveDirectory", "Allow"),
        ("Default", "203.0.113.7/32", "Allow"),
        ("Default", "192.0.2.0/24", "Allow"),
    ]


def test_callers_are_not_restricted_unless_asked_for(development: Deployment) -> None:
    site = development.app.properties["siteConfig"]

    assert (site["ipSecurityRestrictionsDefaultAction"], site["ipSecurityRestrictions"]) == ("Allow", [])


def test_production_is_spread_kept_in_two_regions_and_never_cold(production: Deployment) -> None:
    accounts = {each.name: each.additional_properties["sku"] for each in production.of_type("Storage/storageAccounts")}
    scale = production.app.properties["functionAppConfig"]["scaleAndConcurrency"]

    assert production.only("Web/serverfarms").properties["zoneRedundant"] is True
    assert accounts[production.outputs["dataAccountName"]] == {"name": "Standard_GZRS"}
    assert accounts[production.outputs["packageAccountName"]] == {"name": "Standard_ZRS"}
    assert scale["alwaysReady"] == [{"name": "http", "instanceCount": 2}]


def test_production_locks_data_and_vault(production: Deployment) -> None:
    locks = production.of_type("Authorization/locks")

    locked = {each.id.rpartition("/providers/Microsoft.Authorization")[0].rpartition("/")[2] for each in locks}

    assert locked == {production.outputs["dataAccountName"], production.outputs["vaultName"]}
    assert {each.properties["level"] for each in locks} == {"CanNotDelete"}


def test_the_budget_tells_before_and_after_it_is_spent(production: Deployment) -> None:
    budget = production.only("Consumption/budgets").properties

    assert budget["amount"] == 500
    told = [
        (each["thresholdType"], each["threshold"], each["contactEmails"]) for each in budget["notifications"].values()
    ]
    assert told == [
        ("Actual", 80, ["operations@example.com"]),
        ("Forecasted", 100, ["operations@example.com"]),
    ]


@pytest.mark.parametrize("kind", ["Group", "ServicePrincipal"])
def test_the_operator_may_be_a_group_or_a_program_and_a_budget_that_tells_nobody_is_left_out(
    bicep: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.delenv("SCIM_ALERT_EMAIL", raising=False)
    monkeypatch.setenv("SCIM_OPERATOR_ID", OPERATOR_ID)
    monkeypatch.setenv("SCIM_OPERATOR_TYPE", kind)

    with started(bicep) as session:
        production = predict(session, INFRA / "production.bicepparam")

    assert not production.of_type("Consumption/budgets")
    roles = [each.properties for each in production.of_type("Authorization/roleAssignments")]
    assert {each["principalType"] for each in roles if each["principalId"] == OPERATOR_ID} == {kind}


def test_costly_logs_are_off_unless_asked_for(development: Deployment, operated: Deployment) -> None:
    def categories(deployment: Deployment) -> set[str]:
        settings = deployment.of_type("Insights/diagnosticSettings")
        return {log["category"] for each in settings for log in each.properties["logs"]}

    assert categories(development) == {"AuditEvent"}
    assert categories(operated) == {"AuditEvent", "FunctionAppLogs", "StorageDelete", "StorageRead", "StorageWrite"}


def test_without_telemetry_the_lines_go_to_the_workspace(quiet: Deployment) -> None:
    setting = quiet.only("Insights/diagnosticSettings", "logs")

    assert "/sites/" in setting.id
    assert setting.properties["logs"] == [{"category": "FunctionAppLogs", "enabled": True}]


def test_the_publishing_workflow_signs_in_without_a_secret(operated: Deployment) -> None:
    credential = operated.only("ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials").properties

    assert credential["issuer"] == "https://token.actions.githubusercontent.com"
    assert credential["subject"] == "repo:example/directory-sync:environment:production"
    assert "publisher" in str(operated.outputs["publisherClientId"])


def test_no_output_is_a_secret(deployment: Deployment) -> None:
    text = json.dumps(dict(deployment.outputs)).lower()

    assert not [word for word in ("key=", "connectionstring", "listkeys", "sig=", "password") if word in text]

"""Directories spread over several data accounts: each is provisioned, reached, watched and kept like the first."""

from __future__ import annotations

import json
import re
from pathlib import Path

from scim.composed_stores import DIRECTORIES_TABLE, LOG_TABLE, RESOURCES_TABLE
from scim.settings import Settings, StorageSettings
from tests.infra.bicep import Deployment

TABLE_DATA_CONTRIBUTOR = "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"
QUEUE_DATA_CONTRIBUTOR = "974c5e8b-45b9-4653-ba55-5f855dd0fb88"
FIRST = {
    "DataStorage__tableServiceUri": "https://first.table.core.windows.net",
    "DataStorage__queueServiceUri": "https://first.queue.core.windows.net",
    "SCIM_SECRET_STORE": "file:x",
}


def storage_of(deployment: Deployment) -> StorageSettings:
    """Return what the service makes of its settings."""
    further = evaluated(deployment.settings["SCIM_FURTHER_DATA_ACCOUNTS"])
    chosen = deployment.settings["SCIM_NEW_DIRECTORIES_IN"]
    settings = {**FIRST, "SCIM_FURTHER_DATA_ACCOUNTS": further, "SCIM_NEW_DIRECTORIES_IN": chosen}
    return Settings.from_environment(settings).storage


def evaluated(text: str) -> str:
    """Return what Azure makes of an expression whose only unknown is its own domain: a list of formatted texts."""
    if not text.startswith("["):
        return text
    known = text.replace("environment().suffixes.storage", "'core.windows.net'")
    calls = re.findall(r"format\('([^']+)', ([^()]+)\)", known)
    return ",".join(form.format(*re.findall(r"[\w.]+", values)) for form, values in calls)


def data_accounts(deployment: Deployment) -> list[str]:
    """Return the names of the data accounts, the first one first."""
    host = deployment.outputs["packageAccountName"]
    first = str(deployment.outputs["dataAccountName"])
    names = {each.name for each in deployment.of_type("Storage/storageAccounts")} - {host, first}
    return [first, *sorted(names)]


def test_the_service_is_told_of_every_further_account_and_where_new_directories_go(
    spread: Deployment, operated: Deployment, development: Deployment
) -> None:
    accounts = data_accounts(spread)

    assert storage_of(spread).further_accounts == {"d2": f"https://{accounts[1]}.table.core.windows.net"}
    assert storage_of(spread).new_directories_in == ("d2",)
    assert list(storage_of(operated).further_accounts) == ["d2", "d3"]
    assert storage_of(operated).new_directories_in == ()
    assert storage_of(development).further_accounts == {}


def test_the_command_lines_are_told_the_same_as_the_service(deployment: Deployment) -> None:
    told = (deployment.outputs["furtherDataAccounts"], deployment.outputs["newDirectoriesIn"])

    assert told == (deployment.settings["SCIM_FURTHER_DATA_ACCOUNTS"], deployment.settings["SCIM_NEW_DIRECTORIES_IN"])


def test_further_accounts_have_the_table_of_resources_alone(spread: Deployment) -> None:
    declared = {name: set[str]() for name in data_accounts(spread)}
    for kind in ("tableServices/tables", "queueServices/queues"):
        for each in spread.of_type(f"Storage/storageAccounts/{kind}"):
            account, _, name = each.name.split("/")
            declared[account].add(name)

    first, second = declared.values()
    assert second == {RESOURCES_TABLE}
    assert first > {RESOURCES_TABLE, DIRECTORIES_TABLE, LOG_TABLE}


def test_app_and_operator_reach_the_tables_of_every_account(spread: Deployment) -> None:
    first, second = data_accounts(spread)
    given = {name: [role for role in spread.roles if role.scope.endswith(f"/{name}")] for name in (first, second)}

    assert [role.role_id for role in given[second]] == [TABLE_DATA_CONTRIBUTOR] * 2
    assert len({role.principal for role in given[second]}) == 2
    assert sorted({role.role_id for role in given[first]}) == [TABLE_DATA_CONTRIBUTOR, QUEUE_DATA_CONTRIBUTOR]


def test_every_account_is_watched_locked_kept_and_reached_privately_like_the_first(spread: Deployment) -> None:
    accounts = set(data_accounts(spread))
    alerts = {each.name.removeprefix("throttled-tables-") for each in spread.of_type("Insights/metricAlerts")}
    endpoints = {each.name for each in spread.of_type("Network/privateEndpoints")}
    locked = {each.id.split("/storageAccounts/")[1].split("/")[0] for each in spread.of_type("Authorization/locks")
              if "/storageAccounts/" in each.id}  # fmt: skip
    found = {each.name: each for each in spread.of_type("Storage/storageAccounts")}

    assert accounts <= alerts
    assert {f"pe-{name}-table" for name in accounts} <= endpoints
    assert locked == accounts
    for name in accounts:
        assert found[name].additional_properties["sku"] == {"name": "Standard_GZRS"}
        assert found[name].properties["publicNetworkAccess"] == "Disabled"


def test_every_name_of_a_data_account_that_the_templates_know_is_one_that_the_service_takes(built: Path) -> None:
    template = json.loads((built / "main.json").read_text())
    names = template["definitions"]["dataAccount"]["allowedValues"]
    further = ",".join(f"{name}=https://{name}.table.core.windows.net" for name in names if name != "default")
    every = {"SCIM_FURTHER_DATA_ACCOUNTS": further, "SCIM_NEW_DIRECTORIES_IN": ",".join(names)}

    assert len(names) == template["parameters"]["dataAccountCount"]["maxValue"]
    assert Settings.from_environment({**FIRST, **every}).storage.new_directories_in == tuple(names)

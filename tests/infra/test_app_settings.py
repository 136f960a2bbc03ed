"""The application settings that are provisioned are those that service, host and worker read, no more and no less."""

from __future__ import annotations

import re

from scim.settings import DATA_STORAGE, SETTING_NAMES, TABLE_CLIENT, Settings
from tests.documents import document
from tests.infra.bicep import Deployment

LEFT_OUT = {
    DATA_STORAGE,  # would hold a key
    TABLE_CLIENT,  # its default is right
}
OF_THE_HOST = {
    "AzureWebJobsDisableHomepage",
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__clientId",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__tableServiceUri",
    "DataStorage__credential",
    "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT",
}
REFUSED_BY_FLEX = re.compile(
    "FUNCTIONS_WORKER_RUNTIME.*|FUNCTIONS_EXTENSION_VERSION|WEBSITE_RUN_FROM_PACKAGE|WEBSITE_CONTENT.*|TZ"
    "|SCM_DO_BUILD_DURING_DEPLOYMENT|ENABLE_ORYX_BUILD|WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT|WEBSITE_TIME_ZONE"
    "|PYTHON_ISOLATE_WORKER_DEPENDENCIES|AzureWebJobsStorage|AzureWebJobsDashboard"
)


def test_every_setting_of_the_service_is_provisioned_and_the_service_knows_every_one(development: Deployment) -> None:
    assert set(development.settings) - OF_THE_HOST - set(of_telemetry()) | LEFT_OUT == set(SETTING_NAMES) - set(
        of_telemetry()
    )


def test_the_settings_of_telemetry_are_there_completely_or_not_at_all(
    development: Deployment, quiet: Deployment
) -> None:
    assert set(development.settings) - set(quiet.settings) == set(of_telemetry())
    assert set(quiet.settings) <= set(development.settings)


def test_the_settings_of_telemetry_have_the_values_of_their_document(development: Deployment) -> None:
    fixed = {name: value for name, value in of_telemetry().items() if "<" not in value and " " not in value}

    assert {name: development.settings[name] for name in fixed} == fixed
    assert "'ClientId={0};Authorization=AAD'" in development.settings["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"]


def test_the_table_of_the_documents_has_every_setting(development: Deployment) -> None:
    table = document("docs/infrastructure.md").section("Application settings")
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}

    assert documented == set(development.settings)


def test_storage_is_reached_by_the_apps_identity(deployment: Deployment) -> None:
    for connection in ("AzureWebJobsStorage", "DataStorage"):
        assert deployment.settings[f"{connection}__credential"] == "managedidentity"
        assert deployment.settings[f"{connection}__clientId"].endswith(".clientId]")


def test_nothing_is_set_that_flex_consumption_refuses(deployment: Deployment) -> None:
    assert [name for name in deployment.settings if REFUSED_BY_FLEX.fullmatch(name)] == []


def test_no_setting_is_a_secret(deployment: Deployment) -> None:
    """The one connection string is the address of Application Insights, which takes no key."""
    strings = {name for name, value in deployment.settings.items() if "connectionstring" in (name + value).lower()}
    text = " ".join(deployment.settings.values()).lower()

    assert strings <= {"APPLICATIONINSIGHTS_CONNECTION_STRING"}
    assert [word for word in ("listkeys", "accountkey", "sharedaccess", "password", "@microsoft") if word in text] == []


def test_the_host_lets_bodies_through_that_the_service_refuses_in_scims_form(development: Deployment) -> None:
    assert int(development.settings["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"]) == 2 * 2 * 1024 * 1024
    assert development.settings["AzureWebJobsDisableHomepage"] == "true"


def test_callers_use_the_default_host_name_or_the_one_that_was_chosen(
    development: Deployment, operated: Deployment
) -> None:
    assert "defaultHostName" in development.settings["SCIM_PUBLIC_BASE_URL"]
    assert operated.settings["SCIM_PUBLIC_BASE_URL"] == "https://scim.example.com"
    assert development.settings["SCIM_PUBLIC_BASE_URL"] == development.outputs["baseUrl"]


def test_the_portal_shows_what_was_chosen(operated: Deployment) -> None:
    settings = {name: value for name, value in operated.settings.items() if name.startswith("SCIM_PORTAL_")}

    chosen = Settings.from_environment({**settings, "SCIM_SECRET_STORE": "file:x", "DataStorage": "AccountName=x"})

    assert chosen.portal.name == "Example"
    assert chosen.portal.return_hosts == ("app.example.com", "admin.example.com")


def of_telemetry() -> dict[str, str]:
    """Return the settings of the document on telemetry with their values."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", document("docs/telemetry.md").section("Settings"), re.MULTILINE)
    return {name: value.strip("`") for name, value in rows}

"""Settings: what is missing or malformed is named, and no value is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from scim.settings import SETTING_NAMES, Settings, SettingsError

CONNECTION = "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=c2VjcmV0a2V5;EndpointSuffix=core.windows.net"
LEAST = {"DataStorage": CONNECTION, "SCIM_SECRET_STORE": "file:.local/secrets.json"}
IDENTITY = {
    "DataStorage__tableServiceUri": "https://acct.table.core.windows.net/",
    "DataStorage__queueServiceUri": "https://acct.queue.core.windows.net",
    "SCIM_SECRET_STORE": "file:/var/scim/secrets.json",
}


def test_a_connection_string_and_a_file_are_enough() -> None:
    settings = Settings.from_environment(LEAST)
    assert settings.storage.connection_string == CONNECTION
    assert settings.secret_store_file == Path(".local/secrets.json")
    assert settings.public_base_url == ""
    assert settings.table_client == "rest"


def test_the_apps_identity_takes_the_place_of_a_connection_string() -> None:
    storage = Settings.from_environment({**IDENTITY, "DataStorage__clientId": "1234"}).storage
    assert storage.connection_string == ""
    assert storage.table_service_uri == "https://acct.table.core.windows.net"
    assert storage.queue_service_uri == "https://acct.queue.core.windows.net"
    assert storage.client_id == "1234"


@pytest.mark.parametrize("text", ["https://acme.vault.azure.net", "https://acme.vault.azure.net/"])
def test_a_vault_takes_the_place_of_a_file(text: str) -> None:
    settings = Settings.from_environment({**LEAST, "SCIM_SECRET_STORE": text})
    assert settings.vault_url == "https://acme.vault.azure.net"
    assert settings.secret_store_file is None


@pytest.mark.parametrize("text", ["UseDevelopmentStorage=true", "TableEndpoint=https://x;SharedAccessSignature=sv=1"])
def test_other_forms_of_connection_strings_are_taken(text: str) -> None:
    assert Settings.from_environment({**LEAST, "DataStorage": text}).storage.connection_string == text


@pytest.mark.parametrize(
    "url", ["https://scim.example.com", "https://gate.example.com/sync", "http://127.0.0.1:7071", "http://localhost:1"]
)
def test_a_public_base_url_is_taken_as_written(url: str) -> None:
    assert Settings.from_environment({**LEAST, "SCIM_PUBLIC_BASE_URL": url}).public_base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "scim.example.com",
        "http://scim.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost@example.com",
        "https://scim.example.com/",
        "https://scim.example.com/sync/",
        "https://user:password@scim.example.com",
        "https://scim.example.com?x=1",
        "https://scim.example.com#x",
        "https://scim.example.com:port",
        "https://scim.example.com:99999",
        "https://scim example.com",
        "https://",
        "ftp://scim.example.com",
        "https://[::1",
    ],
)
def test_a_malformed_public_base_url_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^SCIM_PUBLIC_BASE_URL: write the public address") as caught:
        Settings.from_environment({**LEAST, "SCIM_PUBLIC_BASE_URL": url})
    assert "password" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"DataStorage": ""}, r"^DataStorage: is missing: write the connection string"),
        ({"DataStorage": "   "}, r"^DataStorage: is missing"),
        ({"DataStorage": "hunter2"}, r"^DataStorage: is no connection string: write AccountName=…"),
        ({**IDENTITY}, r"^DataStorage: remove either it or DataStorage__tableServiceUri"),
        (
            {"SCIM_SECRET_STORE": ""},
            r"^SCIM_SECRET_STORE: is missing: write https://<vault>\.vault\.azure\.net, or f",
        ),
        ({"SCIM_SECRET_STORE": "file:"}, r"^SCIM_SECRET_STORE: is not supported: write https://"),
        ({"SCIM_SECRET_STORE": "http://hunter2.vault.azure.net"}, r"^SCIM_SECRET_STORE: is not supported"),
        ({"SCIM_SECRET_STORE": "https://hunter2.example.com"}, r"^SCIM_SECRET_STORE: is not supported"),
        ({"SCIM_SECRET_STORE": "https://vault.azure.net"}, r"^SCIM_SECRET_STORE: is not supported"),
        ({"SCIM_SECRET_STORE": "https://a.vault.azure.net.hunter2.com"}, r"^SCIM_SECRET_STORE: is not supported"),
        ({"SCIM_SECRET_STORE": "https://a.vault.azure.net/secrets/hunter2"}, r"^SCIM_SECRET_STORE: is not supported"),
        ({"SCIM_SECRET_STORE": "https://hunter2@a.vault.azure.net"}, r"^SCIM_SECRET_STORE: is not supported"),
        ({"SCIM_SECRET_STORE": "/hunter2.json"}, r"^SCIM_SECRET_STORE: is not supported"),
        ({"SCIM_TABLE_CLIENT": "hunter2"}, r"^SCIM_TABLE_CLIENT: write rest or sdk"),
    ],
)
def test_a_bad_setting_is_named_with_what_to_write(changes: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        Settings.from_environment({**LEAST, **changes})
    assert caught.value.name in SETTING_NAMES
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["DataStorage__tableServiceUri", "DataStorage__queueServiceUri"])
@pytest.mark.parametrize("text", ["", "http://acct.table.core.windows.net", "acct", "https://u:hunter2@acct"])
def test_both_service_addresses_must_be_https(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: write the https address") as caught:
        Settings.from_environment({**IDENTITY, name: text})
    assert "hunter2" not in str(caught.value)


def test_further_data_accounts_are_reached_as_the_first_one_is() -> None:
    by_identity = {
        **IDENTITY,
        "SCIM_FURTHER_DATA_ACCOUNTS": "d2=https://b.table.core.windows.net/, d3=https://c.example",
    }
    other = CONNECTION.replace("acct", "other")
    by_key = {**LEAST, "SCIM_FURTHER_DATA_ACCOUNTS": f"d2={other}", "SCIM_NEW_DIRECTORIES_IN": "d2, default,d2"}

    assert Settings.from_environment(by_identity).storage.further_accounts == {
        "d2": "https://b.table.core.windows.net",
        "d3": "https://c.example",
    }
    assert Settings.from_environment(by_key).storage.further_accounts == {"d2": other}
    assert Settings.from_environment(by_key).storage.new_directories_in == ("d2", "default")
    assert "c2VjcmV0a2V5" not in repr(Settings.from_environment(by_key))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("https://hunter2.example", "give each account a name of its own, of small letters and digits"),
        ("D2=https://hunter2.example", "give each account a name of its own"),
        ("default=https://hunter2.example", "give each account a name of its own, .*default is the name of the first$"),
        ("d2=https://hunter2.example,d2=https://other.example", "give each account a name of its own"),
        ("d2=http://hunter2.example", "write the https address of the service, such as d2="),
        (f"d2={CONNECTION}", "write the https address of the service, such as d2="),
        ("d2=https://hunter2.example,d3=https://hunter2.example", "name each account once, and not the first one"),
        ("d2=https://acct.table.core.windows.net", "name each account once, and not the first one"),
    ],
)
def test_further_data_accounts_that_make_no_sense_are_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=f"^SCIM_FURTHER_DATA_ACCOUNTS: {message}") as caught:
        Settings.from_environment({**IDENTITY, "SCIM_FURTHER_DATA_ACCOUNTS": text})
    assert "hunter2" not in str(caught.value)


def test_a_further_data_account_has_a_key_only_where_the_first_has() -> None:
    with pytest.raises(SettingsError, match=r"^SCIM_FURTHER_DATA_ACCOUNTS: is no connection string"):
        Settings.from_environment({**LEAST, "SCIM_FURTHER_DATA_ACCOUNTS": "d2=https://b.table.core.windows.net"})


def test_new_directories_are_placed_in_data_accounts_that_there_are() -> None:
    expected = "^SCIM_NEW_DIRECTORIES_IN: write default or names of SCIM_FURTHER_DATA_ACCOUNTS"
    with pytest.raises(SettingsError, match=expected) as caught:
        Settings.from_environment({**LEAST, "SCIM_NEW_DIRECTORIES_IN": "default,hunter2"})
    assert "hunter2" not in str(caught.value)


def test_no_secret_is_in_the_repr() -> None:
    assert "c2VjcmV0a2V5" not in repr(Settings.from_environment(LEAST))


@pytest.mark.parametrize("client", ["rest", "sdk"])
def test_the_table_client_is_chosen(client: str) -> None:
    assert Settings.from_environment({**LEAST, "SCIM_TABLE_CLIENT": client}).table_client == client


def test_other_variables_are_not_looked_at() -> None:
    assert Settings.from_environment({**LEAST, "PATH": "/bin"}) == Settings.from_environment(LEAST)

"""The settings of the service, read once from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from scim.directories.placement import DEFAULT_DATA_ACCOUNT

DATA_STORAGE = "DataStorage"
TABLE_SERVICE_URI = "DataStorage__tableServiceUri"
QUEUE_SERVICE_URI = "DataStorage__queueServiceUri"
CLIENT_ID = "DataStorage__clientId"
FURTHER_ACCOUNTS = "SCIM_FURTHER_DATA_ACCOUNTS"
NEW_DIRECTORIES_IN = "SCIM_NEW_DIRECTORIES_IN"
SECRET_STORE = "SCIM_SECRET_STORE"  # noqa: S105 - the name of a setting
PUBLIC_BASE_URL = "SCIM_PUBLIC_BASE_URL"
TABLE_CLIENT = "SCIM_TABLE_CLIENT"
TELEMETRY = "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY"
PORTAL_NAME = "SCIM_PORTAL_NAME"
PORTAL_SUPPORT = "SCIM_PORTAL_SUPPORT"
PORTAL_LOGO = "SCIM_PORTAL_LOGO"
PORTAL_RETURN_HOSTS = "SCIM_PORTAL_RETURN_HOSTS"

SETTING_NAMES = (
    DATA_STORAGE,
    TABLE_SERVICE_URI,
    QUEUE_SERVICE_URI,
    CLIENT_ID,
    FURTHER_ACCOUNTS,
    NEW_DIRECTORIES_IN,
    SECRET_STORE,
    PUBLIC_BASE_URL,
    TABLE_CLIENT,
    TELEMETRY,
    PORTAL_NAME,
    PORTAL_SUPPORT,
    PORTAL_LOGO,
    PORTAL_RETURN_HOSTS,
)
"""Every setting there is, as the reference documents them."""

_VAULT_HOSTS = (".vault.azure.net", ".vault.azure.cn", ".vault.usgovcloudapi.net")
_LOCAL_HOSTS = ("127.0.0.1", "localhost")
_MAX_PORTAL_NAME = 60
_MAIL_ADDRESS = re.compile(r"[A-Za-z0-9.+_-]+@[A-Za-z0-9.-]+")
_ACCOUNT_NAME = re.compile(r"[a-z0-9]{1,24}")
_HOST_NAME = re.compile(r"[a-z0-9.-]+")
_ACCOUNT_PARTS = ("accountname", "tableendpoint", "usedevelopmentstorage")


class SettingsError(Exception):
    """A setting is missing or malformed; the text names it and says what to write, and never holds its value."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(f"{name}: {sentence}")
        self.name = name


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """How the data accounts are reached: by connection strings, or by the app's identity at addresses."""

    connection_string: str = field(default="", repr=False)
    """Empty when the identity is used."""
    table_service_uri: str = ""
    queue_service_uri: str = ""
    client_id: str = ""
    """The client id of a user-assigned identity; empty for the system-assigned one."""
    further_accounts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The data accounts beside the first by their names, each by a connection string or its Table service's address."""
    new_directories_in: tuple[str, ...] = ()
    """The names of the data accounts that new directories are placed in; none for all there are."""


@dataclass(frozen=True, slots=True)
class PortalSettings:
    """How the portal presents the application, and where it may lead back to."""

    name: str = "Directory sync"
    """The application's name, as its customers know it."""
    support: str = ""
    """Whom administrators may ask: an e-mail address or an https address; empty for nobody named."""
    logo: Path | None = None
    """A PNG file; None for the name alone."""
    return_hosts: tuple[str, ...] = ()
    """The hosts that a link's return address may be on."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that differs between deployments."""

    storage: StorageSettings
    secret_store_file: Path | None
    """Where secrets are kept locally; None when they are in a vault."""
    vault_url: str = ""
    """The address of the Key Vault that holds secrets; empty when they are kept locally, or are not needed."""
    public_base_url: str = ""
    """Scheme, host and path prefix under which callers reach the service; empty to use what each caller names."""
    table_client: Literal["rest", "sdk"] = "rest"
    telemetry: bool = False
    """Whether requests, storage and vault calls are spans and metrics, beside the lines of the log."""
    portal: PortalSettings = PortalSettings()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, needs_secret_store: bool = True) -> Settings:
        """Return the settings that an environment holds.

        :param needs_secret_store: Whether its absence is refused; the secret store then must not be used.

        :raises SettingsError: For the first one that is missing or malformed.
        """
        values = {name: environment.get(name, "").strip() for name in SETTING_NAMES}
        secret_store = values[SECRET_STORE]
        secret_store_file, vault_url = _secret_store(secret_store) if secret_store or needs_secret_store else (None, "")
        return cls(
            storage=_storage(values),
            secret_store_file=secret_store_file,
            vault_url=vault_url,
            public_base_url=_public_base_url(values[PUBLIC_BASE_URL]),
            table_client=_table_client(values[TABLE_CLIENT]),
            telemetry=_telemetry(values[TELEMETRY]),
            portal=_portal(values),
        )


def _storage(values: Mapping[str, str]) -> StorageSettings:
    first = _first_account(values)
    further = _further_accounts(values[FURTHER_ACCOUNTS], first)
    chosen = tuple(dict.fromkeys(_listed(values[NEW_DIRECTORIES_IN])))
    if not {DEFAULT_DATA_ACCOUNT, *further}.issuperset(chosen):
        raise SettingsError(
            NEW_DIRECTORIES_IN, f"write {DEFAULT_DATA_ACCOUNT} or names of {FURTHER_ACCOUNTS}, with commas between them"
        )
    return replace(first, further_accounts=further, new_directories_in=chosen)


def _first_account(values: Mapping[str, str]) -> StorageSettings:
    text, table_uri, queue_uri = values[DATA_STORAGE], values[TABLE_SERVICE_URI], values[QUEUE_SERVICE_URI]
    if text and (table_uri or queue_uri):
        raise SettingsError(DATA_STORAGE, f"remove either it or {TABLE_SERVICE_URI} and {QUEUE_SERVICE_URI}")
    if text:
        return StorageSettings(connection_string=_connection_string(DATA_STORAGE, text))
    if not table_uri and not queue_uri:
        raise SettingsError(
            DATA_STORAGE,
            "is missing: write the connection string of the storage account, or set "
            f"{TABLE_SERVICE_URI} and {QUEUE_SERVICE_URI} to use the app's identity",
        )
    return StorageSettings(
        table_service_uri=_service_uri(TABLE_SERVICE_URI, table_uri, "https://<account>.table.core.windows.net"),
        queue_service_uri=_service_uri(QUEUE_SERVICE_URI, queue_uri, "https://<account>.queue.core.windows.net"),
        client_id=values[CLIENT_ID],
    )


def _further_accounts(text: str, first: StorageSettings) -> dict[str, str]:
    accounts: dict[str, str] = {}
    for part in _listed(text):
        name, _, place = part.partition("=")
        if not _ACCOUNT_NAME.fullmatch(name) or name in (DEFAULT_DATA_ACCOUNT, *accounts):
            raise SettingsError(
                FURTHER_ACCOUNTS,
                "give each account a name of its own, of small letters and digits, such as "
                f"d2=https://<account>.table.core.windows.net; {DEFAULT_DATA_ACCOUNT} is the name of the first",
            )
        accounts[name] = _further_account(place, first)
    if len({first.connection_string or first.table_service_uri, *accounts.values()}) <= len(accounts):
        raise SettingsError(FURTHER_ACCOUNTS, "name each account once, and not the first one")
    return accounts


def _further_account(text: str, first: StorageSettings) -> str:
    if first.connection_string:
        return _connection_string(FURTHER_ACCOUNTS, text)
    return _service_uri(FURTHER_ACCOUNTS, text, "d2=https://<account>.table.core.windows.net")


def _connection_string(setting: str, text: str) -> str:
    names = {part.partition("=")[0].strip().lower() for part in text.split(";")}
    if names.isdisjoint(_ACCOUNT_PARTS):
        raise SettingsError(
            setting, "is no connection string: write AccountName=…;AccountKey=…;… or UseDevelopmentStorage=true"
        )
    return text


def _service_uri(name: str, text: str, example: str) -> str:
    # The scheme is checked here because an identity's token is sent to this address.
    if not _is_address(text, schemes=("https",)):
        raise SettingsError(name, f"write the https address of the service, such as {example}")
    return text.rstrip("/")


def _secret_store(text: str) -> tuple[Path | None, str]:
    kind, _, path = text.partition(":")
    if kind == "file" and path:
        return Path(path).expanduser(), ""
    if _is_vault(text):
        return None, text.rstrip("/")
    reason = "is not supported" if text else "is missing"
    example = "https://<vault>.vault.azure.net, or file:<path> such as file:.local/secrets.json"
    raise SettingsError(SECRET_STORE, f"{reason}: write {example}")


def _is_vault(text: str) -> bool:
    # The domain is checked because the app's access token is sent there.
    if not _is_address(text, schemes=("https",)):
        return False
    url = urlsplit(text)
    name, _, domain = (url.hostname or "").partition(".")
    return bool(name) and f".{domain}" in _VAULT_HOSTS and url.path in ("", "/")


def _public_base_url(text: str) -> str:
    if not text:
        return ""
    example = "write the public address of the service, such as https://scim.example.com"
    if not _is_address(text, schemes=("https", "http")):
        raise SettingsError(PUBLIC_BASE_URL, example)
    if text.endswith("/"):
        raise SettingsError(PUBLIC_BASE_URL, f"{example}, without a slash at the end")
    url = urlsplit(text)
    if url.scheme == "http" and url.hostname not in _LOCAL_HOSTS:
        raise SettingsError(PUBLIC_BASE_URL, f"{example}: http is only for {' and '.join(_LOCAL_HOSTS)}")
    return text


def _table_client(text: str) -> Literal["rest", "sdk"]:
    if text in ("", "rest"):
        return "rest"
    if text == "sdk":
        return "sdk"
    raise SettingsError(TABLE_CLIENT, "write rest or sdk, or leave it out for rest")


def _telemetry(text: str) -> bool:
    # The Functions worker reads the setting too, and takes more words for true than these.
    if text.lower() in ("", "false"):
        return False
    if text.lower() == "true":
        return True
    raise SettingsError(TELEMETRY, "write true or false, or leave it out for false")


def _portal(values: Mapping[str, str]) -> PortalSettings:
    name, support, logo = values[PORTAL_NAME], values[PORTAL_SUPPORT], values[PORTAL_LOGO]
    if len(name) > _MAX_PORTAL_NAME:
        raise SettingsError(PORTAL_NAME, f"write at most {_MAX_PORTAL_NAME} characters")
    if support and not _is_address(support, schemes=("https",)) and not _MAIL_ADDRESS.fullmatch(support):
        raise SettingsError(
            PORTAL_SUPPORT, "write an e-mail address, or an https address such as https://example.com/help"
        )
    hosts = tuple(_listed(values[PORTAL_RETURN_HOSTS].lower()))
    if not all(map(_HOST_NAME.fullmatch, hosts)):
        raise SettingsError(PORTAL_RETURN_HOSTS, "write host names with commas between them, such as app.example.com")
    return PortalSettings(name or PortalSettings().name, support, Path(logo) if logo else None, hosts)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _is_address(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        url = urlsplit(text)
        port_is_valid = url.port is None or url.port > 0
    except ValueError:
        return False
    bare = not (url.query or url.fragment or "@" in url.netloc or "?" in text or "#" in text)
    return url.scheme in schemes and bool(url.hostname) and port_is_valid and bare and " " not in text

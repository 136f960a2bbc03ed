"""Which deployment a command is for: the one of the environment, or the one that options name."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path

from scim.settings import (
    DATA_STORAGE,
    FURTHER_ACCOUNTS,
    NEW_DIRECTORIES_IN,
    PUBLIC_BASE_URL,
    QUEUE_SERVICE_URI,
    SECRET_STORE,
    TABLE_SERVICE_URI,
    Settings,
)

_LOCAL_DATA = Path(__file__).parents[2] / ".local"
_LOCAL = {DATA_STORAGE: "UseDevelopmentStorage=true", SECRET_STORE: f"file:{_LOCAL_DATA / 'secrets.json'}"}


def add_deployment_options(parser: ArgumentParser) -> None:
    """Let a command say which deployment it is for."""
    parser.add_argument("--local", action="store_true", help="the data of make run, while it runs")
    parser.add_argument("--account", metavar="NAME", help="a storage account of Azure, reached with your az login")
    parser.add_argument("--vault", metavar="NAME", help="its Key Vault, for what makes, revokes or adopts tokens")
    parser.add_argument("--base-url", metavar="URL", help="its public address, to show Tenant URLs")


def deployment_settings(
    options: Namespace, environment: Mapping[str, str] = os.environ, *, needs_vault: bool = True
) -> Settings:
    """Return the settings: those of the environment, with what options name in their place.

    :param needs_vault: Whether a secret store must be among them.

    :raises SettingsError: For the first one that is missing or malformed.
    """
    named: dict[str, str] = dict(_LOCAL) if options.local else {}
    if options.local or options.account:
        named |= {FURTHER_ACCOUNTS: "", NEW_DIRECTORIES_IN: ""}  # would be those of another deployment
    if options.account:
        named |= {DATA_STORAGE: "", TABLE_SERVICE_URI: "", QUEUE_SERVICE_URI: ""}
        named[TABLE_SERVICE_URI] = f"https://{options.account}.table.core.windows.net"
        named[QUEUE_SERVICE_URI] = f"https://{options.account}.queue.core.windows.net"
    if options.vault:
        named[SECRET_STORE] = f"https://{options.vault}.vault.azure.net"
    if options.base_url:
        named[PUBLIC_BASE_URL] = options.base_url
    return Settings.from_environment({**environment, **named}, needs_secret_store=needs_vault)

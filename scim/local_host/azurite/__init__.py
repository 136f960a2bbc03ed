"""Azurite, Microsoft's storage emulator: installed on first use and started for local runs and tests."""

from scim.local_host.azurite.install import AzuriteError, install_azurite
from scim.local_host.azurite.server import Azurite, start_azurite

__all__ = ["Azurite", "AzuriteError", "install_azurite", "start_azurite"]

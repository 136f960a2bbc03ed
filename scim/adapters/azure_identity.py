"""The identity under which the app reaches Azure services."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.identity.aio import DefaultAzureCredential


def azure_credential(client_id: str) -> DefaultAzureCredential:
    """Return the app's managed identity in Azure; on a developer's machine, the az login.

    :param client_id: The client id of a user-assigned identity; empty for the system-assigned one.
    """
    from azure.identity.aio import DefaultAzureCredential

    return DefaultAzureCredential(managed_identity_client_id=client_id or None)

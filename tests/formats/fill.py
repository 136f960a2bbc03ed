"""Writes the rows of a service that has a little of everything: ``python -m tests.formats.fill > N.json``.

Run once for each format, by the version that writes it. The values are made up, the secrets open nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scim.composition import Application
from scim.directories.actor import Actor, acting
from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.row_format import WRITTEN_FORMAT
from scim.settings import Settings, StorageSettings
from tests.fakes.memory_account import MemoryAccount, RecordedRelayRequests
from tests.fakes.memory_secrets import MemorySecretStore
from tests.service import EXTENSION_URN, ScimClient, add_members, remove_members

MAPPINGS = (
    AttributeMapping("tag", f"{EXTENSION_URN}:tag"),
    AttributeMapping("badge", f"{EXTENSION_URN}:badge", matching=True),
)


async def filled() -> dict[str, Any]:
    """Return the rows of every table, the secrets, and what a test needs to use them."""
    account, secrets = MemoryAccount(), MemorySecretStore()
    application = Application(
        Settings(StorageSettings("UseDevelopmentStorage=true"), Path("unused")),
        account=account,
        secret_store=secrets,
        relay_requests=RecordedRelayRequests(),
    )
    await application.prepare_storage()
    organization = await application.directories.create_organization("Contoso", "customer-7")
    new = await application.directories.create_directory(
        organization.id, name="Entra", provider="entra_id", mappings=MAPPINGS
    )
    client = ScimClient(application, new.directory, new.token, account.requests)
    named = await _resources(client)
    key = await application.api_keys.create("backend", ("read", "write"))
    await application.api_keys.create("reader", ("read",), organization_id=organization.id)
    link = await application.portal_access.create_link(organization.id, label="for Ada", max_uses=2)
    await application.portal_access.redeem(link.code)
    return {
        "format": WRITTEN_FORMAT,
        "written": datetime.now(UTC).isoformat(),
        "organization": organization.id,
        "directory": new.directory.id,
        "token": new.token,
        "api_key": key.value,
        **named,
        "secrets": _secrets(secrets),
        "tables": {name: _rows(account, name) for name in sorted(account.tables)},
    }


async def _resources(client: ScimClient) -> dict[str, Any]:
    """Fill a directory; the last three changes are not relayed."""
    users = []
    for name, extra in (("ada", {"active": True}), ("bob", {"active": False}), ("çelik", {"externalId": "e-3"})):
        made = await client.new_user(
            f"{name}@contoso.com",
            displayName=name.title(),
            name={"givenName": name.title(), "familyName": "Lovelace"},
            emails=[{"type": "work", "value": f"{name}@contoso.com", "primary": True}],
            **{EXTENSION_URN: {"tag": f"t-{name}", "badge": f"b-{name}"}},
            **extra,
        )
        users.append(made["id"])
    large = await client.new_user("big@contoso.com", title="x" * 33_000)
    group = await client.new_group("Staff", users[:2], externalId="g-1")
    await client.new_group("Empty")
    gone = await client.new_user("gone@contoso.com")
    await client.delete(f"/Users/{gone['id']}")
    await client.relay()
    await client.patch(f"/Groups/{group['id']}", add_members(users[2]))
    await client.patch(f"/Groups/{group['id']}", remove_members(users[0]))
    await client.patch(f"/Users/{users[0]}", {"op": "Replace", "path": "title", "value": "Lead"})
    return {"users": users, "big": large["id"], "group": group["id"]}


def _rows(account: MemoryAccount, name: str) -> list[dict[str, Any]]:
    partitions = account.table(name)._partitions
    return [
        {"PartitionKey": partition, "RowKey": row.key, **row.values}
        for partition in sorted(partitions)
        for row in sorted(partitions[partition].values(), key=lambda row: row.key)
    ]


def _secrets(store: MemorySecretStore) -> dict[str, Any]:
    return {
        name: [
            {"version": version, "value": value, "tags": dict(properties.tags)}
            for version, (properties, value) in versions.items()
        ]
        for name, versions in store._versions.items()
    }


if __name__ == "__main__":
    with acting(Actor("operator", "tests", None)):
        rows = asyncio.run(filled())
    sys.stdout.write(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")

"""The rows of a format as a file holds them, and a service over them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scim.adapters.tables.table import insert
from scim.composition import Application
from scim.settings import Settings, StorageSettings
from tests.fakes.memory_account import MemoryAccount, RecordedRelayRequests
from tests.fakes.memory_secrets import MemorySecretStore
from tests.fakes.recorded_outcomes import RecordedOutcomes
from tests.fakes.recorded_uses import RecordedUses
from tests.service import ScimClient

FOLDER = Path(__file__).parent
FILES = tuple(sorted(path.name for path in FOLDER.glob("*.json")))
NEWEST = FILES[-1]


@dataclass(slots=True)
class StoredService:
    """A service over the rows of a file."""

    file: dict[str, Any] = field(repr=False)
    account: MemoryAccount
    secrets: MemorySecretStore
    application: Application = field(repr=False)

    @property
    def format(self) -> int:
        """The format of the rows."""
        number: int = self.file["format"]
        return number

    async def client(self) -> ScimClient:
        """The client of the file's directory, by the token in the file."""
        directory = await self.application.directories.get_directory(self.file["directory"])
        return ScimClient(self.application, directory, self.file["token"], self.account.requests)


async def serve(name: str, now: Callable[[], datetime] | None = None) -> StoredService:
    """Return a service over the rows of a file, at the time at which they were written."""
    file = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    account, secrets = MemoryAccount(), MemorySecretStore()
    for table_name, rows in file["tables"].items():
        for row in rows:
            values = {column: value for column, value in row.items() if column not in ("PartitionKey", "RowKey")}
            await account.table(table_name).commit(row["PartitionKey"], [insert(row["RowKey"], values)])
    for secret, versions in file["secrets"].items():
        for version in versions:
            assert await secrets.set(secret, version["value"], version["tags"]) == version["version"]
    written = datetime.fromisoformat(file["written"]).astimezone(UTC)
    time = now or (lambda: written)

    async def service_clock() -> datetime:
        return time()

    application = Application(
        Settings(StorageSettings("UseDevelopmentStorage=true"), Path("unused")),
        account=account,
        secret_store=secrets,
        relay_requests=RecordedRelayRequests(),
        token_uses=RecordedUses(),
        provisioning_log=RecordedOutcomes(),
        activity=RecordedOutcomes(),
        now=time,
        service_clock=service_clock,
    )
    return StoredService(file, account, secrets, application)

"""A directory with tokens, over stores in memory, and a clock to turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from scim.adapters.tables.directories import TableDirectoryStore
from scim.adapters.tables.organization_feed import TableOrganizationFeed
from scim.adapters.tables.token_rows import TableTokenUses, TableWatchList
from scim.directories.bearer_token import TokenRecord
from scim.directories.directory import Directory, DirectoryReference
from scim.directories.service import DirectoryService
from scim.directories.token_events import TokenEvent
from scim.directories.token_service import TokenService
from scim.directories.token_watcher import TokenWatcher
from scim.provisioning.authentication import AuthenticationFailedException, Authenticator
from tests.fakes.crashing import Crashing
from tests.fakes.memory_secrets import MemorySecretStore
from tests.fakes.memory_table import MemoryTable

START = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@dataclass(slots=True)
class RecordedEvents:
    """Keeps each event once, by its id, and how often events were told; fails while it is told to."""

    kept: dict[str, TokenEvent] = field(default_factory=dict)
    tellings: int = 0
    failure: Exception | None = None

    async def tell(self, event: TokenEvent) -> None:
        self.tellings += 1
        if self.failure is not None:
            raise self.failure
        self.kept.setdefault(event.id, event)

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.kept.values()]


@dataclass(slots=True)
class TokenWorld:
    """What the services of several processes share."""

    table: MemoryTable = field(default_factory=MemoryTable)
    events: RecordedEvents = field(default_factory=RecordedEvents)
    time: datetime = START
    ids: Iterator[int] = field(default_factory=lambda: count(1))
    secrets: MemorySecretStore = field(default_factory=MemorySecretStore)

    def __post_init__(self) -> None:
        self.secrets.now = lambda: self.time

    @property
    def store(self) -> TableDirectoryStore:
        return TableDirectoryStore(self.table)

    @property
    def feed(self) -> TableOrganizationFeed:
        return TableOrganizationFeed(self.table)

    @property
    def watch_list(self) -> TableWatchList:
        return TableWatchList(self.table)

    def directories(self) -> DirectoryService:
        return DirectoryService(self.store, self.secrets, self.feed, now=lambda: self.time, new_id=self.new_id)

    def tokens(self, **parts: Any) -> TokenService:
        """Return a service; parts given by name take the place of the world's."""
        stores = {
            "directories": self.store,
            "secret_store": self.secrets,
            "watch_list": self.watch_list,
            "uses": TableTokenUses(self.table),
            "events": self.events,
        }
        return TokenService(**{**stores, **parts}, now=lambda: self.time, new_id=self.new_id)

    def crashing_tokens(self, at: int, *, after: bool) -> TokenService:
        """Return a service that crashes at one of its steps, over all of its stores."""
        steps = count()
        stores: dict[str, Any] = {
            "directories": self.store,
            "secret_store": self.secrets,
            "watch_list": self.watch_list,
            "events": self.events,
        }
        return self.tokens(**{name: Crashing(store, steps, at, after) for name, store in stores.items()})

    def watcher(self, **parts: Any) -> TokenWatcher:
        """Return the watcher of a process that has just started."""
        stores: dict[str, Any] = {
            "directories": self.store,
            "secret_store": self.secrets,
            "watch_list": self.watch_list,
            "tokens": self.tokens(),
        }
        return TokenWatcher(**{**stores, **parts}, now=lambda: self.time)

    def process(self) -> Authenticator:
        """Return the authenticator of a process that has just started."""
        return Authenticator(self.store, self.secrets, now=lambda: self.time, monotonic=self.elapsed)

    async def accepts(self, directory_id: str, token: str | None) -> bool:
        """Tell whether a process that has just started accepts a token."""
        try:
            await self.process().authenticate(directory_id, f"Bearer {token}")
        except AuthenticationFailedException:
            return False
        return True

    async def new_directory(self) -> tuple[str, str]:
        """Return a new directory's id and its first token."""
        organization = await self.directories().create_organization("Acme")
        created = await self.directories().create_directory(organization.id, name="Entra", provider="entra_id")
        return created.directory.id, created.token

    async def directory(self, directory_id: str) -> Directory:
        return await self.directories().get_directory(directory_id)

    async def valid(self, directory_id: str) -> list[TokenRecord]:
        """Return the valid tokens, oldest first."""
        return list((await self.directory(directory_id)).valid_tokens(self.time))

    async def reference(self, directory_id: str) -> DirectoryReference:
        page = await self.store.list_directories()
        return next(each for each in page.references if each.directory_id == directory_id)

    async def enabled(self, directory_id: str) -> list[str]:
        """Return the versions that the secret store gives."""
        name = (await self.directory(directory_id)).secret_name
        return [version.version for version in self.secrets.versions(name) if version.enabled]

    async def operator_sets(self, directory_id: str, value: str, **properties: Any) -> str:
        """Set a version as ``az keyvault secret set`` does, without tags, and return it."""
        return await self.secrets.set((await self.directory(directory_id)).secret_name, value, {}, **properties)

    def seconds(self) -> float:
        return self.time.timestamp()

    def elapsed(self) -> float:
        return (self.time - START).total_seconds()

    def new_id(self) -> str:
        return f"{next(self.ids):032x}"

    def pass_(self, **duration: float) -> None:
        self.time += timedelta(**duration)
        self.table.ahead += timedelta(**duration)

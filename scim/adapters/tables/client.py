"""One storage account: its tables, and the connections they share."""

from __future__ import annotations

from asyncio import sleep
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from scim.adapters.tables.authorization import (
    AccountKey,
    Authorization,
    BearerToken,
    SharedKeyLite,
    parse_connection_string,
)
from scim.adapters.tables.rest_table import RestTable
from scim.adapters.tables.retrying_table import Pause, RetryingTable, with_retries
from scim.adapters.tables.sdk_table import SdkTable
from scim.adapters.tables.table import Table
from scim.adapters.tables.transport import AiohttpTransport, Transport

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential


Observe = Callable[[str, Table], Table]
"""Returns a table, known by its name, that tells of every attempt of a call."""


class StorageAccount:
    """Hands out tables; one per process, since connections and access token are kept in it."""

    def __init__(
        self,
        endpoint: str,
        credential: AccountKey | AsyncTokenCredential,
        *,
        transport: Transport | None = None,
        sdk: bool = False,
        pause: Pause = sleep,
        observe: Observe = lambda _name, table: table,
    ) -> None:
        """Keep what the tables need; nothing connects yet.

        :param endpoint: The address of the Table service, like ``https://account.table.core.windows.net``.
        :param sdk: Whether tables use the Azure SDK in place of the slim client.
        :param pause: Waits between attempts; tests that let many attempts fail do not.
        :param observe: Put around every table, below the repetition of calls.
        :raises ValueError: When an access token would travel unencrypted.
        """
        if not isinstance(credential, AccountKey) and not endpoint.lower().startswith("https://"):
            raise ValueError("An access token is only sent over https: set a table endpoint that begins with https://.")
        self._endpoint = endpoint.rstrip("/")
        self._credential = credential
        self._authorization = _authorization(credential)
        self._transport = transport or AiohttpTransport()
        self._sdk = sdk
        self._pause = pause
        self._observe = observe
        self._tables: dict[str, RetryingTable] = {}

    @classmethod
    def from_connection_string(
        cls,
        text: str,
        *,
        transport: Transport | None = None,
        sdk: bool = False,
        pause: Pause = sleep,
        observe: Observe = lambda _name, table: table,
    ) -> Self:
        """Return the account that a connection string names, with its key."""
        account = parse_connection_string(text)
        return cls(account.endpoint, account, transport=transport, sdk=sdk, pause=pause, observe=observe)

    def table(self, name: str) -> Table:
        """Return a table, whether it exists or not; the same one each time, since every request asks."""
        if name not in self._tables:
            client = self._sdk_table(name) if self._sdk else self._rest_table(name)
            self._tables[name] = RetryingTable(self._observe(name, client), self._pause)
        return self._tables[name]

    async def create_table(self, name: str) -> None:
        """Create a table unless it exists."""
        await with_retries(self._rest_table(name).create_if_missing, self._pause)

    async def all_rows(self, name: str) -> AsyncIterator[dict[str, Any]]:
        """Yield every row of a table by partition and key, as the service writes it down, while others may write."""
        table = self._rest_table(name)
        continuation: Mapping[str, str] | None = None
        while True:
            page = await with_retries(partial(table.page_of_all, continuation), self._pause)
            for entity in page.entities:
                yield entity
            continuation = page.continuation
            if continuation is None:
                return

    async def close(self) -> None:
        """Close all connections; tables handed out open new ones when they are used again."""
        for table in self._tables.values():
            await table.close()
        await self._transport.close()

    def _sdk_table(self, name: str) -> SdkTable:
        return SdkTable(self._transport, self._endpoint, name, self._credential)

    def _rest_table(self, name: str) -> RestTable:
        return RestTable(self._transport, self._endpoint, name, self._authorization)


def _authorization(credential: AccountKey | AsyncTokenCredential) -> Authorization:
    return SharedKeyLite(credential) if isinstance(credential, AccountKey) else BearerToken(credential)

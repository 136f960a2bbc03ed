"""A secret store in Azure Key Vault."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from scim.adapters.azure_identity import forget_tokens
from scim.adapters.local_secrets import check_secret
from scim.adapters.vault_failures import Pause, VaultRefusedError, attempted
from scim.adapters.vault_pace import Pace
from scim.directories.errors import SecretDeletedError, SecretNotFoundError
from scim.directories.interfaces import ListedSecret, SecretVersion

if TYPE_CHECKING:
    from azure.keyvault.secrets import SecretProperties
    from azure.keyvault.secrets.aio import SecretClient

T = TypeVar("T")

_CONNECT_SECONDS, _READ_SECONDS = 5, 10
_NO_TIME = datetime.fromtimestamp(0, UTC)


class KeyVaultSecretStore:
    """Implements ``SecretStore`` over the Azure SDK; nothing is imported or opened before the first use.

    The SDK repeats nothing: it would wait for as long as the vault asks, beyond the time of the request.
    """

    def __init__(
        self,
        vault_url: str,
        credential: Callable[[], Any],
        *,
        pace: Pace | None = None,
        pause: Pause = asyncio.sleep,
        **options: Any,
    ) -> None:
        """Use a vault.

        :param vault_url: Its address, such as ``https://contoso.vault.azure.net``.
        :param credential: Returns the identity that the app has.
        :param pace: How fast values may be read.
        :param options: Passed on to the SDK's client.
        """
        self._vault_url = vault_url
        self._credential = credential
        self._pace = pace or Pace()
        self._pause = pause
        self._options = options

    async def set(self, name: str, value: str, tags: Mapping[str, str], *, expires: datetime | None = None) -> str:
        """Store a value as the newest version of a secret, and return the version's id."""
        check_secret(name, value)
        try:
            made = await self._attempted(
                lambda: self._client.set_secret(name, value, tags=dict(tags), expires_on=expires)
            )
        except SecretDeletedError as error:
            raise SecretDeletedError(self._advice(name)) from error
        return made.properties.version or ""

    async def get(self, name: str, version: str) -> str:
        """Return the value of a version, in its turn."""

        async def read() -> str:
            await self._pace.turn()
            return (await self._client.get_secret(name, version)).value or ""

        return await self._attempted(read)

    async def disable(self, name: str, version: str) -> None:
        """Make a version unreadable for everybody; doing it again changes nothing."""
        await self._attempted(lambda: self._client.update_secret_properties(name, version, enabled=False))

    async def list_versions(self, name: str) -> Sequence[SecretVersion]:
        """Return all versions of a secret, oldest first as far as seconds tell; none when there is no such secret."""
        versions: list[SecretVersion] = []
        try:
            async for page in self._pages(lambda: self._client.list_properties_of_secret_versions(name)):
                versions += map(_version_of, page)
        except SecretNotFoundError:
            return []
        return sorted(versions, key=lambda version: version.created)

    async def list_secrets(self, prefix: str) -> Sequence[ListedSecret]:
        """Return the secrets whose name begins with a prefix. One request for 25 secrets of any name."""
        listed: list[ListedSecret] = []
        async for page in self._pages(lambda: self._client.list_properties_of_secrets()):  # noqa: PLW0108 - opens late
            listed += [
                ListedSecret(secret.name.lower(), secret.updated_on or _NO_TIME)
                for secret in page
                if secret.name and secret.name.lower().startswith(prefix)
            ]
        return listed

    async def delete(self, name: str) -> None:
        """Delete a secret with all its versions; the vault keeps it recoverable for as long as it is set to."""
        try:
            await self._attempted(lambda: self._client.delete_secret(name))
        except SecretNotFoundError:
            return

    async def recover(self, name: str) -> None:
        """Make the name of a deleted secret usable again, and disable the versions that this brings back."""
        try:
            await self._attempted(lambda: self._client.recover_deleted_secret(name))
        except SecretNotFoundError:
            return  # purged, or recovered by somebody else
        except VaultRefusedError as error:
            raise SecretDeletedError(self._advice(name)) from error
        for version in await self.list_versions(name):
            if version.enabled:
                await self.disable(name, version.version)

    async def close(self) -> None:
        """Close all connections; the store may be used again."""
        client: SecretClient | None = self.__dict__.pop("_client", None)
        if client is not None:
            await client.close()

    @cached_property
    def _client(self) -> SecretClient:
        from azure.keyvault.secrets.aio import SecretClient

        settings = {"connection_timeout": _CONNECT_SECONDS, "read_timeout": _READ_SECONDS, "retry_total": 0}
        return SecretClient(self._vault_url, self._credential(), **{**settings, **self._options})

    async def _attempted(self, call: Callable[[], Awaitable[T]]) -> T:
        return await attempted(call, self._pause, lambda: forget_tokens(self._credential()))

    async def _pages(self, begin: Callable[[], Any]) -> AsyncIterator[Sequence[SecretProperties]]:
        """Yield the pages of a list, each repeated by itself when it fails."""
        continuation: str | None = None
        while True:

            async def page(continuation: str | None = continuation) -> tuple[Sequence[SecretProperties], str | None]:
                pages = begin().by_page(continuation)
                items = [item async for item in await anext(pages)]
                return items, pages.continuation_token

            items, continuation = await self._attempted(page)
            yield items
            if not continuation:
                return

    def _advice(self, name: str) -> str:
        vault = (urlsplit(self._vault_url).hostname or "").partition(".")[0]
        return (
            f"{name} is a deleted secret, whose name takes no new value: recover it with "
            f"az keyvault secret recover --vault-name {vault} --name {name}, or purge it, and try again"
        )


def _version_of(properties: SecretProperties) -> SecretVersion:
    return SecretVersion(
        version=properties.version or "",
        created=properties.created_on or _NO_TIME,
        enabled=properties.enabled is not False,
        tags=properties.tags or {},
        expires=properties.expires_on,
    )

"""The identity under which the app reaches Azure services."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, AccessTokenInfo
    from azure.identity.aio import DefaultAzureCredential

FORGET_PAUSE: Final = 30.0
"""Seconds between two times that tokens are dropped: the identity's endpoint is not asked for each refused request."""
_UNAUTHORIZED: Final = 401


class AppIdentity:
    """A credential whose cached tokens can be dropped.

    azure-identity hands out the same token until its refresh time, whether a service rejected it or not, and has no
    call that drops it; only another credential object has other caches. Implements ``AsyncTokenCredential``.
    """

    def __init__(self, make: Callable[[], Any], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._monotonic = monotonic
        self._credential: Any = None
        self._dropped: list[Any] = []
        self._forgotten = -FORGET_PAUSE

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Return an access token, of the cache or a new one."""
        token: AccessToken = await (await self._current()).get_token(*scopes, **options)
        return token

    async def get_token_info(self, *scopes: str, **options: Any) -> AccessTokenInfo:
        """Return an access token with what is known of it; the SDK's clients ask so."""
        token: AccessTokenInfo = await (await self._current()).get_token_info(*scopes, **options)
        return token

    def forget(self) -> None:
        """Drop all cached tokens, so that the next one comes from the identity's endpoint; at most once in 30 s."""
        now = self._monotonic()
        if self._credential is None or now - self._forgotten < FORGET_PAUSE:
            return
        self._forgotten = now
        self._dropped.append(self._credential)
        self._credential = None

    async def close(self) -> None:
        """Close all connections; the identity may be used again."""
        if self._credential is not None:
            self._dropped.append(self._credential)
            self._credential = None
        while self._dropped:
            await self._dropped.pop().close()

    async def _current(self) -> Any:
        while len(self._dropped) > 1:  # The last one may have requests under way; those before it had 30 s to end.
            await self._dropped.pop(0).close()
        self._credential = self._credential or self._make()
        return self._credential

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def azure_credential(client_id: str) -> AppIdentity:
    """Return the app's managed identity in Azure; on a developer's machine, the az login.

    :param client_id: The client id of a user-assigned identity; empty for the system-assigned one.
    """

    def make() -> DefaultAzureCredential:
        from azure.identity.aio import DefaultAzureCredential

        return DefaultAzureCredential(managed_identity_client_id=client_id or None)

    return AppIdentity(make)


def forget_tokens(credential: object) -> None:
    """Drop the cached tokens of a credential after a service rejected one, where it can."""
    if isinstance(credential, AppIdentity):
        credential.forget()


def is_rejected(error: Exception) -> bool:
    """Tell whether an error of an SDK says that a service did not accept the access token."""
    return getattr(error, "status_code", None) == _UNAUTHORIZED

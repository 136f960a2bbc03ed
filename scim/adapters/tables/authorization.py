"""Proof to Table Storage that we may use it: the account's key, or an access token of a managed identity."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Final, Protocol

from scim.adapters.azure_identity import forget_tokens
from scim.adapters.tables.failures import AttemptFailedError, attempt_timeout

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

STORAGE_SCOPE: Final = "https://storage.azure.com/.default"
_REFRESH_AHEAD: Final = 600.0
_USABLE_UNTIL: Final = 60.0
_REFRESH_PAUSE: Final = 30.0
_DEVELOPMENT: Final = (
    "AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "TableEndpoint=http://127.0.0.1:10002/devstoreaccount1"
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AccountKey:
    """A storage account as a connection string names it; the key never shows in a log."""

    name: str
    key: str = field(repr=False)
    endpoint: str


def parse_connection_string(text: str) -> AccountKey:
    """Return the account that a connection string names; ``UseDevelopmentStorage=true`` names a local Azurite.

    :raises ValueError: Naming the part that is missing or unusable, never its value.
    """
    parts = _parts(text)
    if parts.get("usedevelopmentstorage", "").lower() == "true":
        parts = _parts(_DEVELOPMENT)
    for name in ("AccountName", "AccountKey"):
        if not parts.get(name.lower()):
            raise ValueError(f"The storage connection string has no {name}.")
    key = parts["accountkey"]
    _decoded(key)
    return AccountKey(parts["accountname"], key, _endpoint(parts))


def _parts(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.strip().split(";") if part.strip())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _endpoint(parts: dict[str, str]) -> str:
    if parts.get("tableendpoint"):
        return parts["tableendpoint"].rstrip("/")
    scheme = parts.get("defaultendpointsprotocol", "https")
    suffix = parts.get("endpointsuffix", "core.windows.net")
    return f"{scheme}://{parts['accountname']}.table.{suffix}"


def _decoded(key: str) -> bytes:
    try:
        return b64decode(key, validate=True)
    except (Base64Error, ValueError):
        raise ValueError("The AccountKey of the storage connection string is not Base64.") from None


class Authorization(Protocol):
    """What adds the date and the proof to the headers of a request."""

    async def authorize(self, headers: dict[str, str], path: str) -> None:
        """Add ``x-ms-date`` and ``Authorization`` for a request of ``path``, percent-encoded as it is sent."""
        ...

    def forget(self, proof: str) -> None:
        """Drop what is cached, after storage did not accept an ``Authorization`` header."""
        ...


class SharedKeyLite:
    """Signs with the key of the account."""

    def __init__(self, account: AccountKey) -> None:
        self._key = _decoded(account.key)
        self._resource = f"\n/{account.name}"
        self._prefix = f"SharedKeyLite {account.name}:"

    async def authorize(self, headers: dict[str, str], path: str) -> None:
        """Add the date and the signature of date and path."""
        date = headers["x-ms-date"] = formatdate(usegmt=True)
        signed = hmac.digest(self._key, (date + self._resource + path).encode(), "sha256")
        headers["Authorization"] = self._prefix + b64encode(signed).decode()

    def forget(self, proof: str) -> None:
        """Do nothing: a key does not age."""


class BearerToken:
    """Sends an access token, shared by all requests of the process and renewed ten minutes before it ends.

    Renewal happens once at a time and beside the requests; they wait for it only when no usable token is left.
    """

    def __init__(self, credential: AsyncTokenCredential) -> None:
        self._credential = credential
        self._header = ""
        self._usable_until = 0.0
        self._renew_at = 0.0
        self._renewal: asyncio.Task[None] | None = None

    async def authorize(self, headers: dict[str, str], path: str) -> None:  # noqa: ARG002 - a token covers every path
        """Add the date and the token.

        :raises AttemptFailedError: When there is no usable token and none is obtained in time.
        """
        now = time.time()
        if now >= self._renew_at:
            renewal = self._renewing()
            if now >= self._usable_until:
                await _finished(renewal)
        headers["x-ms-date"] = formatdate(now, usegmt=True)
        headers["Authorization"] = self._header

    def forget(self, proof: str) -> None:
        """Drop the token, and those of the credential, so that the next request obtains another.

        Requests that were sent together are refused together; what was renewed after the first of them stays.
        """
        if proof == self._header:
            self._usable_until = self._renew_at = 0.0
            forget_tokens(self._credential)

    def _renewing(self) -> asyncio.Task[None]:
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew())
            self._renewal.add_done_callback(_log_failure)
        return self._renewal

    async def _renew(self) -> None:
        # Should this fail while the old token still serves, the pause keeps every request from trying again.
        pause = time.time() + _REFRESH_PAUSE
        self._renew_at = min(pause, self._usable_until)
        token = await self._credential.get_token(STORAGE_SCOPE)
        self._header = f"Bearer {token.token}"
        self._usable_until = token.expires_on - _USABLE_UNTIL
        self._renew_at = min(max(token.expires_on - _REFRESH_AHEAD, pause), self._usable_until)


async def _finished(renewal: asyncio.Task[None]) -> None:
    from azure.core.exceptions import AzureError

    try:
        await asyncio.wait_for(asyncio.shield(renewal), attempt_timeout())
    except (AzureError, TimeoutError) as error:
        reason = f"No access token for storage was obtained ({type(error).__name__})."
        raise AttemptFailedError(reason, may_be_applied=False) from error


def _log_failure(renewal: asyncio.Task[None]) -> None:
    if not renewal.cancelled() and (error := renewal.exception()) is not None:
        _log.warning("Obtaining an access token for storage failed: %s", type(error).__name__)

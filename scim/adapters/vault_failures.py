"""What failed calls of the vault's client mean, and which of them are repeated."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from scim.adapters.azure_identity import is_rejected
from scim.directories.errors import (
    SecretDeletedError,
    SecretDisabledError,
    SecretNotFoundError,
    SecretStoreError,
    SecretStoreUnavailableError,
)
from scim.resources.storage_scope import current_storage_scope

MAX_RETRIES: Final = 3
MAX_PAUSE: Final = 2.0
_FIRST_PAUSE: Final = 0.2
_REPEATED_STATUSES: Final = (408, 429, 500, 502, 503, 504)
_UNDER_WAY: Final = ("ObjectIsBeingDeleted", "ObjectIsBeingRecovered")

T = TypeVar("T")
Pause = Callable[[float], Awaitable[None]]
"""Waits so many seconds between two attempts."""


class VaultRefusedError(SecretStoreUnavailableError):
    """The vault refuses us (403): a role is missing, or the vault's firewall does not let us through."""


@dataclass(frozen=True, slots=True)
class _Failure:
    error: SecretStoreError
    may_pass: bool = False
    """Whether it may pass within seconds."""
    wait: float = 0.0
    """How long the vault asked to be left alone."""
    is_rejected: bool = False
    """Whether the vault did not accept our access token."""


def _nothing() -> None:
    return


async def attempted(
    call: Callable[[], Awaitable[T]], pause: Pause = asyncio.sleep, rejected: Callable[[], None] = _nothing
) -> T:
    """Return what a call of the vault's client returns, repeating it at most three times within the request's time.

    :param rejected: Is called when the vault does not accept our access token; then the call is repeated once.
    :raises SecretStoreError: Whatever the client or the credential raised, in our words.
    """
    scope = current_storage_scope()
    failures = 0
    was_rejected = False
    while True:
        try:
            async with asyncio.timeout(scope.remaining()):
                return await call()
        except SecretStoreError:
            raise
        except Exception as error:  # noqa: BLE001 - no error of the client or the credential may look like a defect
            failure = _failure_of(error)
            # An HTTP error holds the request, and with it the value that was to be set: ours goes without it.
            cause = None if isinstance(error, HttpResponseError) else error
        if failure.is_rejected and not was_rejected:
            was_rejected = True
            rejected()
            continue
        seconds = _pause_after(failure, failures)
        if not failure.may_pass or failures == MAX_RETRIES or seconds >= scope.remaining():
            raise failure.error from cause
        failures += 1
        await pause(seconds)


def _pause_after(failure: _Failure, failures: int) -> float:
    longest: float = min(MAX_PAUSE, _FIRST_PAUSE * 2**failures)
    return max(random.uniform(longest / 2, longest), failure.wait)  # noqa: S311 - spreads retries, guards nothing


def _failure_of(error: Exception) -> _Failure:
    if isinstance(error, HttpResponseError) and error.status_code is not None:
        return _answered(error, error.status_code)
    if isinstance(error, ClientAuthenticationError):
        return _Failure(SecretStoreUnavailableError(f"no access token for the vault: {_first_line(error)}"))
    if isinstance(error, TimeoutError):
        return _Failure(SecretStoreUnavailableError("the vault did not answer in time"))
    reason = f"the vault cannot be reached: {type(error).__name__}"
    return _Failure(SecretStoreUnavailableError(reason), may_pass=isinstance(error, AzureError))


def _answered(error: HttpResponseError, status: int) -> _Failure:
    code, told = _code_of(error), f"the vault answered {status}"
    told += f" {code}" if code else ""
    if status == 404:  # noqa: PLR2004
        return _Failure(SecretNotFoundError(told))
    if status == 403:  # noqa: PLR2004
        disabled = code == "SecretDisabled"
        return _Failure(SecretDisabledError(told) if disabled else VaultRefusedError(told))
    if status == 409 and code == "ObjectIsDeletedButRecoverable":  # noqa: PLR2004
        return _Failure(SecretDeletedError(told))
    if is_rejected(error):
        return _Failure(SecretStoreUnavailableError(told), is_rejected=True)
    wait = _retry_after(error)
    unavailable = SecretStoreUnavailableError(told, retry_after=wait)
    may_pass = status in _REPEATED_STATUSES or code in _UNDER_WAY
    return _Failure(unavailable, may_pass and (wait or 0) <= MAX_PAUSE, wait or 0)


def _code_of(error: HttpResponseError) -> str:
    """Return the innermost code of an error's body: the outer one is only ``Forbidden`` or ``Conflict``."""
    told = error.error
    if told is None:
        return ""
    inner = told.innererror or {}
    return str(inner.get("code") or told.code or "")


def _retry_after(error: HttpResponseError) -> int | None:
    text = str(getattr(error.response, "headers", {}).get("Retry-After", ""))
    return int(text) if text.isascii() and text.isdigit() else None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]

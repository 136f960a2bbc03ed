"""What can go wrong with one attempt of a storage call, in our own words: no client library's exception passes on."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from scim.adapters.tables.table import (
    RowChangedError,
    RowExistsError,
    RowMissingError,
    StorageUnavailableError,
    TransactionRefusedError,
)
from scim.resources.storage_scope import current_storage_scope

MAX_ATTEMPT_SECONDS: Final = 10.0
_SHARE_OF_SERVICE: Final = 0.8
_log = logging.getLogger("scim.storage")
TABLE_MISSING: Final = frozenset({"TableNotFound", "TableBeingDeleted"})
_TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})
_THROTTLED: Final = 429
_UNAUTHORIZED: Final = 401
_REFUSALS: Final[Mapping[int, type[TransactionRefusedError]]] = {
    404: RowMissingError,
    409: RowExistsError,
    412: RowChangedError,
}


class AttemptFailedError(StorageUnavailableError):
    """One attempt got no usable answer; another one may.

    ``may_be_applied`` tells that what was sent may have taken effect. ``wait`` is what the service asked for.
    """

    def __init__(self, reason: str, *, may_be_applied: bool, wait: float | None = None) -> None:
        super().__init__(reason)
        self.may_be_applied = may_be_applied
        self.wait = wait


class StorageRefusedError(StorageUnavailableError):
    """Storage refused in a way that repeating does not cure: access denied, table missing, request malformed.

    Callers see storage that is not available, which is what it is until someone mends the configuration.
    """


class ProofRejectedError(StorageRefusedError):
    """Storage does not accept our access token (401), and did nothing: another token may be accepted."""


def attempt_timeout() -> float:
    """Return the seconds one attempt may take: at most 10, and no more than the request has left.

    :raises AttemptFailedError: When nothing is left.
    """
    remaining = current_storage_scope().remaining()
    if remaining <= 0.0:
        raise AttemptFailedError("The time for this request is spent.", may_be_applied=False)
    return min(MAX_ATTEMPT_SECONDS, remaining)


def service_timeout(seconds: float) -> int:
    """Return the seconds after which storage itself gives up a write (its ``timeout`` parameter), before its client.

    Whole seconds, at least one; so what is left of a write when its client goes away ends soon.
    """
    return max(1, int(_SHARE_OF_SERVICE * seconds))


def failed_answer(status: int, code: str, message: str, wait: float | None = None) -> StorageUnavailableError:
    """Return the error for an answer that is neither a result nor the refusal of a transaction."""
    reason = f"Storage answered {status} {code}: {message}"
    if status in _TRANSIENT:
        return AttemptFailedError(reason, may_be_applied=status != _THROTTLED, wait=wait)
    _log.error("storage refused a call: %d %s", status, code)
    return ProofRejectedError(reason) if status == _UNAUTHORIZED else StorageRefusedError(reason)


def refused_write(status: int, code: str, message: str) -> TransactionRefusedError | None:
    """Return the refusal that an answer to a transaction stands for, or None when it is another failure.

    The service names the write in the message (``2:The specified …``) and reports the first that failed.
    """
    refusal = _REFUSALS.get(status)
    if refusal is None or code in TABLE_MISSING:
        return None
    index, separator, _ = message.partition(":")
    return refusal(int(index) if separator and index.isdigit() else 0, uncertain=False)


def error_of(body: bytes | str) -> tuple[str, str]:
    """Return the code and the first line of the message of an OData error, empty when the body is something else."""
    try:
        error = json.loads(body)["odata.error"]
        return str(error["code"]), str(error["message"]["value"]).partition("\n")[0]
    except (ValueError, TypeError, KeyError):
        return "", ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the ``Retry-After`` header asks for, None without a usable one."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds())

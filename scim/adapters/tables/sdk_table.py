"""The same table over Microsoft's own client: slower, kept to compare with and to fall back on."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from scim.adapters.azure_identity import forget_tokens
from scim.adapters.tables.authorization import AccountKey
from scim.adapters.tables.entity import shown_timestamp
from scim.adapters.tables.failures import TABLE_MISSING, AttemptFailedError, failed_answer, refused_write, retry_after
from scim.adapters.tables.filters import range_filter, selected
from scim.adapters.tables.limits import check_transaction, is_possible_key
from scim.adapters.tables.table import (
    Int64,
    Row,
    RowPage,
    StorageUnavailableError,
    TransactionRefusedError,
    Value,
    Write,
)
from scim.adapters.tables.transport import ConnectionLostError, Transport

if TYPE_CHECKING:
    from azure.core.credentials import AzureNamedKeyCredential
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.exceptions import HttpResponseError
    from azure.data.tables import TableEntity

T = TypeVar("T")

_KEYS: Final = frozenset({"PartitionKey", "RowKey"})
_KINDS: Final = {"insert": "create", "replace": "update", "merge": "update", "delete": "delete"}


class SdkTable:
    """A :class:`~scim.adapters.tables.table.Table` over ``azure-data-tables`` that tries once."""

    def __init__(
        self, transport: Transport, endpoint: str, name: str, credential: AccountKey | AsyncTokenCredential
    ) -> None:
        from azure.data.tables.aio import TableClient

        from scim.adapters.tables.sdk_transport import SdkTransport

        sent = SdkTransport(transport, lambda: forget_tokens(credential))
        self._client = TableClient(
            endpoint, name, credential=_sdk_credential(credential), transport=sent, retry_total=0
        )

    async def read(self, partition: str, key: str, *, select: Sequence[str] = ()) -> Row | None:
        """Return a row, or None. One storage request; none for a key that no row can have."""
        if not (is_possible_key(key) and is_possible_key(partition)):
            return None
        wanted = selected(select) if select else None
        return await _answer(self._get(partition, key, wanted, select))

    async def _get(self, partition: str, key: str, wanted: str | None, select: Sequence[str]) -> Row | None:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return _row(await self._client.get_entity(partition, key, select=wanted), select)
        except ResourceNotFoundError as error:
            if _code(error) in TABLE_MISSING:
                raise
            return None

    async def query(
        self,
        partition: str,
        first: str,
        end: str,
        *,
        select: Sequence[str] = (),
        limit: int = 1000,
        continuation: Mapping[str, str] | None = None,
    ) -> RowPage:
        """Return a page of the rows with ``first`` <= key < ``end``. One storage request."""
        return await _answer(self._page(range_filter(partition, first, end), select, limit, continuation))

    async def _page(
        self, query: str, select: Sequence[str], limit: int | None, continuation: Mapping[str, str] | None
    ) -> RowPage:
        wanted = selected(select) if select else None
        found = self._client.query_entities(query, results_per_page=limit, select=wanted)
        pages: Any = found.by_page(continuation)  # type: ignore[arg-type]  # a mapping, whatever the SDK declares
        rows = [_row(entity, select) async for entity in await anext(pages)]
        return RowPage(rows, pages.continuation_token or None)

    async def commit(self, partition: str, writes: Sequence[Write]) -> list[str]:
        """Apply all writes or none, and return the new ETags in order. One storage request."""
        check_transaction(partition, writes)
        operations = [_operation(partition, write) for write in writes]
        results = await _answer(self._client.submit_transaction(operations))
        if len(results) != len(writes):
            raise AttemptFailedError(f"Storage answered {len(results)} of {len(writes)} writes.", may_be_applied=True)
        return [str(result.get("etag", "")) for result in results]


def _sdk_credential(credential: AccountKey | AsyncTokenCredential) -> AzureNamedKeyCredential | AsyncTokenCredential:
    from azure.core.credentials import AzureNamedKeyCredential

    if isinstance(credential, AccountKey):
        return AzureNamedKeyCredential(credential.name, credential.key)
    return credential


async def _answer(call: Awaitable[T]) -> T:
    from azure.core.exceptions import AzureError, DeserializationError, HttpResponseError

    try:
        return await call
    except ConnectionLostError as error:
        raise AttemptFailedError(str(error), may_be_applied=error.sent) from error
    except HttpResponseError as error:
        raise _failure(error) from error
    except (HTTPException, DeserializationError, AttributeError) as error:  # the SDK trips over what is no answer
        raise AttemptFailedError("Storage answered with something unreadable.", may_be_applied=True) from error
    except AzureError as error:
        raise AttemptFailedError(f"No request was sent ({type(error).__name__}).", may_be_applied=False) from error


def _failure(error: HttpResponseError) -> StorageUnavailableError | TransactionRefusedError:
    from azure.data.tables import TableTransactionError

    status, code = error.status_code or 0, _code(error)
    message = str(error.message).partition("\n")[0]
    if isinstance(error, TableTransactionError) and (refusal := refused_write(status, code, message)):
        return refusal
    wait = retry_after(getattr(error.response, "headers", {}))
    return failed_answer(status, code, message, wait)


def _code(error: HttpResponseError) -> str:
    code = getattr(error, "error_code", None) or ""
    return str(getattr(code, "value", code))


def _operation(partition: str, write: Write) -> tuple[str, dict[str, Any], dict[str, Any]]:
    from azure.core import MatchConditions

    entity = {name: _sent(value) for name, value in write.values.items()}
    entity |= {"PartitionKey": partition, "RowKey": write.key}
    if write.kind == "insert":
        return "create", entity, {}
    options: dict[str, Any] = {} if write.kind == "delete" else {"mode": write.kind}
    if write.etag != "*":  # without an ETag the SDK itself asks for any existing row
        options |= {"etag": write.etag, "match_condition": MatchConditions.IfNotModified}
    return _KINDS[write.kind], entity, options


def _sent(value: Value) -> object:
    if isinstance(value, Int64):
        from azure.data.tables import EdmType, EntityProperty

        return EntityProperty(int(value), EdmType.INT64)
    plain: Any = value
    kinds: tuple[type[Any], ...] = (str, bool, int, float, bytes)
    for kind in kinds:  # an enumeration of texts or numbers goes as what it is made of
        if isinstance(plain, kind):
            return kind(plain)
    return value


def _row(entity: TableEntity, select: Sequence[str]) -> Row:
    values = {name: _received(value) for name, value in entity.items() if name not in _KEYS}
    timestamp = getattr(entity.metadata["timestamp"], "tables_service_value", "")
    return Row(entity.get("RowKey", ""), entity.metadata["etag"] or "", values, shown_timestamp(timestamp, select))


def _received(value: Any) -> Value:
    if isinstance(value, tuple):
        return Int64(value[0])
    if isinstance(value, datetime):
        return datetime.fromisoformat(value.isoformat())
    if isinstance(value, UUID):
        return str(value)
    return value  # type: ignore[no-any-return]

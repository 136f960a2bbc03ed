"""The slim client: a table over plain HTTP, one attempt a call, for the hot path."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

from scim.adapters.tables.authorization import Authorization
from scim.adapters.tables.batch import BatchCodec, decode_batch
from scim.adapters.tables.entity import decode_entity, url_key
from scim.adapters.tables.failures import (
    TABLE_MISSING,
    AttemptFailedError,
    attempt_timeout,
    error_of,
    failed_answer,
    retry_after,
    service_timeout,
)
from scim.adapters.tables.filters import MAX_ROWS, range_filter, selected
from scim.adapters.tables.limits import check_payload, check_transaction, is_possible_key
from scim.adapters.tables.table import Row, RowPage, StorageUnavailableError, Write
from scim.adapters.tables.transport import ConnectionLostError, StorageRequest, StorageResponse, Transport

_DECODED_AT_ONCE: Final = 100
_OK: Final = 200
_CREATED: Final = frozenset({201, 204})
_ACCEPTED: Final = 202
_UNAUTHORIZED: Final = 401
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_HEADERS: Final = {
    "Accept": "application/json;odata=minimalmetadata",
    "x-ms-version": "2019-02-02",
    "DataServiceVersion": "3.0",
    "MaxDataServiceVersion": "3.0;NetFx",
}


@dataclass(frozen=True, slots=True)
class EntityPage:
    """Rows of any partitions as JSON objects with their Edm types, and where to continue, or None at the end."""

    entities: Sequence[dict[str, Any]]
    continuation: Mapping[str, str] | None


class RestTable:
    """A :class:`~scim.adapters.tables.table.Table` that tries once; wrap it to have calls repeated."""

    def __init__(self, transport: Transport, endpoint: str, name: str, authorization: Authorization) -> None:
        parts = urlsplit(endpoint)
        self._transport = transport
        self._authorization = authorization
        self._name = name
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._account_path = parts.path.rstrip("/")
        self._path = f"{self._account_path}/{name}"
        self._codec = BatchCodec(self._origin + self._account_path, name)

    async def read(self, partition: str, key: str, *, select: Sequence[str] = ()) -> Row | None:
        """Return a row, or None. One storage request; none for a key that no row can have."""
        if not (is_possible_key(key) and is_possible_key(partition)):
            return None
        path = f"{self._path}(PartitionKey='{url_key(partition)}',RowKey='{url_key(key)}')"
        response = await self._send("GET", path, f"?$select={selected(select)}" if select else "")
        if response.status == _OK:
            return decode_entity(_decoded(response), select, etag=response.headers.get("etag", ""))
        if response.status == _NOT_FOUND and error_of(response.body)[0] not in TABLE_MISSING:
            return None
        raise _failure(response)

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
        query = f"$filter={quote(range_filter(partition, first, end), safe='')}&$top={limit}"
        return await self._page(query, select, continuation)

    async def page_of_all(self, continuation: Mapping[str, str] | None) -> EntityPage:
        """Return a page of the rows of all partitions, as the service writes them down. One storage request."""
        response = await self._answered(f"$top={MAX_ROWS}", continuation)
        return EntityPage(_decoded(response)["value"], _continuation(response.headers))

    async def commit(self, partition: str, writes: Sequence[Write]) -> list[str]:
        """Apply all writes or none, and return the new ETags in order. One storage request."""
        check_transaction(partition, writes)
        body = self._codec.encode(partition, writes)
        check_payload(len(body))
        path = f"{self._account_path}/$batch"
        query = f"?timeout={service_timeout(attempt_timeout())}"
        response = await self._send("POST", path, query, content_type=self._codec.content_type, body=body)
        if response.status != _ACCEPTED:
            raise _failure(response)
        return decode_batch(response.body, len(writes))

    async def create_if_missing(self) -> None:
        """Create the table itself unless it exists. One storage request."""
        body = json.dumps({"TableName": self._name}).encode()
        path = f"{self._account_path}/Tables"
        response = await self._send("POST", path, content_type="application/json", body=body)
        exists = response.status == _CONFLICT and error_of(response.body)[0] == "TableAlreadyExists"
        if not exists and response.status not in _CREATED:
            raise _failure(response)

    async def _page(self, query: str, select: Sequence[str], continuation: Mapping[str, str] | None) -> RowPage:
        if select:
            query += f"&$select={selected(select)}"
        response = await self._answered(query, continuation)
        rows = await _rows(_decoded(response)["value"], select)
        return RowPage(rows, _continuation(response.headers))

    async def _answered(self, query: str, continuation: Mapping[str, str] | None) -> StorageResponse:
        for name, value in (continuation or {}).items():
            query += f"&Next{name}={quote(value, safe='')}"
        response = await self._send("GET", f"{self._path}()", f"?{query}")
        if response.status != _OK:
            raise _failure(response)
        return response

    async def _send(
        self, method: str, path: str, query: str = "", *, content_type: str = "", body: bytes = b""
    ) -> StorageResponse:
        headers = dict(_HEADERS)
        if content_type:
            headers["Content-Type"] = content_type
        await self._authorization.authorize(headers, path)
        request = StorageRequest(method, f"{self._origin}{path}{query}", headers, body)
        try:
            response = await self._transport.send(request, attempt_timeout())
        except ConnectionLostError as error:
            raise AttemptFailedError(str(error), may_be_applied=error.sent) from error
        if response.status == _UNAUTHORIZED:
            self._authorization.forget(headers["Authorization"])
        return response


async def _rows(entities: Sequence[dict[str, Any]], select: Sequence[str]) -> list[Row]:
    """Return the rows of a page; between parts of a long one other requests of the process have their turn."""
    rows: list[Row] = []
    for start in range(0, len(entities), _DECODED_AT_ONCE):
        if start:
            await asyncio.sleep(0)
        rows += [decode_entity(entity, select) for entity in entities[start : start + _DECODED_AT_ONCE]]
    return rows


def _decoded(response: StorageResponse) -> dict[str, Any]:
    try:
        decoded: dict[str, Any] = json.loads(response.body)
    except ValueError as error:
        raise AttemptFailedError("Storage answered with something else than JSON.", may_be_applied=False) from error
    return decoded


def _continuation(headers: Mapping[str, str]) -> dict[str, str] | None:
    names = ("PartitionKey", "RowKey")
    found = {name: headers.get(f"x-ms-continuation-Next{name}", "") for name in names}
    return {name: value for name, value in found.items() if value} or None


def _failure(response: StorageResponse) -> StorageUnavailableError:
    code, message = error_of(response.body)
    code = code or response.headers.get("x-ms-error-code", "")
    return failed_answer(response.status, code, message, retry_after(response.headers))

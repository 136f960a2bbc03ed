"""Lets the Azure SDK send through our transport: counting, time-outs and faults are the same for both clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Self

from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.core.rest._http_response_impl_async import AsyncHttpResponseImpl  # private: it alone reads multipart answers
from yarl import URL

from scim.adapters.tables.failures import attempt_timeout, service_timeout
from scim.adapters.tables.limits import check_payload
from scim.adapters.tables.transport import StorageRequest, StorageResponse, Transport

_UNAUTHORIZED: Final = 401


class SdkTransport(AsyncHttpTransport[HttpRequest, AsyncHttpResponse]):
    """Implements azure-core's transport; the connections belong to the transport beneath and are closed there."""

    def __init__(self, transport: Transport, rejected: Callable[[], None]) -> None:
        """Send through a transport.

        :param rejected: Is called when storage does not accept our access token; the SDK itself drops its own copy.
        """
        self._transport = transport
        self._rejected = rejected

    async def send(self, request: HttpRequest, **_: Any) -> AsyncHttpResponse:
        """Return the answer to a request of the SDK; ``ConnectionLostError`` passes through its pipeline."""
        content = request.content or b""
        body = content.encode() if isinstance(content, str) else content
        check_payload(len(body))
        # The SDK signs the URL in yarl's spelling, so it is sent in that spelling.
        url = str(URL(request.url))
        headers = {name: value for name, value in request.headers.items() if name != "Content-Length"}
        seconds = attempt_timeout()
        if request.method != "GET":
            # Not part of what is signed, as of the whole query nothing but "comp" is.
            url = str(URL(url).update_query(timeout=service_timeout(seconds)))
        response = await self._transport.send(StorageRequest(request.method, url, headers, body), seconds)
        if response.status == _UNAUTHORIZED:
            self._rejected()
        return _SdkResponse(request, response)

    async def open(self) -> None:
        """Do nothing: connections open when they are needed."""

    async def close(self) -> None:
        """Do nothing: the transport is shared."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


class _SdkResponse(AsyncHttpResponseImpl):
    """An answer that is read already."""

    def __init__(self, request: HttpRequest, response: StorageResponse) -> None:
        super().__init__(
            request=request,
            internal_response=None,
            status_code=response.status,
            headers=response.headers,
            reason="",
            content_type=response.headers.get("Content-Type"),
            stream_download_generator=None,
            block_size=None,
        )
        self._content = self._whole = response.body

    async def read(self) -> bytes:
        self._is_stream_consumed = True
        return self._whole

    def body(self) -> bytes:
        return self._whole

    async def close(self) -> None:
        self._is_closed = True

"""An ASGI application that answers as the Azure Functions host does, with the functions of a FunctionApp."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from azure.functions import HttpRequest, HttpResponse

from scim.local_host.functions import HttpFunction
from scim.local_host.routing import Route, Router, decoded_path, url_path

MAX_BODY_BYTES = 100 * 1024 * 1024
_NO_BODY_LENGTH = frozenset({204, 304})
_LOG = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_Headers = list[tuple[bytes, bytes]]
_Answer = tuple[int, _Headers, bytes]


class _BodyTooLargeError(Exception):
    pass


class _DisconnectedError(Exception):
    pass


class FunctionsHttpServer:
    """The ASGI application. Its answers are empty where no function answers: 404, 413, and 500 after an exception."""

    def __init__(
        self, functions: Iterable[HttpFunction], *, route_prefix: str, custom_headers: Mapping[str, str]
    ) -> None:
        self._router = Router(
            (Route(each.name, each.route, each.methods, each) for each in functions), prefix=route_prefix
        )
        self._custom_headers = {name.lower(): value for name, value in custom_headers.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        try:
            status, headers, body = await self._answer(scope, receive)
        except _DisconnectedError:
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> _Answer:
        raw_path = scope["raw_path"].decode("ascii", "replace")
        found = self._router.match(scope["method"], decoded_path(raw_path))
        if found is None:
            return self._empty(404)
        function, route_values = found
        try:
            body = await _read_body(receive)
        except _BodyTooLargeError:
            return self._empty(413)
        try:
            result = await _invoke(function, _http_request(scope, raw_path, route_values, body))
            return self._converted(result)
        except Exception:  # noqa: BLE001 - the host answers whatever a function raises
            _LOG.exception("function %s raised", function.name)
            return self._empty(500)

    def _converted(self, result: Any) -> _Answer:
        """Return a function's result in the form the worker and the host give it."""
        if isinstance(result, str):
            result = HttpResponse(result)
        if not isinstance(result, HttpResponse):
            raise TypeError(f"a function must return HttpResponse or str, not {type(result).__name__}")
        # Repeated names pass through a map on their way to the host and keep the last value; cookies do not.
        named = {name.lower(): value for name, value in result.headers.items()}
        named.pop("content-length", None)
        # The worker names a domain with every cookie, an empty one, as if the app had asked for it.
        found = result.headers.getlist("set-cookie") if named.pop("set-cookie", None) else []
        cookies = [cookie if "domain=" in cookie.lower() else f"{cookie}; domain=" for cookie in found]
        if "content-type" not in named:
            charset = f"; charset={result.charset}" if result.mimetype.startswith("text/") else ""
            named["content-type"] = f"{result.mimetype}{charset}"
        pairs = [*named.items(), *(("set-cookie", cookie) for cookie in cookies)]
        return self._with_host_headers(result.status_code, pairs, result.get_body())

    def _with_host_headers(self, status: int, pairs: list[tuple[str, str]], body: bytes) -> _Answer:
        present = {name for name, _ in pairs}
        pairs += [(name, value) for name, value in self._custom_headers.items() if name not in present]
        if status not in _NO_BODY_LENGTH:
            pairs.append(("content-length", str(len(body))))
        return status, [(name.encode(), _header_value(name, value)) for name, value in pairs], body

    def _empty(self, status: int) -> _Answer:
        return self._with_host_headers(status, [], b"")


def _header_value(name: str, value: str) -> bytes:
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"header {name} has a character that the host refuses")
    return value.encode()


async def _read_body(receive: Receive) -> bytes:
    """Return the whole body; nothing is called for a caller that is gone before it ended."""
    chunks, length = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _DisconnectedError
        chunk = message.get("body", b"")
        length += len(chunk)
        if length > MAX_BODY_BYTES:
            raise _BodyTooLargeError
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


async def _invoke(function: HttpFunction, request: HttpRequest) -> Any:
    if function.is_async:
        return await function.call(**{function.parameter: request})
    return await asyncio.to_thread(function.call, **{function.parameter: request})


def _http_request(scope: Scope, raw_path: str, route_values: Mapping[str, str], body: bytes) -> HttpRequest:
    headers = _request_headers(scope["headers"], len(body))
    query = scope["query_string"].decode("utf-8", "replace")
    url = f"{scope['scheme']}://{headers.get('host', '')}{url_path(raw_path)}{'?' if query else ''}{query}"
    params = _query(query) if query else {}
    return HttpRequest(scope["method"], url, headers=headers, params=params, route_params=route_values, body=body)


def _request_headers(pairs: Iterable[tuple[bytes, bytes]], body_length: int) -> dict[str, str]:
    """Return headers by lower-case name, repeated ones joined; a chunked body comes with its length, as if deployed."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("ascii"), raw_value.decode("utf-8", "replace")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    if headers.pop("transfer-encoding", None) is not None:
        headers["content-length"] = str(body_length)
    return headers


def _query(query: str) -> dict[str, str]:
    """Return query values by the first spelling of their name, repeated ones joined; empty ones are dropped."""
    spelling: dict[str, str] = {}
    values: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        name = spelling.setdefault(name.lower(), name)  # noqa: PLW2901 - the first spelling stands for all
        values[name] = f"{values[name]},{value}" if name in values else value
    return {name: value for name, value in values.items() if value}

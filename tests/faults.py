"""A transport that fails on command, at any storage call, before or after storage has acted."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit
from uuid import uuid4

from multidict import CIMultiDict

from scim.adapters.tables.transport import ConnectionLostError, StorageRequest, StorageResponse, Transport
from scim.resources.storage_scope import current_storage_scope

Kind = Literal["read", "query", "transaction", "table"]
Send = Callable[[StorageRequest], Awaitable[StorageResponse]]
Fault = Callable[[StorageRequest, Send], Awaitable[StorageResponse]]
_EMPTY_PAGE = "x-faulty-empty-page-"


@dataclass(frozen=True, slots=True)
class Call:
    """One storage request: its number from 1, its kind, what was sent, and the seconds it was given."""

    number: int
    kind: Kind
    request: StorageRequest
    timeout: float

    @property
    def method(self) -> str:
        return self.request.method


@dataclass(slots=True)
class _Plan:
    matches: Callable[[Call], bool]
    fault: Fault
    times: int


class FaultyTransport:
    """Wraps a transport; does what the first matching plan says, else sends."""

    def __init__(self, transport: Transport) -> None:
        self.calls: list[Call] = []
        self._transport = transport
        self._plans: list[_Plan] = []

    def at(self, number: int, fault: Fault) -> None:
        """Let the call of this number, counted from 1 since the last :meth:`reset`, fail."""
        self.when(lambda call: call.number == number, fault)

    def when(self, matches: Callable[[Call], bool], fault: Fault, *, times: int = 1) -> None:
        """Let the next calls that match fail."""
        self._plans.append(_Plan(matches, fault, times))

    def reset(self) -> None:
        """Forget calls and plans."""
        self.calls.clear()
        self._plans.clear()

    def count(self, kind: Kind | None = None) -> int:
        """Return how many calls were made, failed ones included."""
        return sum(kind in (None, call.kind) for call in self.calls)

    async def send(self, request: StorageRequest, timeout: float) -> StorageResponse:  # noqa: ASYNC109 - as declared
        call = Call(len(self.calls) + 1, _kind(request), request, timeout)
        self.calls.append(call)
        before = current_storage_scope().requests
        try:
            return await self._answer(call)
        finally:
            # A call that never reached the real transport is a storage request of ours all the same.
            current_storage_scope().requests = before + 1

    async def close(self) -> None:
        await self._transport.close()

    async def _answer(self, call: Call) -> StorageResponse:
        async def send(request: StorageRequest) -> StorageResponse:
            return await self._transport.send(_resumed(request), call.timeout)

        for plan in self._plans:
            if plan.times and plan.matches(call):
                plan.times -= 1
                return await plan.fault(call.request, send)
        return await send(call.request)


def transactions(call: Call) -> bool:
    """Match entity group transactions."""
    return call.kind == "transaction"


def queries(call: Call) -> bool:
    """Match queries, those by several keys included."""
    return call.kind == "query"


def anything(call: Call) -> bool:
    """Match every call."""
    return True


def drop_before_send() -> Fault:
    """The connection cannot be made: storage never sees the request."""

    async def fault(request: StorageRequest, send: Send) -> StorageResponse:
        raise ConnectionLostError("dropped before it was sent", sent=False)

    return fault


def drop_before_commit() -> Fault:
    """The connection breaks when the request is on its way: storage does not act, but nobody can know."""
    return _vanish("dropped on its way")


def time_out_before_commit() -> Fault:
    """Storage neither acts nor answers in time, and nobody can know that it did not act."""
    return _vanish("timed out on its way")


def _vanish(reason: str) -> Fault:
    async def fault(request: StorageRequest, send: Send) -> StorageResponse:
        raise ConnectionLostError(reason, sent=True)

    return fault


def drop_after_commit() -> Fault:
    """Storage acts, and the connection breaks before its answer arrives."""
    return _lose("dropped after it was sent")


def time_out_after_commit() -> Fault:
    """Storage acts, and its answer comes too late."""
    return _lose("timed out")


def _lose(reason: str) -> Fault:
    async def fault(request: StorageRequest, send: Send) -> StorageResponse:
        await send(request)
        raise ConnectionLostError(reason, sent=True)

    return fault


@dataclass(slots=True)
class Late:
    """Requests that nobody waits for any more, and that storage carries out when it is told to."""

    requests: list[Callable[[], Awaitable[StorageResponse]]] = field(default_factory=list)

    def fault(self) -> Fault:
        """Return the fault: storage does not act and does not answer, for now."""

        async def fault(request: StorageRequest, send: Send) -> StorageResponse:
            self.requests.append(lambda: send(request))
            raise ConnectionLostError("timed out, and is carried out later", sent=True)

        return fault

    async def arrive(self) -> int:
        """Let storage carry them out, and return how many there were."""
        held, self.requests = self.requests, []
        for request in held:
            await request()
        return len(held)


def answer(status: int, *, retry_after: str | None = None) -> Fault:
    """Storage answers an error and does not act."""

    async def fault(request: StorageRequest, send: Send) -> StorageResponse:
        return _error(status, retry_after)

    return fault


def answer_after_commit(status: int, *, retry_after: str | None = None) -> Fault:
    """Storage acts, and answers an error all the same."""

    async def fault(request: StorageRequest, send: Send) -> StorageResponse:
        await send(request)
        return _error(status, retry_after)

    return fault


def empty_page() -> Fault:
    """The query finds nothing in time and says where to continue: at the same place."""

    async def fault(request: StorageRequest, send: Send) -> StorageResponse:
        place = {name: value for name, value in parse_qsl(urlsplit(request.url).query) if name.startswith("Next")}
        token = _EMPTY_PAGE + json.dumps(place) + uuid4().hex
        headers = CIMultiDict({"Content-Type": "application/json", "x-ms-continuation-NextPartitionKey": token})
        return StorageResponse(200, headers, b'{"value":[]}')

    return fault


def _resumed(request: StorageRequest) -> StorageRequest:
    """Return the request that follows empty pages, as the service would have continued it."""
    parts = urlsplit(request.url)
    query = dict(parse_qsl(parts.query))
    while query.get("NextPartitionKey", "").startswith(_EMPTY_PAGE):
        query |= json.loads(query.pop("NextPartitionKey").removeprefix(_EMPTY_PAGE)[:-32])
    text = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    return StorageRequest(request.method, urlunsplit(parts._replace(query=text)), request.headers, request.body)


def _kind(request: StorageRequest) -> Kind:
    path = urlsplit(request.url).path
    if path.endswith("/$batch"):
        return "transaction"
    if path.endswith("/Tables"):
        return "table"
    return "query" if path.endswith("()") else "read"


def _error(status: int, retry_after: str | None) -> StorageResponse:
    code = {429: "TooManyRequests", 500: "OperationTimedOut", 503: "ServerBusy"}.get(status, "Failure")
    body = {"odata.error": {"code": code, "message": {"lang": "en-US", "value": f"As planned.\nRequestId:{uuid4()}"}}}
    headers = CIMultiDict({"Content-Type": "application/json"})
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    return StorageResponse(status, headers, json.dumps(body).encode())

"""A lean HTTP client: on the machine that also runs the service, every cycle spent here is missing there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Self

from httptools import HttpResponseParser

_SECONDS = 60


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A status and a body."""

    status: int
    body: bytes


class Connection(asyncio.Protocol):
    """One kept-alive connection, for one request at a time."""

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.WriteTransport | None = None
        self._answer: asyncio.Future[HttpAnswer] | None = None
        self._body: list[bytes] = []

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        """Return a connection to a server."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    async def send(self, request: bytes) -> HttpAnswer:
        """Return the answer to a request that is ready to be written.

        :raises ConnectionError, TimeoutError: When there is none.
        """
        if self._transport is None:
            raise ConnectionError("the connection is closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await asyncio.wait_for(self._answer, _SECONDS)

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    # -- What asyncio calls ---------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what requests are written to."""
        if isinstance(transport, asyncio.WriteTransport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Read a part of an answer."""
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        """Fail the request under way."""
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the server closed the connection"))

    # -- What the parser calls ------------------------------------------

    def on_body(self, data: bytes) -> None:
        """Keep a part of the body."""
        self._body.append(data)

    def on_message_complete(self) -> None:
        """Hand the answer over."""
        body, self._body = b"".join(self._body), []
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(HttpAnswer(self._parser.get_status_code(), body))

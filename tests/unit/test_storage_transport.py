"""Connections to storage: kept, counted, and lost in one way only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from scim.adapters.tables.transport import AiohttpTransport, ConnectionLostError, StorageRequest
from scim.resources.storage_scope import storage_scope

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\nX-Name: value\r\nContent-Length: 2\r\n\r\n"


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    transport = AiohttpTransport()
    yield transport
    await transport.close()


@asynccontextmanager
async def serving(peer: Peer) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await peer(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/it's%27(a,b)?x=%7C"


def get(url: str, body: bytes = b"") -> StorageRequest:
    return StorageRequest("POST" if body else "GET", url, {"x-ms-version": "2019-02-02"}, body)


async def test_requests_share_a_connection_and_urls_are_sent_as_they_are(transport: AiohttpTransport) -> None:
    lines: list[bytes] = []
    connections = 0

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(2):
            lines.append((await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0])
            writer.write(HEAD + b"ok")

    async with serving(peer) as url:
        with storage_scope() as scope:
            answers = [await transport.send(get(url), 1.0) for _ in range(2)]
        assert scope.requests == 2
    assert [(each.status, each.body, each.headers["x-NAME"]) for each in answers] == [(200, b"ok", "value")] * 2
    assert lines == [b"GET /it's%27(a,b)?x=%7C HTTP/1.1"] * 2
    assert connections == 1


async def test_a_large_body_arrives_whole(transport: AiohttpTransport) -> None:
    received = bytearray()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        received.extend(await reader.readexactly(3_000_000))
        writer.write(HEAD + b"ok")
        await writer.drain()

    async with serving(peer) as url:
        assert (await transport.send(get(url, b"x" * 3_000_000), 5.0)).status == 200
    assert received == b"x" * 3_000_000


async def test_what_cannot_be_reached_got_nothing(transport: AiohttpTransport) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    server.close()
    await server.wait_closed()
    with pytest.raises(ConnectionLostError) as caught:
        await transport.send(get(url, b"x"), 1.0)
    assert not caught.value.sent


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"nonsense\r\n\r\n"])
async def test_a_connection_that_breaks_may_have_taken_the_request(transport: AiohttpTransport, said: bytes) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)

    async with serving(peer) as url:
        with pytest.raises(ConnectionLostError) as caught:
            await transport.send(get(url, b"x"), 1.0)
    assert caught.value.sent


async def test_an_answer_that_does_not_come_in_time_may_mean_anything(transport: AiohttpTransport) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(peer) as url:
        with pytest.raises(ConnectionLostError, match="in time") as caught:
            await transport.send(get(url, b"x"), 0.05)
    assert caught.value.sent


async def test_a_closed_transport_opens_again_when_used(transport: AiohttpTransport) -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"ok")

    async with serving(peer) as url:
        assert (await transport.send(get(url), 1.0)).status == 200
        await transport.close()
        assert (await transport.send(get(url), 1.0)).status == 200

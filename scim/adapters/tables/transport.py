"""HTTP to Table Storage: one request, one answer, one kind of failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final, Protocol

from scim.resources.storage_scope import current_storage_scope

if TYPE_CHECKING:
    from ssl import SSLContext

    import aiohttp

MAX_CONNECTIONS: Final = 100
IDLE_SECONDS: Final = 30.0
_LARGE_BODY: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class StorageRequest:
    """One request; ``url`` is sent as it is, so it is percent-encoded already."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class StorageResponse:
    """One answer, read to its end; ``headers`` are looked up in any letter case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class ConnectionLostError(Exception):
    """No answer came: not connected, connection lost, or timed out. ``sent`` tells whether storage may have acted."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class Transport(Protocol):
    """What sends storage requests; tests put faults between it and the service."""

    async def send(self, request: StorageRequest, timeout: float) -> StorageResponse:  # noqa: ASYNC109 - of one attempt
        """Return the answer, and count the request in the storage scope.

        :raises ConnectionLostError: When no answer came within ``timeout`` seconds.
        """
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class AiohttpTransport:
    """Keeps connections open over one aiohttp session, created in the event loop that sends first."""

    def __init__(self, *, tls: SSLContext | None = None) -> None:
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: StorageRequest, timeout: float) -> StorageResponse:  # noqa: ASYNC109 - of one attempt
        """Return the answer, and count the request in the storage scope."""
        import aiohttp

        session = self._session or self._open()
        current_storage_scope().requests += 1
        try:
            return await _exchange(session, request, timeout)
        except aiohttp.ConnectionTimeoutError as error:
            raise ConnectionLostError("Storage could not be reached in time.", sent=False) from error
        except TimeoutError as error:
            raise ConnectionLostError("Storage did not answer in time.", sent=True) from error
        except aiohttp.ClientConnectorError as error:
            raise ConnectionLostError("Storage could not be reached.", sent=False) from error
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionLostError("The connection to storage was lost.", sent=True) from error

    async def close(self) -> None:
        """Close all connections; a later request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        connector = aiohttp.TCPConnector(
            limit=MAX_CONNECTIONS, keepalive_timeout=IDLE_SECONDS, ssl=True if self._tls is None else self._tls
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "scim-directory-sync"},
            skip_auto_headers=("Accept-Encoding", "Content-Type"),
            auto_decompress=False,
        )
        return self._session


async def _exchange(session: aiohttp.ClientSession, request: StorageRequest, seconds: float) -> StorageResponse:
    from aiohttp import ClientTimeout
    from yarl import URL

    async with session.request(
        request.method,
        URL(request.url, encoded=True),
        headers=request.headers,
        data=_payload(request.body),
        timeout=ClientTimeout(total=seconds),
        allow_redirects=False,
    ) as response:
        return StorageResponse(response.status, response.headers, await response.read())


def _payload(body: bytes) -> bytes | BytesIO | None:
    # aiohttp warns of large bytes, since it writes them in one piece; it cuts a file into chunks.
    return BytesIO(body) if len(body) > _LARGE_BODY else body or None

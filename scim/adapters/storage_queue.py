"""Asks the relay for a directory by a queue message, off the request path."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from scim.settings import StorageSettings

QUEUE_NAME = "relay-requests"
SECONDS_BETWEEN_MESSAGES = 5
_MAX_REMEMBERED = 10_000

_log = logging.getLogger("scim.relay")

Send = Callable[[str], Awaitable[Any]]


class RelayRequests:
    """Sends at most one message per directory and 5 s, which becomes visible at their end.

    So the relay it starts finds every change of those 5 s. A message that is lost costs time only: the sweep follows.
    """

    def __init__(self, send: Send, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._monotonic = monotonic
        self._sent: dict[str, float] = {}
        self._waiting: set[asyncio.Task[None]] = set()

    def ask(self, directory_id: str) -> None:
        """Ask for the relay of a directory soon; does not wait."""
        now = self._monotonic()
        if now - self._sent.get(directory_id, -SECONDS_BETWEEN_MESSAGES) < SECONDS_BETWEEN_MESSAGES:
            return
        if len(self._sent) >= _MAX_REMEMBERED:
            self._sent.clear()
        self._sent[directory_id] = now
        task = asyncio.get_running_loop().create_task(self._message(directory_id))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _message(self, directory_id: str) -> None:
        try:
            await self._send(directory_id)
        except Exception:  # noqa: BLE001 - the sweep makes up for any message that is not sent
            _log.exception("relay request was not sent; the sweep will find the directory")

    async def close(self) -> None:
        """Wait for messages under way."""
        await asyncio.gather(*self._waiting)


def queue_sender(storage: StorageSettings, credential: Callable[[], Any]) -> Send:
    """Return a function that sends a text to the relay queue, which is created when it is missing.

    Everything is opened on first use, since importing the SDK takes long.
    """
    queue: Any = None

    async def send(text: str) -> None:
        nonlocal queue
        from azure.core.exceptions import ResourceNotFoundError

        queue = queue or _open_queue(storage, credential)
        try:
            await queue.send_message(text, visibility_timeout=SECONDS_BETWEEN_MESSAGES)
        except ResourceNotFoundError:
            await queue.create_queue()
            await queue.send_message(text, visibility_timeout=SECONDS_BETWEEN_MESSAGES)

    return send


def _open_queue(storage: StorageSettings, credential: Callable[[], Any]) -> Any:
    from azure.storage.queue import TextBase64EncodePolicy
    from azure.storage.queue.aio import QueueClient

    encoded = TextBase64EncodePolicy()
    if storage.connection_string:
        return QueueClient.from_connection_string(storage.connection_string, QUEUE_NAME, message_encode_policy=encoded)
    return QueueClient(storage.queue_service_uri, QUEUE_NAME, credential=credential(), message_encode_policy=encoded)

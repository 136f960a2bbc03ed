"""Asks the relay for a directory by a queue message, off the request path, and sees which messages failed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from scim.adapters.azure_identity import forget_tokens, is_rejected
from scim.settings import StorageSettings

QUEUE_NAME = "relay-requests"
SECONDS_BETWEEN_MESSAGES = 5
_MAX_REMEMBERED = 10_000
_SECONDS_FOR_DEPTH = 15.0
"""The line of a sweep does not wait longer for it."""

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
        """Wait for messages under way, and close the connections of the queue."""
        await asyncio.gather(*self._waiting)
        if isinstance(self._send, QueueSender):
            await self._send.close()


class QueueSender:
    """Sends texts to the relay queue, which is created when it is missing.

    It is opened on first use, since importing the SDK takes long.
    """

    def __init__(self, open_queue: Callable[[], Any], rejected: Callable[[], None] = lambda: None) -> None:
        """Send to a queue.

        :param rejected: Is called when it does not accept our access token; then the text is sent once more.
        """
        self._open_queue = open_queue
        self._rejected = rejected
        self._queue: Any = None

    async def __call__(self, text: str) -> None:
        """Send a text that becomes visible after 5 s; once more when the queue does not accept our access token."""
        from azure.core.exceptions import HttpResponseError

        try:
            await self._send(text)
        except HttpResponseError as error:
            if not is_rejected(error):
                raise
            self._rejected()
            await self._send(text)

    async def _send(self, text: str) -> None:
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        self._queue = self._queue or self._open_queue()
        try:
            await self._queue.send_message(text, visibility_timeout=SECONDS_BETWEEN_MESSAGES)
        except ResourceNotFoundError:
            with suppress(ResourceExistsError):  # another process was faster
                await self._queue.create_queue()
            await self._queue.send_message(text, visibility_timeout=SECONDS_BETWEEN_MESSAGES)

    async def close(self) -> None:
        """Close the connections, if there are any; the next text opens new ones."""
        queue, self._queue = self._queue, None
        if queue is not None:
            await queue.close()


def queue_sender(storage: StorageSettings, credential: Callable[[], Any]) -> QueueSender:
    """Return what sends a text to the relay queue of a storage account."""
    return QueueSender(lambda: _open_queue(QUEUE_NAME, storage, credential), lambda: forget_tokens(credential()))


async def poison_depth(storage: StorageSettings, credential: Callable[[], Any]) -> int | None:
    """Return about how many messages failed every attempt, or None when the queue does not answer."""
    from azure.core.exceptions import AzureError, ResourceNotFoundError

    async with _open_queue(f"{QUEUE_NAME}-poison", storage, credential) as queue:
        try:
            async with asyncio.timeout(_SECONDS_FOR_DEPTH):
                return (await queue.get_queue_properties()).approximate_message_count or 0
        except ResourceNotFoundError:
            return 0  # the host creates it for the first message
        except AzureError as error:
            if is_rejected(error):
                forget_tokens(credential())
            _log.exception("the poison queue did not answer; its depth is told next time")
            return None
        except TimeoutError:
            _log.exception("the poison queue hangs; its depth is told next time")
            return None


def _open_queue(name: str, storage: StorageSettings, credential: Callable[[], Any]) -> Any:
    from azure.storage.queue import TextBase64EncodePolicy
    from azure.storage.queue.aio import QueueClient

    # About a second between attempts; the SDK's own pauses begin at 15 s, which a process that stops would wait for.
    retries = {"retry_total": 3, "initial_backoff": 1, "increment_base": 0, "random_jitter_range": 1}
    options: dict[str, Any] = {"message_encode_policy": TextBase64EncodePolicy(), **retries}
    if storage.connection_string:
        return QueueClient.from_connection_string(storage.connection_string, name, **options)
    return QueueClient(storage.queue_service_uri, name, credential=credential(), **options)

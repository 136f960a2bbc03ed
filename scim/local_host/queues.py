"""Queue triggers, as the Azure Functions host runs them, with the poison queue."""

from __future__ import annotations

import asyncio
import base64
import logging

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.functions.queue import QueueMessage
from azure.storage.queue import QueueMessage as StoredMessage
from azure.storage.queue.aio import QueueClient

from scim.local_host.functions import QueueFunction
from scim.local_host.host_settings import QueueSettings
from scim.local_host.stopping import Stopping

_SHORTEST_WAIT_SECONDS = 0.2
# Longer than any function may run, so that no message is delivered again while it is being worked on.
_LEASE_SECONDS = 600
_LOG = logging.getLogger(__name__)


class QueueTrigger:
    """Delivers the messages of one queue to its function."""

    def __init__(self, function: QueueFunction, settings: QueueSettings) -> None:
        self._function = function
        self._settings = settings
        self._queue = self._client(function.queue_name)
        self._longest_wait = settings.max_polling_interval.total_seconds()

    async def run(self, stopping: Stopping) -> None:
        """Poll the queue until told to stop: at once after a message, ever more seldom while it is empty."""
        wait = _SHORTEST_WAIT_SECONDS
        async with self._queue:
            while not stopping.said:
                if await self._deliver_batch():
                    wait = _SHORTEST_WAIT_SECONDS
                elif not await stopping.within(wait):
                    wait = min(wait * 2, self._longest_wait)

    def _client(self, queue_name: str) -> QueueClient:
        return QueueClient.from_connection_string(self._function.connection_string, queue_name)

    async def _deliver_batch(self) -> bool:
        """Deliver what is in the queue, one batch at most; return whether there was any."""
        try:
            batch = await self._receive()
        except AzureError as error:
            self._warn(error)
            return False
        await asyncio.gather(*map(self._deliver, batch))
        return bool(batch)

    async def _receive(self) -> list[StoredMessage]:
        """Return the next messages; a queue that nobody wrote to yet does not exist, and is empty."""
        size = self._settings.batch_size
        try:
            pages = self._queue.receive_messages(max_messages=size, visibility_timeout=_LEASE_SECONDS)
            return [message async for message in pages]
        except ResourceNotFoundError:
            return []

    async def _deliver(self, message: StoredMessage) -> None:
        """Call the function and settle the message; one that cannot be settled comes again when its lease ends."""
        limit, count = self._settings.max_dequeue_count, message.dequeue_count or 0
        succeeded = count <= limit and await self._succeeds(message)
        try:
            if succeeded:
                await self._queue.delete_message(message)
            elif count >= limit:
                await self._move_to_poison(message)
            else:
                seconds = int(self._settings.visibility_timeout.total_seconds())
                await self._queue.update_message(message, visibility_timeout=seconds)
        except AzureError as error:
            self._warn(error)

    def _warn(self, error: AzureError) -> None:
        _LOG.warning("queue %s: %s", self._function.queue_name, str(error).partition("\n")[0])

    async def _succeeds(self, message: StoredMessage) -> bool:
        try:
            await self._function.invoke(_queue_message(message, self._decoded(message.content)))
        except Exception:  # noqa: BLE001 - the host delivers again whatever a function raises
            _LOG.exception("function %s raised (attempt %s)", self._function.name, message.dequeue_count)
            return False
        return True

    def _decoded(self, content: str) -> bytes:
        if self._settings.message_encoding == "none":
            return content.encode()
        try:
            return base64.b64decode(content, validate=True)
        except ValueError as error:  # of other characters, and of those beyond ASCII
            raise ValueError("the message is not base64, as host.json says that messages are") from error

    async def _move_to_poison(self, message: StoredMessage) -> None:
        async with self._client(f"{self._function.queue_name}-poison") as poison:
            try:
                await poison.create_queue()
            except ResourceExistsError:
                _LOG.debug("%s exists", poison.queue_name)
            await poison.send_message(message.content, time_to_live=-1)
        await self._queue.delete_message(message)
        _LOG.error("message %s went to %s-poison", message.id, self._function.queue_name)


def _queue_message(message: StoredMessage, body: bytes) -> QueueMessage:
    return QueueMessage(  # type: ignore[no-untyped-call]
        id=message.id,
        body=body,
        dequeue_count=message.dequeue_count,
        expiration_time=message.expires_on,
        insertion_time=message.inserted_on,
        time_next_visible=message.next_visible_on,
        pop_receipt=message.pop_receipt,
    )

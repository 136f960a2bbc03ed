from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

import pytest
from azure.core.exceptions import ClientAuthenticationError, ResourceExistsError, ResourceNotFoundError

from scim.adapters.storage_queue import SECONDS_BETWEEN_MESSAGES, QueueSender, RelayRequests


@dataclass
class FakeQueue:
    """A queue that must be created before it takes a message."""

    exists: bool = False
    met_another: bool = False
    """Whether another process creates it between our message and our creation of it."""
    closed: bool = False
    messages: list[tuple[str, int]] = field(default_factory=list)

    async def send_message(self, text: str, *, visibility_timeout: int) -> None:
        if not self.exists:
            raise ResourceNotFoundError
        self.messages.append((text, visibility_timeout))

    async def create_queue(self) -> None:
        self.exists = True
        if self.met_another:
            raise ResourceExistsError

    async def close(self) -> None:
        self.closed = True


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_a_directory_is_asked_for_once_in_five_seconds() -> None:
    sent, clock = list[str](), Clock()

    async def send(text: str) -> None:
        sent.append(text)

    requests = RelayRequests(send, clock)
    for _ in range(3):
        requests.ask("dir_1")
    requests.ask("dir_2")
    clock.now += SECONDS_BETWEEN_MESSAGES - 0.1
    requests.ask("dir_1")
    clock.now += 0.1
    requests.ask("dir_1")
    await requests.close()

    assert sent == ["dir_1", "dir_2", "dir_1"]


async def test_asking_does_not_wait_and_closing_waits_for_what_is_under_way() -> None:
    sent = list[str]()

    async def send(text: str) -> None:
        await asyncio.sleep(0.01)
        sent.append(text)

    requests = RelayRequests(send)
    requests.ask("dir_1")

    assert sent == []
    await requests.close()
    assert sent == ["dir_1"]


async def test_a_message_that_cannot_be_sent_is_logged_and_fails_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def send(text: str) -> None:
        raise ResourceExistsError("the queue is being deleted")

    requests = RelayRequests(send)
    with caplog.at_level(logging.ERROR):
        requests.ask("dir_1")
        await requests.close()

    assert "the sweep will find the directory" in caplog.text


async def test_the_queue_is_created_when_it_is_missing_and_closed_at_the_end() -> None:
    opened = list[FakeQueue]()

    def open_queue() -> FakeQueue:
        opened.append(FakeQueue())
        return opened[-1]

    requests = RelayRequests(QueueSender(open_queue))
    await requests.close()
    assert opened == []

    requests.ask("dir_1")
    requests.ask("dir_2")
    await requests.close()

    (queue,) = opened
    assert queue.closed
    assert sorted(queue.messages) == [("dir_1", SECONDS_BETWEEN_MESSAGES), ("dir_2", SECONDS_BETWEEN_MESSAGES)]


async def test_a_text_is_sent_once_more_when_the_queue_rejects_the_access_token() -> None:
    rejected = list[int]()

    class Particular(FakeQueue):
        async def send_message(self, text: str, *, visibility_timeout: int) -> None:
            if not rejected:
                error = ClientAuthenticationError("no")
                error.status_code = 401
                raise error
            await super().send_message(text, visibility_timeout=visibility_timeout)

    queue = Particular(exists=True)
    await QueueSender(lambda: queue, lambda: rejected.append(1))("dir_1")

    assert (len(rejected), queue.messages) == (1, [("dir_1", SECONDS_BETWEEN_MESSAGES)])


async def test_a_message_is_sent_although_another_process_created_the_queue_first() -> None:
    queue = FakeQueue(met_another=True)

    await QueueSender(lambda: queue)("dir_1")

    assert queue.messages == [("dir_1", SECONDS_BETWEEN_MESSAGES)]

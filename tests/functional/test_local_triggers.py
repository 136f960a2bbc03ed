"""Queue and timer triggers under the development host, on Azurite."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
import azure.functions as func
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue.aio import QueueClient

from scim.local_host.azurite import Azurite
from scim.local_host.host import DevelopmentHost
from scim.local_host.host_settings import HostSettings, QueueSettings
from scim.local_host.ports import listen
from scim.local_host.stopping import Stopping

QUEUES = QueueSettings(max_dequeue_count=3, max_polling_interval=timedelta(seconds=0.2))


@dataclass
class Recorder:
    """An app with one function of each kind, and what they were called with."""

    queue_name: str = field(default_factory=lambda: f"q{uuid.uuid4().hex}")
    messages: list[tuple[str, int | None]] = field(default_factory=list)
    ticked: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> func.FunctionApp:
        app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

        @app.route(route="hello")
        def hello(req: func.HttpRequest) -> str:
            return "hello"

        @app.queue_trigger(arg_name="message", queue_name="%QUEUE%", connection="STORAGE")
        async def on_message(message: func.QueueMessage) -> None:
            text = message.get_body().decode()
            self.messages.append((text, message.dequeue_count))
            if text == "bad":
                raise LookupError(text)

        @app.timer_trigger(arg_name="timer", schedule="* * * * * *")
        async def on_time(timer: func.TimerRequest) -> None:
            self.ticked.set()
            raise LookupError("a failed call does not end the schedule")

        return app


@asynccontextmanager
async def running(recorder: Recorder, azurite: Azurite) -> AsyncIterator[int]:
    settings = {"STORAGE": azurite.connection_string, "QUEUE": recorder.queue_name}
    host = DevelopmentHost(recorder.app(), HostSettings("", {}, QUEUES), settings)
    stopping, ready = Stopping(), asyncio.Event()
    with listen(0) as listener:
        serving = asyncio.create_task(host.run(listener, stopping, ready.set))
        await ready.wait()
        try:
            yield listener.getsockname()[1]
        finally:
            stopping.say()
            await serving


def queue(azurite: Azurite, name: str) -> QueueClient:
    return QueueClient.from_connection_string(azurite.connection_string, name)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def poisoned(azurite: Azurite, name: str) -> list[str]:
    """Return the contents of a poison queue, once it is there and has any."""
    found: list[str] = []
    async with queue(azurite, f"{name}-poison") as poison:
        while not found:
            with suppress(ResourceNotFoundError):
                found = [message.content async for message in poison.receive_messages()]
            await asyncio.sleep(0.02)
    return found


async def test_a_message_is_delivered_once_and_a_failing_one_goes_to_poison_after_its_tries(azurite: Azurite) -> None:
    recorder = Recorder()
    async with queue(azurite, recorder.queue_name) as sender:
        await sender.create_queue()
        async with running(recorder, azurite):
            await sender.send_message(encoded("good"))
            await sender.send_message(encoded("bad"))
            assert await poisoned(azurite, recorder.queue_name) == [encoded("bad")]
        assert sorted(recorder.messages) == [("bad", 1), ("bad", 2), ("bad", 3), ("good", 1)]
        assert (await sender.get_queue_properties()).approximate_message_count == 0


async def test_a_message_that_is_not_base64_goes_to_poison_unseen(azurite: Azurite) -> None:
    recorder = Recorder()
    async with running(recorder, azurite), queue(azurite, recorder.queue_name) as sender:
        await sender.create_queue()
        await sender.send_message("not base64")
        assert await poisoned(azurite, recorder.queue_name) == ["not base64"]
        assert recorder.messages == []


async def test_a_timer_ticks_and_http_answers_beside_it(azurite: Azurite) -> None:
    recorder = Recorder()
    async with running(recorder, azurite) as port, aiohttp.ClientSession() as client:
        await asyncio.wait_for(recorder.ticked.wait(), 5)
        recorder.ticked.clear()
        await asyncio.wait_for(recorder.ticked.wait(), 5)
        async with client.get(f"http://127.0.0.1:{port}/hello") as response:
            assert (response.status, await response.text()) == (200, "hello")

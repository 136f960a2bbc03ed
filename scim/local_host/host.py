"""The development host: serves one FunctionApp on a socket, with its queue and timer triggers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import uvicorn
from azure.functions import FunctionApp

from scim.local_host.functions import read_functions
from scim.local_host.host_settings import HostSettings
from scim.local_host.http_server import FunctionsHttpServer
from scim.local_host.queues import QueueTrigger
from scim.local_host.stopping import Stopping
from scim.local_host.timers import TimerTrigger

_GRACE_SECONDS = 10
_KEEP_ALIVE_SECONDS = 120


class DevelopmentHost:
    """Serves an app as Azure Functions would; for development and tests, never for production."""

    def __init__(self, app: FunctionApp, host_settings: HostSettings, settings: Mapping[str, str]) -> None:
        """Read the functions of an app, which can be done once per app.

        :raises FunctionsError: When one of them cannot be served here.
        """
        functions = read_functions(app, settings)
        self.http_server = FunctionsHttpServer(
            functions.http, route_prefix=host_settings.route_prefix, custom_headers=host_settings.custom_headers
        )
        self._timers = [TimerTrigger(each) for each in functions.timers]
        self._queues = [(each, host_settings.queues) for each in functions.queues]

    async def run(self, listener: socket.socket, stopping: Stopping, on_ready: Callable[[], None]) -> None:
        """Serve until told to stop, then let what is under way end."""
        server = _Server(self.http_server, on_ready)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listener]))
            triggers = [tasks.create_task(each) for each in self._triggers(stopping)]
            await stopping.wait()
            server.should_exit = True
            await _end(triggers)

    def _triggers(self, stopping: Stopping) -> Iterator[Coroutine[Any, Any, None]]:
        for timer in self._timers:
            yield timer.run(stopping)
        for queue in self._queues:
            yield QueueTrigger(*queue).run(stopping)


async def _end(triggers: list[asyncio.Task[None]]) -> None:
    if triggers:
        _, late = await asyncio.wait(triggers, timeout=_GRACE_SECONDS)
        for task in late:
            task.cancel()


class _Server(uvicorn.Server):
    """A server that leaves signals to this host: there is storage to stop after it."""

    def __init__(self, app: FunctionsHttpServer, on_ready: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

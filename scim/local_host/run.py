"""One local run: storage, directories, and a host that serves the app until it is told to stop."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from scim.composition import Application, application
from scim.directories.actor import acting, operator
from scim.local_host import core_tools
from scim.local_host.announcement import Announcement
from scim.local_host.api_access import ApiAccess, create_api_access, open_demo_api_access
from scim.local_host.azurite import Azurite, start_azurite
from scim.local_host.azurite.install import to_stderr
from scim.local_host.directories import DirectoryAccess, create_directories, open_demo_directory, portal_url
from scim.local_host.host import DevelopmentHost
from scim.local_host.host_settings import HostSettings, read_host_settings
from scim.local_host.options import Options
from scim.local_host.place import PROJECT, Place, kept_place, temporary_place
from scim.local_host.ports import LOOPBACK, listen
from scim.local_host.stopping import Stopping
from scim.settings import DATA_STORAGE, PUBLIC_BASE_URL, SECRET_STORE

_AZURITE_PORTS = (10000, 10001, 10002)
_EPHEMERAL_POLLING = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _Storage:
    connection_string: str
    azurite_pids: Sequence[int]
    description: str


@dataclass(frozen=True, slots=True)
class _Opened:
    directories: Sequence[DirectoryAccess]
    api: ApiAccess
    portal_url: str


def run(options: Options) -> None:
    """Serve until SIGINT or SIGTERM; nothing that was started is left then."""
    with _place(options) as place, _storage(options, place) as storage, listen(options.port) as listener:
        local_run = _LocalRun(options, place, storage, listener)
        local_run.set_environment()
        asyncio.run(local_run.serve())


def _place(options: Options) -> AbstractContextManager[Place]:
    return temporary_place() if options.ephemeral else kept_place(options.data.absolute())


@contextmanager
def _storage(options: Options, place: Place) -> Iterator[_Storage]:
    if options.storage:
        yield _Storage(options.storage, [], "in the storage account given")
        return
    azurite = start_azurite(location=place.storage, ports=(0, 0, 0) if options.ephemeral else _AZURITE_PORTS)
    try:
        yield _Storage(azurite.connection_string, azurite.pids, _described(azurite, place))
    finally:
        azurite.stop()


def _described(azurite: Azurite, place: Place) -> str:
    kept = "in memory" if place.storage is None else f"in {os.path.relpath(place.storage)}"
    return f"{kept}, by Azurite on the ports {', '.join(map(str, azurite.ports))}"


class _LocalRun:
    def __init__(self, options: Options, place: Place, storage: _Storage, listener: socket.socket) -> None:
        self._options = options
        self._place = place
        self._storage = storage
        self._listener = listener
        self._port = int(listener.getsockname()[1])
        self._base_url = f"http://{LOOPBACK}:{self._port}"
        self._stopping = Stopping()

    def set_environment(self) -> None:
        """Put the app's settings where it reads them; of local.settings.json what is not ours to say."""
        if not self._options.ephemeral:
            for name, value in _local_settings().items():
                os.environ.setdefault(name, value)
        os.environ.update(
            {
                DATA_STORAGE: self._storage.connection_string,
                "AzureWebJobsStorage": self._storage.connection_string,
                SECRET_STORE: f"file:{self._place.secrets}",
            }
        )
        if self._options.ephemeral or not os.environ.get(PUBLIC_BASE_URL):
            os.environ[PUBLIC_BASE_URL] = self._base_url

    async def serve(self) -> None:
        """Open the directories, then serve the app."""
        for each in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(each, self._stopping.say)
        service = application()
        try:
            await service.prepare_storage()
            with acting(operator("scim.local_host"), has_line=True):  # what is announced needs no lines beside it
                opened = await self._open(service)
            if self._uses_core_tools():
                await self._serve_with_core_tools(opened)
            else:
                await self._serve_ourselves(opened)
        finally:
            await service.close()

    async def _open(self, service: Application) -> _Opened:
        directories = await self._open_directories(service)
        portal = await portal_url(service, directories[0], os.environ[PUBLIC_BASE_URL])
        return _Opened(directories, await self._open_api(service), portal)

    async def _open_directories(self, service: Application) -> list[DirectoryAccess]:
        public_url = os.environ[PUBLIC_BASE_URL]
        if self._options.ephemeral:
            return await create_directories(service, self._options.directories, public_url)
        return [await open_demo_directory(service, self._place.demo_record, public_url)]

    async def _open_api(self, service: Application) -> ApiAccess:
        public_url = os.environ[PUBLIC_BASE_URL]
        if self._options.ephemeral:
            return await create_api_access(service, public_url)
        return await open_demo_api_access(service, self._place.demo_record, public_url)

    def _uses_core_tools(self) -> bool:
        if self._options.host is None:
            return not self._options.ephemeral and core_tools.are_installed()
        return self._options.host == "func"

    async def _serve_with_core_tools(self, opened: _Opened) -> None:
        self._listener.close()
        async with core_tools.func_start(PROJECT, self._port, self._stopping) as process:
            self._announce(opened, process.pid, "func start (Azure Functions Core Tools)")
            await self._stopping.wait()

    async def _serve_ourselves(self, opened: _Opened) -> None:
        app = importlib.import_module("function_app").app
        host = DevelopmentHost(app, self._host_settings(), os.environ)
        name = "our development host (not for production)"
        await host.run(self._listener, self._stopping, lambda: self._announce(opened, os.getpid(), name))

    def _host_settings(self) -> HostSettings:
        settings = read_host_settings(PROJECT / "host.json")
        if not self._options.ephemeral:
            return settings
        seldom = min(_EPHEMERAL_POLLING, settings.queues.max_polling_interval)
        return replace(settings, queues=replace(settings.queues, max_polling_interval=seldom))

    def _announce(self, opened: _Opened, app_pid: int, host_name: str) -> None:
        storage = self._storage
        announcement = Announcement(
            base_url=self._base_url,
            directories=opened.directories,
            api=opened.api,
            storage=storage.connection_string,
            app_pids=[app_pid],
            azurite_pids=storage.azurite_pids,
            host_name=host_name,
            data=storage.description,
            portal_url=opened.portal_url,
        )
        if self._options.port not in (0, self._port):
            to_stderr(f"Port {self._options.port} is in use: {self._port} was taken instead.")
        if self._options.json:
            announcement.print_json(all_directories=self._options.directories > 1)
        else:
            announcement.print_text()


def _local_settings() -> dict[str, str]:
    """Return the values of local.settings.json, as ``func start`` reads them; none where there is no such file."""
    path = PROJECT / "local.settings.json"
    if not path.exists():
        return {}
    values = json.loads(path.read_text(encoding="utf-8")).get("Values", {})
    return {name: str(value) for name, value in values.items()}

"""A host that is killed behind a chosen transaction, again and again, and started anew on the same storage."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL
from typing import Any

import aiohttp

from scim.settings import DATA_STORAGE, SECRET_STORE
from tests.resilience.hosts import Host, HostClient, program, started
from tests.resilience.program import END, EVENTS_PER_ROW

ANNOUNCED_AT_ONCE = 60


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent to a host."""

    method: str
    path: str
    body: Any = None


@dataclass(slots=True)
class Mortal:
    """The host, of which at most one lives at a time."""

    storage: str
    folder: Path
    session: aiohttp.ClientSession
    _host: Host | None = None
    _processes: ExitStack = field(default_factory=ExitStack)

    @property
    def host(self) -> Host:
        """The host, started unless it lives."""
        if self._host is None or self._host.process.poll() is not None:
            self._end.unlink(missing_ok=True)
            self._host = self._processes.enter_context(started(self.storage, self.folder, settings=self._settings))
        return self._host

    @property
    def client(self) -> HostClient:
        """Sends requests to the host."""
        return HostClient(self.session, [self.host])

    async def dies_in(self, request: Request, transaction: int) -> bool:
        """Send a request to a host that is killed behind the n-th transaction; return whether there were so many."""
        client, process = self.client, self.host.process
        self._end.write_text(str(transaction))
        try:
            reply = await client.send(request.method, request.path, request.body)
        except aiohttp.ClientError:
            assert process.wait(30) == -SIGKILL
            return True
        self._end.unlink()
        assert reply.status < 300, reply
        return False

    def dies_in_background(self, transaction: int) -> bool:
        """Do a directory's background work in a process that is killed; return whether there were so many."""
        work = ["relay", self.host.directory_id, "0"]
        self._end.write_text(str(transaction))
        settings = {DATA_STORAGE: self.storage, SECRET_STORE: f"file:{self.folder / 'secrets.json'}", **self._settings}
        with program(work, settings) as process:
            code = process.wait(60)
        self._end.unlink()
        assert code in (0, -SIGKILL)
        return code != 0

    def close(self) -> None:
        """Stop what lives."""
        self._processes.close()

    @property
    def _end(self) -> Path:
        return self.folder / "end"

    @property
    def _settings(self) -> dict[str, str]:
        return {END: str(self._end), EVENTS_PER_ROW: str(ANNOUNCED_AT_ONCE)}

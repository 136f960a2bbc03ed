"""``python -m benchmarks.reference`` serves scim2-server from memory, on the web server of our development host."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys

import uvicorn
from scim2_models import ScimPolicy, ScimProvider, UnauthorizedException
from scim2_server.applications.asgi import ASGIApplication
from scim2_server.memory import AsyncInMemoryStorage, InMemoryStorage
from scim2_server.requests import ScimRequest
from scim2_server.service import ScimService
from scim2_server.utils import (
    load_default_resource_types,
    load_default_schemas,
    load_default_service_provider_config,
)

from scim.local_host.ports import LOOPBACK, listen

_TOLERANT = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)


class _Application(ASGIApplication):
    """The engine's own application, which asks for one static token."""

    def __init__(self, provider: ScimProvider, token: str) -> None:
        service = ScimService(provider, secret=secrets.token_urlsafe(32))
        super().__init__(AsyncInMemoryStorage(InMemoryStorage()), provider, service)
        self._authorization = f"Bearer {token}"

    def check_auth(self, request: ScimRequest) -> None:
        if request.header("Authorization") != self._authorization:
            raise UnauthorizedException


def _application(token: str) -> _Application:
    provider = ScimProvider.from_discovery(
        load_default_schemas().values(),
        load_default_resource_types().values(),
        config=load_default_service_provider_config(),
        policy=_TOLERANT,
    )
    return _Application(provider, token)


def main() -> None:
    """Serve until told to stop; one JSON line on standard output tells where."""
    token = secrets.token_urlsafe(32)
    with listen(0) as listener:
        config = uvicorn.Config(
            _application(token), http="httptools", ws="none", lifespan="off", log_config=None, access_log=False
        )
        place = {"port": listener.getsockname()[1], "host": LOOPBACK, "token": token, "pid": os.getpid()}
        sys.stdout.write(json.dumps(place) + "\n")
        sys.stdout.flush()
        asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()

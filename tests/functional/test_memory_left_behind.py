"""A thousand hostile requests leave next to nothing in the process, whatever they carry."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scim.composition import Application
from scim.settings import Settings, StorageSettings
from scim.web import WebRequest
from tests.fakes.memory_account import MemoryAccount, RecordedRelayRequests
from tests.fakes.memory_secrets import MemorySecretStore
from tests.fakes.memory_table import MemoryTable
from tests.fakes.recorded_uses import RecordedUses
from tests.hostile_requests import UNDECLARED_URN
from tests.service import PATCH_URN, SEARCH_URN, ScimClient, Service, user

pytestmark = pytest.mark.slow

MEGABYTE = 1_000_000
MOST_LEFT = 20 * MEGABYTE
REQUESTS = 1000


@dataclass(frozen=True, slots=True)
class Sent:
    method: str
    path: str
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    directory_id: str = ""


def _patch(path: str) -> Sent:
    operation = {"op": "add", "path": path, "value": 1}
    return Sent("PATCH", "/Users/usr_1", {"schemas": [PATCH_URN], "Operations": [operation]})


def _search(**parameters: Any) -> Sent:
    return Sent("POST", "/.search", {"schemas": [SEARCH_URN], **parameters})


def _terms(number: int, characters: int) -> str:
    terms = f"a{number} pr"
    return terms + f" or a{number} pr" * ((characters - len(terms)) // (len(terms) + 4))


FAMILIES: Mapping[str, Callable[[int], Sent]] = {
    "a name of many parts": lambda _: _search(attributes=["urn:" + "a:" * 12_000 + "x"]),
    "names of many parts": lambda n: _search(attributes=[f"urn:{'a:' * 450}x{n}y{index}" for index in range(200)]),
    "names in a query": lambda n: Sent("GET", "/Users", query={"attributes": f"urn:{'a:' * 450}x{n}"}),
    "short names in a query": lambda n: Sent("GET", "/Users", query={"excludedAttributes": f"a{n},b{n}.c"}),
    "a member name of 1.8 MB": lambda n: Sent("POST", "/Users", user("", **{f"{n}{'a' * 1_800_000}": 1})),
    "a member name of 1.4 MB": lambda n: Sent("POST", "/Users", user("", **{f"{n}{'a' * 1_400_000}": 1})),
    "a schema's name of 1.4 MB": lambda n: Sent("POST", "/Users", user("", **{f"urn:{'1' * 1_400_000}:1.{n}:User": 1})),
    "members": lambda n: Sent("POST", "/Users", user("", **{f"a{n}b{index}": 1 for index in range(900)})),
    "a large member": lambda n: Sent("POST", "/Users", user("", nested=f"{n}" + "x" * 250_000)),
    "paths": lambda n: _patch(f"a{n}.b"),
    "long paths": lambda n: _patch(f"{n:08d}".join(["a"] * 110)),
    "paths with brackets": lambda n: _patch(f'emails[type eq "{n}" or value co "{n}"].value'),
    "long paths with brackets": lambda n: _patch(f'emails[{_terms(n, 100)} or type eq "{"x" * 800}"].value'),
    "paths of schemas": lambda n: _patch(f"{UNDECLARED_URN}{n}:a"),
    "filters": lambda n: Sent("GET", "/Users", query={"filter": f'title eq "{n}"'}),
    "filters of many terms": lambda n: Sent("GET", "/Users", query={"filter": _terms(n, 1000)}),
    "long filters": lambda n: Sent("GET", "/Users", query={"filter": f'title eq "{n}{"x" * 7000}"'}),
    "orders": lambda n: Sent("GET", "/Users", query={"sortBy": f"urn:x:y:z:a{n}{'a' * 900}"}),
    "cursors": lambda n: Sent("GET", "/Users", query={"cursor": f"{n}{'a' * 7000}"}),
    "ids of users": lambda n: Sent("GET", f"/Users/{n}{'a' * 7000}"),
    "ids of directories": lambda n: Sent("GET", "/Users", directory_id=f"dir_{n}{'a' * 7000}"),
    "unknown directories": lambda n: Sent("GET", "/Users", directory_id=f"dir_{n:032x}"),
    "headers": lambda n: Sent(
        "GET", "/Users", headers={"if-match": f'"{n}{"," * 8000}"', "x-request-id": f"{n}{'a' * 8000}"}
    ),
    "tokens": lambda n: Sent("GET", "/Users", headers={"authorization": f"Bearer {n}{'a' * 8000}"}),
    "methods": lambda n: Sent(f"{n}{'A' * 8000}", "/Users"),
    "taken names": lambda n: Sent("POST", "/Users", user(f"bob{n % 100:05d}", nested=f"{n}" + "x" * 100_000)),
}


@pytest.fixture
async def client() -> ScimClient:
    """A directory of a service in which nothing is replaced that keeps something of a request."""
    application = Application(
        Settings(StorageSettings("UseDevelopmentStorage=true"), Path("unused")),
        account=MemoryAccount(),
        secret_store=MemorySecretStore(),
        relay_requests=RecordedRelayRequests(),
        token_uses=RecordedUses(),
    )
    await application.prepare_storage()
    return await Service(application, lambda: 0).new_directory()


def as_received(client: ScimClient, sent: Sent) -> WebRequest:
    headers = {"authorization": f"Bearer {client.token}", "content-type": "application/scim+json", **sent.headers}
    path = f"/scim/v2/{sent.directory_id or client.directory.id}{sent.path}"
    body = json.dumps(sent.body).encode() if sent.body is not None else b""
    return WebRequest(sent.method, path, sent.query, headers, body)


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_thousand_hostile_requests_leave_next_to_nothing(client: ScimClient, family: str) -> None:
    await client.new_users(100, "bob")
    answer, table = client.application.provisioning.answer, client.partition.table
    await answer(as_received(client, FAMILIES[family](-1)))
    assert isinstance(table, MemoryTable)
    table.requests.clear()
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(REQUESTS):
            status = (await answer(as_received(client, FAMILIES[family](number)))).status
            # An id that nobody has is not looked for beyond the pace: 503, so that no provider takes it for a refusal.
            assert status < 500 or (family == "unknown directories" and status == 503)
            table.requests.clear()
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert left < MOST_LEFT, f"{left / MEGABYTE:.1f} MB"
    await client.application.close()

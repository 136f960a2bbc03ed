"""The whole service in this process, as tests drive it: over tables in memory, or over Azurite."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from scim.adapters.tables.client import StorageAccount
from scim.adapters.tables.partition import Partition
from scim.adapters.tables.transport import AiohttpTransport
from scim.composed_stores import RESOURCES_TABLE
from scim.composition import Application
from scim.directories.attribute_mapping import AttributeMapping
from scim.directories.directory import Directory
from scim.resources.schema import GROUP_URN, USER_URN
from scim.settings import Settings, StorageSettings
from scim.web import WebRequest
from tests.fakes.memory_account import MemoryAccount, RecordedRelayRequests
from tests.fakes.memory_secrets import MemorySecretStore
from tests.fakes.memory_table import MemoryTable
from tests.fakes.recorded_outcomes import RecordedOutcomes
from tests.fakes.recorded_uses import RecordedUses
from tests.faults import FaultyTransport

if TYPE_CHECKING:
    from scim.local_host.azurite import Azurite

PATCH_URN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
SEARCH_URN = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
BULK_URN = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
ERROR_URN = "urn:ietf:params:scim:api:messages:2.0:Error"
LIST_URN = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
EXTENSION_URN = "urn:ietf:params:scim:schemas:extension:CustomExtensionName:2.0:User"
ORIGIN = "https://scim.example.com"
MAPPINGS = (AttributeMapping("tag", f"{EXTENSION_URN}:tag"),)
"""What every directory of these tests maps, unless a test says otherwise: one attribute of an extension of its own."""

StorageKind = Literal["memory", "azurite"]
Meter = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service answered, and what that cost: its storage requests, counted where they leave the process."""

    status: int
    json: Any
    """The body, or None when there is none."""
    headers: Mapping[str, str]
    storage_requests: int

    @property
    def etag(self) -> str:
        return self.headers["ETag"]

    @property
    def resources(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json["Resources"]
        return found

    @property
    def ids(self) -> list[str]:
        return [resource["id"] for resource in self.resources]


def web_request(
    method: str,
    path: str,
    body: Any,
    *,
    query: Mapping[str, str] | None,
    secret: str,
    content_type: str,
    headers: Mapping[str, str] | None,
) -> WebRequest:
    """Return a request of a client of ours; ``body`` is JSON, or bytes as they are."""
    sent = {"authorization": f"Bearer {secret}"}
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    if body is not None:
        sent["content-type"] = content_type
    sent |= {name.lower().replace("_", "-"): value for name, value in (headers or {}).items()}
    return WebRequest(method, path, query or {}, sent, content, ORIGIN)


@dataclass(frozen=True, slots=True)
class ScimClient:
    """Talks to one directory, as an identity provider does."""

    application: Application = field(repr=False)
    directory: Directory
    token: str
    meter: Meter

    @property
    def base_url(self) -> str:
        return f"{ORIGIN}/scim/v2/{self.directory.id}"

    @property
    def partition(self) -> Partition:
        """The rows behind the directory, for what no answer shows."""
        return self.application.partition_of(self.directory)

    async def get(self, path: str = "", query: Mapping[str, str] | None = None, **headers: str) -> Answer:
        return await self.send("GET", path, query=query, headers=headers)

    async def post(self, path: str, body: Any, query: Mapping[str, str] | None = None, **headers: str) -> Answer:
        return await self.send("POST", path, body, query=query, headers=headers)

    async def put(self, path: str, body: Any, query: Mapping[str, str] | None = None, **headers: str) -> Answer:
        return await self.send("PUT", path, body, query=query, headers=headers)

    async def patch(
        self,
        path: str,
        *operations: Mapping[str, Any],
        query: Mapping[str, str] | None = None,
        **headers: str,
    ) -> Answer:
        """Send a PatchOp with these operations."""
        body = {"schemas": [PATCH_URN], "Operations": list(operations)}
        return await self.send("PATCH", path, body, query=query, headers=headers)

    async def delete(self, path: str, **headers: str) -> Answer:
        return await self.send("DELETE", path, headers=headers)

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request; ``body`` is JSON, or bytes as they are. In header names ``_`` stands for ``-``."""
        web = web_request(
            method,
            f"/scim/v2/{self.directory.id}{path}",
            body,
            query=query,
            secret=self.token,
            content_type="application/scim+json; charset=utf-8",
            headers=headers,
        )
        before = self.meter()
        response = await self.application.provisioning.answer(web)
        spent = self.meter() - before
        assert response.content_type == "application/scim+json"
        parsed = json.loads(response.body) if response.body else None
        if response.status >= 400:
            assert_scim_error(response.status, parsed)
        return Answer(response.status, parsed, response.headers, spent)

    async def new_user(self, user_name: str, **attributes: Any) -> dict[str, Any]:
        """Create a user and return it as answered."""
        answer = await self.post("/Users", user(user_name, **attributes))
        assert answer.status == 201, answer.json
        created: dict[str, Any] = answer.json
        return created

    async def new_users(self, number: int, prefix: str = "user") -> list[str]:
        """Create many users and return their ids in the order of creation, which is that of the ids."""
        made = [(await self.new_user(f"{prefix}{index:05d}"))["id"] for index in range(number)]
        return sorted(made)

    async def new_group(self, display_name: str, members: Sequence[str] = (), **attributes: Any) -> dict[str, Any]:
        """Create a group and return it as answered."""
        answer = await self.post("/Groups", group(display_name, members, **attributes))
        assert answer.status == 201, answer.json
        created: dict[str, Any] = answer.json
        return created

    async def find(self, text: str, endpoint: str = "/Users", **query: str) -> list[str]:
        """Return the ids that a filter finds."""
        answer = await self.get(endpoint, {"filter": text, **query})
        assert answer.status == 200, answer.json
        assert answer.json["totalResults"] == len(answer.resources)
        return answer.ids

    async def relay(self) -> None:
        """Let the background work that follows a change be done."""
        await self.application.background.relay_directory(self.directory.id)


def pass_in_storage(application: Application, duration: timedelta) -> None:
    """Let it be so much later by storage's clock, which no fake of a machine's clock turns."""

    async def service_time() -> datetime:
        return datetime.now(UTC) + duration + timedelta(minutes=1)  # a table in memory counts a millisecond a write

    application.__dict__["service_clock"] = service_time


def assert_scim_error(status: int, body: Any) -> None:
    """Check that an error has the form of RFC 7644 §3.12 and speaks our words, not those of a library."""
    assert (body["schemas"], body["status"]) == ([ERROR_URN], str(status)), body
    assert body.keys() - {"scimType"} == {"schemas", "status", "detail"}, body
    assert body["detail"].endswith((".", "…")), body
    assert not re.search(_LIBRARY_TEXT, body["detail"], re.IGNORECASE), body


_LIBRARY_TEXT = (
    r"pydantic|lark|traceback|validation error|scim2_|object at|unexpected (token|char)|exception|errno|type="
)


def user(user_name: str, **attributes: Any) -> dict[str, Any]:
    """Return the body of a POST on Users."""
    return {"schemas": [USER_URN], "userName": user_name, **attributes}


def group(display_name: str, members: Sequence[str] = (), **attributes: Any) -> dict[str, Any]:
    """Return the body of a POST on Groups."""
    body = {"schemas": [GROUP_URN], "displayName": display_name, **attributes}
    return {**body, "members": references(*members)} if members else body


def references(*ids: str) -> list[dict[str, str]]:
    """Return members as a request names them."""
    return [{"value": resource_id} for resource_id in ids]


def add_members(*ids: str) -> dict[str, Any]:
    """Return the operation by which Entra adds members."""
    return {"op": "Add", "path": "members", "value": references(*ids)}


def remove_members(*ids: str) -> dict[str, Any]:
    """Return the operation by which Entra removes members."""
    return {"op": "Remove", "path": "members", "value": references(*ids)}


@dataclass(frozen=True, slots=True)
class Service:
    """A running service and the means to open directories in it."""

    application: Application = field(repr=False)
    meter: Meter
    _names: count[int] = field(default_factory=lambda: count(1))

    async def new_directory(self, mappings: Sequence[AttributeMapping] = MAPPINGS) -> ScimClient:
        """Open a directory and return its client, warm: the service has met its token."""
        organization = await self.application.directories.create_organization(f"Organization {next(self._names)}")
        new = await self.application.directories.create_directory(
            organization.id, name="Entra", provider="entra_id", mappings=mappings
        )
        client = ScimClient(self.application, new.directory, new.token, self.meter)
        assert (await client.get("/ResourceTypes")).status == 200
        return client


@pytest.fixture
def storage_kind() -> StorageKind:
    """Where the service of a test stores: override it, or parametrize it indirectly, to use Azurite."""
    return "memory"


@pytest.fixture(scope="session")
async def connections() -> AsyncIterator[AiohttpTransport]:
    """The connections to Azurite, one pool for the session."""
    transport = AiohttpTransport()
    yield transport
    await transport.close()


@pytest.fixture
def account(storage_kind: StorageKind, request: pytest.FixtureRequest) -> Any:
    """The storage account of a test: one in memory, or Azurite behind a transport that counts and can fail."""
    if storage_kind == "memory":
        return MemoryAccount()
    azurite: Azurite = request.getfixturevalue("azurite")
    transport = FaultyTransport(request.getfixturevalue("connections"))
    return StorageAccount.from_connection_string(azurite.connection_string, transport=transport)


async def service_on(account: Any, secret_store: Any = None) -> Service:
    """Return a service that stores in an account, with secrets of its own unless others are given."""
    application = Application(
        Settings(StorageSettings("UseDevelopmentStorage=true"), Path("unused")),
        account=account,
        secret_store=secret_store or MemorySecretStore(),
        relay_requests=RecordedRelayRequests(),
        token_uses=RecordedUses(),
        provisioning_log=RecordedOutcomes(),
        activity=RecordedOutcomes(),
    )
    await application.prepare_storage()
    return Service(application, account.requests if isinstance(account, MemoryAccount) else account._transport.count)


@pytest.fixture
async def service(account: Any) -> Service:
    """A service of this test alone."""
    return await service_on(account)


@pytest.fixture
async def scim(service: Service) -> ScimClient:
    """The client of a fresh directory."""
    return await service.new_directory()


@pytest.fixture
def rows(scim: ScimClient) -> MemoryTable:
    """The table in memory behind the service, to look into or to let fail."""
    table = scim.application.account.table(RESOURCES_TABLE)
    assert isinstance(table, MemoryTable)
    return table

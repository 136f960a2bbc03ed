"""One request sent to two services: ours over a table in memory, and scim2-server's handler over its memory storage."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from scim2_models import Context, Resource, ResourceType, SCIMException
from scim2_server.handler import ScimHandler
from scim2_server.memory import InMemoryStorage
from scim2_server.requests import ScimRequest
from scim2_server.service import ScimService

from scim.composition import Application
from scim.resources.directory_schemas import directory_schemas
from scim.resources.schema import ENTERPRISE_URN, GROUP_URN
from scim.settings import Settings, StorageSettings
from tests.contract.engine_storage import POLICY, engine_provider
from tests.fakes.memory_account import MemoryAccount, RecordedRelayRequests
from tests.fakes.memory_secrets import MemorySecretStore
from tests.fakes.recorded_uses import RecordedUses
from tests.property.documents import Document
from tests.service import LIST_URN, ScimClient, Service

PROVIDER = engine_provider(directory_schemas(()))
_VOLATILE = ("created", "lastModified", "version")
_OK = range(200, 300)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Answer:
    """What one of the services answered; ``shown`` is what both must agree on."""

    status: int
    shown: Any
    etag: str
    json: Any

    @property
    def succeeded(self) -> bool:
        return self.status in _OK


class GivenIds(InMemoryStorage):
    """Gives a new resource the id that our service gave it."""

    next_id = ""

    def generate_id(self, resource_type: ResourceType, resource: Resource[Any]) -> str:
        return self.next_id


class TwoServices:
    """Our service and the reference, with the same resources under the same ids."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._client = self._run(_new_client())
        self._storage = GivenIds()
        self._reference = ScimHandler(ScimService(PROVIDER, secret="reference"), self._storage)

    def close(self) -> None:
        self._runner.close()

    def relay(self) -> None:
        """Let our service do what it does in the background: no answer may change by it."""
        self._run(self._client.relay())

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        headers: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {}),
    ) -> tuple[Answer, Answer]:
        """Send a request to both and return our answer and the reference's."""
        ours = self.send_to_us(method, path, body, query, headers[0])
        self._storage.next_id = ours.json["id"] if method == "POST" and ours.status == 201 else "of no resource of ours"
        return ours, self.send_to_reference(method, path, body, query, headers[1])

    def send_to_us(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        answer = self._run(self._client.send(method, path, body, query=query, headers=headers))
        shown = _shown(answer.json, self._client.base_url)
        return Answer(answer.status, shown, answer.headers.get("ETag", ""), answer.json)

    def send_to_reference(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        base_url = self._client.base_url
        content = b"" if body is None else json.dumps(body).encode()
        request = ScimRequest(method, base_url, path, query or {}, headers or {}, content)
        try:
            response = self._reference.handle(request)
        except SCIMException as error:
            response = self._reference.service.error_response(error)
        return Answer(
            int(response.status), _shown(response.body, base_url), response.headers.get("ETag", ""), response.body
        )

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(work)


async def _new_client() -> ScimClient:
    account = MemoryAccount()
    application = Application(
        Settings(StorageSettings("UseDevelopmentStorage=true"), Path("unused")),
        account=account,
        secret_store=MemorySecretStore(),
        relay_requests=RecordedRelayRequests(),
        token_uses=RecordedUses(),
    )
    return await Service(application, account.requests).new_directory(mappings=())


def _shown(body: Any, base_url: str) -> Any:
    """Return a body without what differs by design: spelling of values, times, versions, the order of members.

    References that our service completes are left out, and of errors all but that there is one.
    """
    if body is None:
        return None
    if LIST_URN in body["schemas"]:
        counts = {name: body.get(name) for name in ("totalResults", "startIndex", "itemsPerPage")}
        return counts | {"Resources": [_shown(item, base_url) for item in body.get("Resources", ())]}
    if "status" in body:
        return "error"
    model: Any = PROVIDER.model_for("Group" if GROUP_URN in body["schemas"] else "User")
    with POLICY:
        written: Document = model.model_validate(body).model_dump(scim_ctx=Context.DEFAULT)
    return _without_volatile(written)


def _without_volatile(resource: Document) -> Document:
    resource["schemas"].sort()
    meta = resource.get("meta", {})
    kept = {name: value for name, value in meta.items() if name not in _VOLATILE}
    members = sorted(member.get("value", "") for member in resource.get("members", ()))
    manager = resource.get(ENTERPRISE_URN, {}).get("manager", {})
    manager.pop("$ref", None)
    return {**resource, "meta": kept, "members": members}

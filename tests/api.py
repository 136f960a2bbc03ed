"""The application's backend, as tests play it: calls the API with a key."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from scim.composition import Application
from scim.directories.api_key import KEY_SCOPES, KeyScope
from scim.management.openapi import openapi_document
from scim.management.problems import TYPE_PREFIX, Problem
from scim.management.registry import OPERATIONS, find_operation
from tests.service import ORIGIN, Answer, Meter, Service, web_request

_LIBRARY_TEXT = r"pydantic|traceback|validation error|object at|exception|errno|input should"


@dataclass(frozen=True, slots=True)
class ApiClient:
    """Calls the API with one key."""

    application: Application = field(repr=False)
    key: str
    meter: Meter

    async def get(self, path: str, query: Mapping[str, str] | None = None, **headers: str) -> Answer:
        return await self.send("GET", path, query=query, headers=headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return await self.send("POST", path, body, headers=headers)

    async def put(self, path: str, body: Any, **headers: str) -> Answer:
        return await self.send("PUT", path, body, headers=headers)

    async def patch(self, path: str, body: Any, **headers: str) -> Answer:
        return await self.send("PATCH", path, body, headers=headers)

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
            f"/api/v1/{path}",
            body,
            query=query,
            secret=self.key,
            content_type="application/json",
            headers=headers,
        )
        before = self.meter()
        response = await self.application.management.answer(web)
        spent = self.meter() - before
        parsed = json.loads(response.body) if response.body else None
        if response.status >= 400:
            assert response.content_type == "application/problem+json"
            assert_problem(response.status, parsed)
        else:
            assert response.content_type == "application/json"
        assert_documented(method, path, response.status, parsed)
        return Answer(response.status, parsed, response.headers, spent)

    async def all_pages(self, path: str, limit: int, **query: str) -> list[Any]:
        """Return the entries of all pages of a list."""
        entries, after = list[Any](), ""
        while True:
            answer = await self.get(path, {**query, "limit": str(limit), "after": after})
            assert answer.status == 200, answer.json
            assert len(answer.json["data"]) <= limit
            assert answer.json["list_metadata"]["before"] is None
            entries += answer.json["data"]
            after = answer.json["list_metadata"]["after"]
            if after is None:
                return entries

    async def with_key(self, *scopes: KeyScope, organization_id: str | None = None, **more: Any) -> ApiClient:
        """Return a client with another key, of all scopes unless some are given, whose use has been noted."""
        keys = self.application.api_keys
        made = await keys.create("another", scopes or KEY_SCOPES, organization_id=organization_id, **more)
        return await warm(replace(self, key=made.value))

    async def new_organization(self, name: str = "Contoso") -> str:
        """Create an organization and return its id."""
        answer = await self.post("organizations", {"name": name})
        assert answer.status == 201, answer.json
        return str(answer.json["id"])

    async def new_directory(self, organization_id: str, **values: Any) -> dict[str, Any]:
        """Create a directory and return it as answered."""
        body = {"name": "Entra", "provider": "entra_id", **values}
        answer = await self.post(f"organizations/{organization_id}/directories", body)
        assert answer.status == 201, answer.json
        created: dict[str, Any] = answer.json
        return created


def assert_problem(status: int, body: Any) -> None:
    """Check that an error has the form of RFC 9457 and speaks our words, not those of a library."""
    assert body.keys() - {"errors"} == {"type", "title", "status", "detail"}, body
    assert body["status"] == status
    assert body["type"].startswith(TYPE_PREFIX)
    assert not re.search(_LIBRARY_TEXT, json.dumps([body["detail"], body.get("errors")]), re.IGNORECASE), body


def assert_documented(method: str, path: str, status: int, body: Any) -> None:
    """Check that the OpenAPI document has this answer of this operation, and that the body is as it says."""
    described = _document()["paths"].get(_template(method, path), {}).get(method.lower())
    if described is None:
        return  # an address or a method that is not there
    answer = described["responses"].get(str(status))
    assert answer is not None, f"{method} {path}: {status} is not documented"
    assert (body is None) == ("content" not in answer)
    for content in answer.get("content", {}).values():
        _validator(content["schema"]["$ref"]).validate(body)


def _template(method: str, path: str) -> str:
    try:
        return f"/api/v1/{find_operation(method, path)[0].path}"
    except Problem:
        return ""


@cache
def _document() -> Mapping[str, Any]:
    return openapi_document(OPERATIONS, ORIGIN)


@cache
def _validator(reference: str) -> Any:
    schema = {"$ref": reference, "components": _document()["components"]}
    return Draft202012Validator(schema)


async def warm(client: ApiClient) -> ApiClient:
    """Return the client, once the process knows its key and has noted its use."""
    assert (await client.get("organizations", {"limit": "1"})).status in (200, 403)
    await client.application.management.key_uses.close()
    return client


@pytest.fixture
async def api(service: Service) -> ApiClient:
    """The client of a key that may do everything."""
    made = await service.application.api_keys.create("backend", KEY_SCOPES)
    return await warm(ApiClient(service.application, made.value, service.meter))

"""What all operations of the API have in common: keys, refusals, lists, the log, and the documents made of them."""

from __future__ import annotations

import json
import logging
import re
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest
from openapi_pydantic import OpenAPI

from scim.adapters.tables.api_keys import PARTITION
from scim.directories.api_key import KEY_SCOPES
from scim.directories.errors import DirectoryStoreUnavailableError
from scim.management import endpoint
from scim.management.models import MAX_LIMIT
from scim.management.openapi import openapi_document
from scim.management.registry import OPERATIONS
from tests.api import ApiClient
from tests.documents import document
from tests.service import ORIGIN

UNKNOWN = {"organization_id": f"org_{'0' * 32}", "directory_id": f"dir_{'0' * 32}"}


def path_of(template: str, **known: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: known.get(match[1]) or UNKNOWN.get(match[1]) or "unknown", template)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.id)
async def test_every_operation_needs_a_key_of_its_scope(api: ApiClient, operation: Any) -> None:
    path = path_of(operation.path)
    altered = api.key[:-1] + ("y" if api.key.endswith("x") else "x")
    for authorization in ("", "Bearer", "Bearer wrong", f"Basic {api.key}", f"Bearer {altered}"):
        answer = await api.send(operation.method, path, {}, headers={"authorization": authorization})
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="API"')
        assert answer.storage_requests == 0

    for scope in KEY_SCOPES:
        answer = await (await api.with_key(scope)).send(operation.method, path, {})

        opened = scope == operation.scope or (scope, operation.scope) == ("write", "read")
        assert (answer.status == 403) == (not opened), scope


async def test_a_revoked_or_expired_key_opens_nothing(api: ApiClient) -> None:
    keys = api.application.api_keys
    made = await keys.create("soon", ["read"], expires_at=keys._now() + timedelta(seconds=30))
    revoked = await keys.create("gone", ["read"])
    await keys.revoke(revoked.key.id)
    later = keys._now() + timedelta(seconds=31)
    keys._now = lambda: later

    for value in (made.value, revoked.value):
        assert (await api.get("organizations", authorization=f"Bearer {value}")).status == 401


async def test_a_known_key_costs_nothing_and_its_use_is_noted_once_a_minute(api: ApiClient) -> None:
    organization = await api.new_organization()

    assert [(await api.get(f"organizations/{organization}")).storage_requests for _ in range(3)] == [1, 1, 1]
    await api.application.management.key_uses.close()
    (key,) = await api.application.api_keys.list()
    assert key.last_used is not None


async def test_addresses_and_methods_that_are_not_there(api: ApiClient) -> None:
    for path in ("", "nothing", "organizations/a/b/c", "openapi.json/x"):
        assert (await api.get(path)).status == 404

    refused = await api.delete("organizations")

    assert (refused.status, refused.headers["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"", 400, "The body is empty; send a JSON object with Content-Length."),
        (b"[]", 400, "The body must be a JSON object."),
        (b"{", 400, "The body is not valid JSON: see line 1, column 2."),
        (b'{"name": NaN}', 400, "NaN is not a JSON number."),
        (b'{"name": 1e999}', 400, "The number 1e999 is too large; send one below 1.8e308."),
        (b'{"name": "\\ud800"}', 400, "The body holds half of a surrogate pair; send valid Unicode text."),
        (b'{"name": "a", "name": "b"}', 400, "'name' is given twice in one object of the body; send it once."),
        (b"[" * 40, 400, None),
        (b" " * (endpoint.MAX_BODY_BYTES + 1), 413, "The body is larger than 512 KiB; send less at once."),
    ],
)
async def test_a_body_that_cannot_be_read(api: ApiClient, body: bytes, status: int, detail: str | None) -> None:
    answer = await api.post("organizations", body)

    assert answer.status == status
    assert detail in (None, answer.json["detail"])


async def test_a_body_of_another_type(api: ApiClient) -> None:
    answer = await api.post("organizations", b"name=a", content_type="application/x-www-form-urlencoded")

    assert answer.status == 415


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, [("name", "is required")]),
        ({"name": 1}, [("name", "give a text")]),
        ({"name": ""}, [("name", "must not be empty")]),
        ({"name": "   "}, [("name", "give 1 to 200 characters, not all spaces, without control characters")]),
        ({"name": "a" * 201}, [("name", "give at most 200 characters")]),
        (
            {"name": "a", "nmae": "b"},
            [("nmae", "is not known here; check its spelling or leave it out")],
        ),
    ],
)
async def test_values_are_refused_field_by_field(
    api: ApiClient, body: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    answer = await api.post("organizations", body)

    assert answer.status == 422
    assert [(each["field"], each["detail"]) for each in answer.json["errors"]] == errors


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": str(MAX_LIMIT + 1)},
        {"limit": "many"},
        {"after": "x"},
        {"offset": "1"},
        {"external_id": ""},
    ],
)
async def test_query_parameters_are_refused_by_their_name(api: ApiClient, query: dict[str, str]) -> None:
    answer = await api.get("organizations", query)

    assert answer.status == 422
    assert [each["field"] for each in answer.json["errors"]] == list(query)


async def test_an_outage_is_a_503_with_the_time_to_wait(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    outage = AsyncMock(side_effect=DirectoryStoreUnavailableError("busy", retry_after=7))
    monkeypatch.setattr(api.application.directories, "list_organizations", outage)

    answer = await api.get("organizations")

    assert (answer.status, answer.headers["Retry-After"]) == (503, "7")


async def test_a_failure_of_ours_is_logged_and_told_without_its_text(
    api: ApiClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    defect = AsyncMock(side_effect=KeyError("secret"))
    monkeypatch.setattr(api.application.directories, "list_organizations", defect)

    answer = await api.get("organizations")

    assert answer.status == 500
    assert "secret" not in json.dumps(answer.json)
    assert "request failed" in caplog.text


async def test_each_request_is_one_line_in_the_log_without_the_key(
    api: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    organization = await api.new_organization("Contoso")
    await api.get(f"organizations/{organization}", authorization="Bearer wrong")
    await api.get(f"organizations/{organization}")

    logged = [json.loads(record.getMessage()) for record in caplog.records if record.name == "scim.requests"]

    shown = [(line["operation"], line["status"], line["organization_id"]) for line in logged]
    assert shown == [
        ("create_organization", 201, ""),
        ("get_organization", 401, ""),
        ("get_organization", 200, organization),
    ]
    assert logged[0]["event"] == "api_request"
    assert logged[0]["key_id"].startswith("key_")
    assert api.key not in caplog.text
    assert "Contoso" not in caplog.text


async def test_the_openapi_document_is_served_without_a_key_and_is_valid(api: ApiClient) -> None:
    answer = await api.get("openapi.json", authorization="")

    parsed = OpenAPI.model_validate(answer.json)
    assert parsed.openapi == "3.1.0"
    described = {
        (method.upper(), path): described["operationId"]
        for path, methods in answer.json["paths"].items()
        for method, described in methods.items()
    }
    assert described == {(each.method, f"/api/v1/{each.path}"): each.id for each in OPERATIONS}
    assert answer.json["servers"] == [{"url": ORIGIN}]


def test_every_schema_that_the_openapi_document_refers_to_is_in_it() -> None:
    text = json.dumps(openapi_document(OPERATIONS, ORIGIN))
    schemas = json.loads(text)["components"]["schemas"]

    assert set(re.findall(r"#/components/schemas/([^\"]+)", text)) <= set(schemas)


def test_the_reference_lists_the_operations() -> None:
    expected = [
        f"| `{each.method} /api/v1/{each.path}` | {each.scope} | {each.summary} | {each.budget} |"
        for each in OPERATIONS
    ]

    assert [line for line in document("docs/management-api.md").lines if "/api/v1/" in line and line[:3] == "| `"] == (
        expected
    )


def test_keys_lie_in_a_partition_of_their_own() -> None:
    assert f"| `{PARTITION}` |" in document("docs/storage.md").text

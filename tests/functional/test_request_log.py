"""One structured line for each request, without secrets and without names."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from tests.service import BULK_URN, ScimClient, user


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(record.getMessage()) for record in caplog.records if record.name == "scim.requests"]


async def test_each_request_is_logged_with_what_it_was_and_what_it_cost(
    scim: ScimClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "scim.requests")
    created = await scim.post("/Users", user("anna"), x_ms_client_request_id="0f5b2c1e-0000-4000-8000-000000000001")
    await scim.get(f"/Users/{created.json['id']}")
    await scim.get("/Groups", {"filter": "displayName pr"})
    await scim.get("/nothing")
    await scim.get("/Users", authorization="Bearer wrong")

    logged = lines(caplog)

    shown = [(line["operation"], line["method"], line["resource_type"], line["status"]) for line in logged]
    assert shown == [
        ("create", "POST", "User", 201),
        ("read", "GET", "User", 200),
        ("search", "GET", "Group", 200),
        ("unknown", "GET", "", 404),
        ("unknown", "GET", "", 401),
    ]
    assert [line["directory_id"] for line in logged] == [scim.directory.id] * 4 + [""]
    assert [line["storage_requests"] for line in logged[:4]] == [1, 1, 1, 0]
    assert logged[0]["correlation_id"] == "0f5b2c1e-0000-4000-8000-000000000001"
    assert len({line["correlation_id"] for line in logged}) == 5
    assert all(line["event"] == "scim_request" and line["duration_ms"] >= 0 for line in logged)


async def test_a_bulk_request_counts_what_its_operations_ask_of_storage(
    scim: ScimClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "scim.requests")
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": name, "data": user(name)} for name in ("anna", "bob", "carol")
    ]

    await scim.post("/Bulk", {"schemas": [BULK_URN], "Operations": operations})

    (line,) = lines(caplog)
    assert (line["operation"], line["status"], line["storage_requests"]) == ("bulk", 200, 3)


async def test_no_line_holds_a_token_a_body_or_a_name(scim: ScimClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    created = await scim.new_user("anna@secret.example", displayName="Anna Secret", password="secret word")
    await scim.get("/Users", {"filter": 'userName eq "anna@secret.example"'})
    await scim.post("/Users", user("anna@secret.example"))
    await scim.patch(f"/Users/{created['id']}", {"op": "replace", "path": "active", "value": "Secret"})
    await scim.get("/Users", authorization=f"Basic {scim.token}")

    logged = "\n".join(record.getMessage() for record in caplog.records)

    assert "secret" not in logged.lower()
    assert scim.token not in logged

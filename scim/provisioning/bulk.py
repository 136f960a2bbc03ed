"""Bulk requests (RFC 7644 §3.7): operations one by one, each answered as the single request it stands for."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import BaseModel
from scim2_models import InvalidSyntaxException, InvalidValueException, PayloadTooLargeException, SCIMException
from scim2_server.bulk import BulkPlan, BulkStep

from scim.directories.staleness import BULK_SECONDS
from scim.provisioning.answers import error_body, json_text
from scim.provisioning.errors import ServiceUnavailableException, let_go, scim_error
from scim.provisioning.outcome import RequestNotes
from scim.provisioning.request import ScimRequest
from scim.provisioning.service_provider import MAX_BULK_OPERATIONS
from scim.resources.request_limits import MAX_BULK_PATCH_OPERATIONS, MAX_NAME_LENGTH
from scim.resources.storage_scope import storage_scope
from scim.resources.turns import Turns
from scim.resources.worker_thread import run_apart
from scim.web import WebRequest, WebResponse, encoded

SECONDS = BULK_SECONDS
_REQUEST_URN = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
_RESPONSE_URN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
_ENDPOINTS = ("Users", "Groups")
_OPERATIONS = {"POST": "create", "PUT": "replace", "PATCH": "patch", "DELETE": "delete"}

_log = logging.getLogger("scim.bulk")

Dispatch = Callable[[ScimRequest], Awaitable[WebResponse]]


class BulkItem(BaseModel):
    """One operation of a bulk request, as sent."""

    method: str
    path: str
    bulk_id: str | None = None
    version: str | None = None
    data: Any = None


class CreatedResource(BaseModel):
    """What a later operation needs of a resource that an earlier one created."""

    id: str


async def run_bulk(request: ScimRequest, dispatch: Dispatch) -> WebResponse:
    """Answer a bulk request: each operation fails or succeeds for itself, until failOnErrors is reached."""
    started = time.monotonic()
    plan, turns = await run_apart(lambda: _planned(request), is_heavy=request.is_large), Turns()
    for step in plan:
        await turns.offer()
        result, created = await _run(request, plan, step, dispatch, late=time.monotonic() - started > SECONDS)
        plan.record(step, result, created)  # type: ignore[arg-type]  # it keeps the id of what was created
    body = {"schemas": [_RESPONSE_URN], "Operations": [_outcome(result) for result in plan.outcomes()]}
    return WebResponse(200, encoded(json_text(body)))


def _planned(request: ScimRequest) -> BulkPlan:
    items, fail_on_errors = _read_bulk(request.payload)
    return BulkPlan(items, fail_on_errors)  # type: ignore[arg-type]  # it needs of an operation what BulkItem has


def _read_bulk(payload: Any) -> tuple[list[BulkItem], int | None]:
    members = {str(name).lower(): value for name, value in payload.items()} if isinstance(payload, Mapping) else {}
    schemas, operations = members.get("schemas"), members.get("operations")
    if not isinstance(schemas, list) or _REQUEST_URN.lower() not in [str(urn).lower() for urn in schemas]:
        raise InvalidSyntaxException(detail=f'The body must hold "schemas": ["{_REQUEST_URN}"].')
    if not isinstance(operations, list):
        raise InvalidSyntaxException(detail='The body must hold "Operations" as a list.')
    if len(operations) > MAX_BULK_OPERATIONS:
        raise PayloadTooLargeException(detail=f"A bulk request may hold {MAX_BULK_OPERATIONS} operations; send fewer.")
    fail_on_errors = members.get("failonerrors")
    if fail_on_errors is not None and (not isinstance(fail_on_errors, int) or isinstance(fail_on_errors, bool)):
        raise InvalidValueException(detail="failOnErrors must be a whole number.")
    items = [_read_item(operation) for operation in operations]
    if sum(_patch_operations(item) for item in items) > MAX_BULK_PATCH_OPERATIONS:
        raise PayloadTooLargeException(
            detail=f"The PATCH requests of a bulk request may hold {MAX_BULK_PATCH_OPERATIONS:,} operations together; "
            "send fewer."
        )
    return items, fail_on_errors


def _patch_operations(item: BulkItem) -> int:
    members = item.data if item.method == "PATCH" and isinstance(item.data, Mapping) else {}
    return sum(
        len(value) for name, value in members.items() if name.lower() == "operations" and isinstance(value, list)
    )


def _read_item(operation: Any) -> BulkItem:
    if not isinstance(operation, Mapping):
        raise InvalidSyntaxException(detail="Each of the Operations must be a JSON object.")
    members = {str(name).lower(): value for name, value in operation.items()}
    texts = {name: members.get(name) for name in ("method", "path", "bulkid", "version")}
    if not all(value is None or isinstance(value, str) for value in texts.values()):
        raise InvalidSyntaxException(detail="method, path, bulkId and version of an operation must be text.")
    if any(len(value) > MAX_NAME_LENGTH for value in texts.values() if value):
        raise InvalidValueException(
            detail=f"method, path, bulkId and version of an operation have at most {MAX_NAME_LENGTH:,} characters."
        )
    if not texts["method"] or not texts["path"]:
        raise InvalidSyntaxException(detail="Each of the Operations needs a method and a path.")
    return BulkItem(
        method=texts["method"].upper(),
        path=texts["path"],
        bulk_id=texts["bulkid"],
        version=texts["version"],
        data=members.get("data"),
    )


async def _run(
    request: ScimRequest, plan: BulkPlan, step: BulkStep, dispatch: Dispatch, *, late: bool
) -> tuple[dict[str, Any], CreatedResource | None]:
    item: Any = plan.operation(step)
    result = {"method": item.method, "bulk_id": item.bulk_id}
    single = request
    try:
        _require_time(late=late)
        item = plan.resolve(step)
        single = _single_request(request, item)
        with storage_scope():
            response = await dispatch(single)
    except Exception as error:  # noqa: BLE001 - whatever one operation meets is that operation's error
        failure = _failure(error)
        request.notes.take_part(single.outcome(*_kind(item), failure["status"], error, is_part=True))
        let_go(error)
        return {**result, **_where(request, item), **failure}, None
    request.notes.take_part(single.outcome(*_kind(item), response.status, is_part=True))
    return {**result, **_where(request, item), **_success(response)}, _created(item, response)


def _kind(item: BulkItem) -> tuple[str, str]:
    """Return the operation and the resource type that an operation of a bulk request is told of by."""
    resource_type = {"Users": "User", "Groups": "Group"}.get(item.path.strip("/").split("/")[0], "")
    return _OPERATIONS.get(item.method, "unknown"), resource_type


def _require_time(*, late: bool) -> None:
    if late:
        raise ServiceUnavailableException(detail="There was no time left for this operation. Send it again.")


def _single_request(request: ScimRequest, item: BulkItem) -> ScimRequest:
    """Return the request that a bulk operation stands for."""
    segments = tuple(item.path.strip("/").split("/"))
    expected: Literal[1, 2] = 1 if item.method == "POST" else 2
    if (
        item.method not in ("POST", "PUT", "PATCH", "DELETE")
        or segments[0] not in _ENDPOINTS
        or len(segments) != expected
    ):
        raise InvalidValueException(
            detail="A bulk operation is a POST on /Users or /Groups, or a PUT, PATCH or DELETE on a resource there."
        )
    if item.method == "POST" and not item.bulk_id:
        raise InvalidValueException(detail="A POST in a bulk request needs a bulkId.")
    if item.method != "DELETE" and item.data is None:
        raise InvalidSyntaxException(detail=f'A {item.method} in a bulk request needs "data": the body of the request.')
    headers = {"if-match": item.version} if item.version else {}
    web = WebRequest(item.method, f"/{'/'.join(segments)}", {}, headers, b"", request.web.origin)
    return replace(request, web=web, segments=segments, given_payload=item.data, notes=RequestNotes())


def _where(request: ScimRequest, item: BulkItem) -> dict[str, Any]:
    """Return the location of the resource that an operation is on: required unless a POST failed (RFC 7644 §3.7.3)."""
    path = item.path.strip("/")
    return {"location": f"{request.base_url}/{path}"} if "/" in path and item.method != "POST" else {}


def _success(response: WebResponse) -> dict[str, Any]:
    headers = {"version": response.headers.get("ETag"), "location": response.headers.get("Location")}
    return {"status": response.status, **{name: value for name, value in headers.items() if value}}


def _created(item: BulkItem, response: WebResponse) -> CreatedResource | None:
    return CreatedResource(id=json.loads(response.body)["id"]) if item.method == "POST" else None


def _failure(error: Exception) -> dict[str, Any]:
    known = scim_error(error)
    if known is None:
        _log.error("bulk operation failed", exc_info=error)
        known = SCIMException(detail="The operation failed for a reason on our side; it was logged.")
        known.status = 500
    return {"status": known.status, "response": error_body(known.status, known.detail, known.scim_type)}


def _outcome(result: dict[str, Any]) -> dict[str, Any]:
    """Return the outcome of an operation as it is answered (RFC 7644 §3.7.3)."""
    outcome = {"method": result["method"]}
    for name, answered in (("bulk_id", "bulkId"), ("version", "version"), ("location", "location")):
        if result.get(name):
            outcome[answered] = result[name]
    outcome["status"] = str(result["status"])
    if "response" in result:
        outcome["response"] = result["response"]
    return outcome

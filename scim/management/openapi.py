"""The OpenAPI 3.1 document of the API, made of its operations. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from scim.management.idempotency import LONGEST_KEY
from scim.management.models import ProblemDetails, Query
from scim.management.operation import Operation

_SCHEMAS = "#/components/schemas/"
_PROBLEMS = {
    400: "The request cannot be read, or the answer is too large.",
    401: "The API key is missing or not valid.",
    403: "The API key does not permit this.",
    404: "What the path names does not exist, or is not the key's to see.",
    405: "The address does not take this method.",
    409: "It contradicts what there is; or the directory is being deleted.",
    410: "The cursor's events are no longer kept, or its feed was put back from a copy.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    422: "Values are not accepted.",
    429: "The API key sends more at once than is answered at once; see Retry-After.",
    500: "A failure of the service.",
    503: "Out of service for the moment; see Retry-After.",
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Any text of the caller's. Sent again with the same request within 24 hours, the request makes "
    "nothing twice and is answered as before; 409 while it is under way, 422 with another request.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"},
}
_ALWAYS = (400, 401, 403, 404, 405, 422, 429, 500, 503)


@lru_cache(maxsize=8)
def openapi_document(operations: Sequence[Operation], base_url: str) -> Mapping[str, Any]:
    """Return the document, for callers who reach the service at a base URL."""
    references, definitions = models_json_schema(_models(operations), ref_template=_SCHEMAS + "{model}")
    refer = {(model, mode): schema for (model, mode), schema in references.items()}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        described = _described(operation, refer)
        paths.setdefault(f"/api/v1/{operation.path}", {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "Directory sync", "version": "1", "description": "Organizations, directories, events."},
        "servers": [{"url": base_url}],
        "security": [{"api_key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"api_key": {"type": "http", "scheme": "bearer", "description": "scimak_…"}},
            "schemas": definitions["$defs"],
        },
    }


_References = Mapping[Any, Mapping[str, Any]]


def _models(operations: Sequence[Operation]) -> list[tuple[type[BaseModel], JsonSchemaMode]]:
    models: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(ProblemDetails, "serialization"): None}
    for operation in operations:
        if operation.body:
            models[(operation.body, "validation")] = None
        if operation.response:
            models[(operation.response, "serialization")] = None
    return list(models)


def _described(operation: Operation, references: _References) -> Mapping[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "description": f"Needs an API key with the scope `{operation.scope}`.",
        "parameters": [
            *_path_parameters(operation.path),
            *_query_parameters(operation.query),
            *([_IDEMPOTENCY_KEY] if operation.method == "POST" else []),
        ],
        "responses": _responses(operation, references),
    }
    if operation.body:
        content = {"application/json": {"schema": references[(operation.body, "validation")]}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _path_parameters(path: str) -> list[Mapping[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _query_parameters(model: type[Query]) -> list[Mapping[str, Any]]:
    properties: Mapping[str, Mapping[str, Any]] = model.model_json_schema().get("properties", {})
    return [
        {"name": name, "in": "query", "required": False, "schema": _without_empty_default(schema)}
        for name, schema in properties.items()
    ]


def _without_empty_default(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of a parameter, where an empty text stands for its absence without that as its default."""
    return {name: value for name, value in schema.items() if (name, value) != ("default", "")}


def _responses(operation: Operation, references: _References) -> Mapping[str, Any]:
    success: dict[str, Any] = {"description": operation.summary}
    if operation.response:
        success["content"] = {"application/json": {"schema": references[(operation.response, "serialization")]}}
    problem = {"application/problem+json": {"schema": references[(ProblemDetails, "serialization")]}}
    return {
        str(operation.status): success,
        **{str(status): {"description": _PROBLEMS[status], "content": problem} for status in _problems(operation)},
    }


def _problems(operation: Operation) -> list[int]:
    statuses = {*_ALWAYS, *operation.problems}
    if operation.body:
        statuses |= {413, 415}
    if "{directory_id}" in operation.path and not operation.of_deleted:
        statuses.add(409)
    if operation.method == "POST":
        statuses.add(409)
    return sorted(statuses)

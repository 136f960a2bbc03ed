"""The API's one entrance: who calls, what for, whether that is permitted, and the answer, for all operations alike."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from scim import last_place
from scim.directories.actor import Actor, become
from scim.directories.api_key import ApiKey, KeyScope
from scim.directories.directory import Directory
from scim.directories.errors import DirectoryDeletingError
from scim.directories.organization import Organization
from scim.fair_share import FairShare
from scim.json_body import read_json_body
from scim.management import idempotency
from scim.management.key_uses import KeyUses
from scim.management.openapi import openapi_document
from scim.management.operation import Call, Operation, Services
from scim.management.problems import (
    NO_DIRECTORY,
    NO_ORGANIZATION,
    FieldError,
    Problem,
    field_errors,
    forbidden,
    invalid,
    not_found,
    problem_answer,
    problem_of,
    unauthorized,
)
from scim.management.registry import OPERATIONS, PREFIX, find_operation
from scim.readable_request import require_readable
from scim.request_log import BeginEntry, LogEntry, begin_entry
from scim.resources.worker_thread import LARGE_BODY, run_apart
from scim.web import WebRequest, WebResponse, encoded

MAX_BODY_BYTES = 512 * 1024
_BASE_URL = "https://base-url.invalid"
"""Stands for the address of the service in the document that is kept."""
_log = logging.getLogger("scim.management")

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ManagementEndpoint:
    """Answers every request below ``/api/v1/``. One per process; it keeps nothing of a request."""

    services: Services
    key_uses: KeyUses
    idempotency: idempotency.Idempotency
    begin_entry: BeginEntry = begin_entry
    fair_share: FairShare = field(default_factory=lambda: FairShare(at_once=16))
    """Who may work now, by API key: apart from what identity providers send, so that neither keeps the other out."""

    async def answer(self, web: WebRequest) -> WebResponse:
        """Return the answer to a request: never an exception, never a text of a library."""
        entry = self.begin_entry("api_request", web, "key_id", "organization_id", "directory_id")
        return await last_place.answered(entry, lambda: self._response(web, entry), _LAST_WORDS)

    async def _response(self, web: WebRequest, entry: LogEntry) -> WebResponse:
        try:
            return await self._answered(web, entry)
        except Exception as error:  # noqa: BLE001 - whatever is raised is answered with a problem
            return problem_answer(_problem(error))

    async def _answered(self, web: WebRequest, entry: LogEntry) -> WebResponse:
        require_readable(web)
        path = web.path.removeprefix(PREFIX)
        if (web.method, path) == ("GET", "openapi.json"):
            entry.operation = "get_openapi"
            return _document(self.services.public_base_url or web.origin)
        operation, parameters = find_operation(web.method, path)
        entry.operation = operation.id
        key = await self._authenticated(web.headers.get("authorization", ""))
        entry.facts["key_id"] = key.id
        become(Actor("api_key", key.id, key.name))
        _require_scope(key, operation.scope)
        async with self.fair_share.turn(key.id, entry):
            return await self._worked(web, entry, key, operation, parameters)

    async def _worked(
        self, web: WebRequest, entry: LogEntry, key: ApiKey, operation: Operation, parameters: Mapping[str, str]
    ) -> WebResponse:
        organization = await self._organization(key, parameters.get("organization_id"))
        directory = await self._directory(key, parameters.get("directory_id"), operation)
        entry.facts["organization_id"] = _organization_id(organization, directory)
        entry.facts["directory_id"] = directory.id if directory else ""
        call = Call(
            services=self.services,
            key=key,
            operation=operation,
            path=parameters,
            query=_read_query(web, operation),
            body=await _body_of(web, operation),
            base_url=self.services.public_base_url or web.origin,
            found_organization=organization,
            found_directory=directory,
        )
        return await self._outcome(call, web.headers.get(idempotency.HEADER))

    async def _outcome(self, call: Call, idempotency_key: str | None) -> WebResponse:
        if idempotency_key is None or call.operation.method != "POST":
            return _answer(call.operation, await call.operation.answer(call))
        outcome = await self.idempotency.outcome(call, idempotency_key.strip())
        return WebResponse(outcome.status, encoded(outcome.body), content_type="application/json")

    async def _authenticated(self, authorization: str) -> ApiKey:
        scheme, _, value = authorization.strip().partition(" ")
        key = await self.services.keys.recognise(value.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            raise unauthorized()
        self.key_uses.note(key)
        return key

    async def _organization(self, key: ApiKey, organization_id: str | None) -> Organization | None:
        """Return the organization of the path; one that the key does not open is looked for all the same."""
        if organization_id is None:
            return None
        organization = await self.services.directories.get_organization(organization_id)
        if not key.opens(organization.id):
            raise not_found(NO_ORGANIZATION)
        return organization

    async def _directory(self, key: ApiKey, directory_id: str | None, operation: Operation) -> Directory | None:
        if directory_id is None:
            return None
        directory = await self.services.directories.get_directory(directory_id)
        if not key.opens(directory.organization_id):
            raise not_found(NO_DIRECTORY)
        if directory.deletion is not None and not operation.of_deleted:
            raise DirectoryDeletingError(directory.id)
        return directory


def _require_scope(key: ApiKey, scope: KeyScope) -> None:
    if not key.may(scope):
        raise forbidden(f"This API key has not the scope {scope}, which this takes; use one that has it.")


def _organization_id(organization: Organization | None, directory: Directory | None) -> str:
    if directory is not None:
        return directory.organization_id
    return organization.id if organization is not None else ""


def _read_query(web: WebRequest, operation: Operation) -> BaseModel:
    return _validated(lambda: operation.query.model_validate(dict(web.query)))


async def _body_of(web: WebRequest, operation: Operation) -> BaseModel | None:
    model = operation.body
    if model is None:
        return None
    return await run_apart(lambda: _read_body(web, model), is_heavy=len(web.body) > LARGE_BODY)


def _read_body(web: WebRequest, model: type[Model]) -> Model:
    value = read_json_body(web, media_type="application/json", max_bytes=MAX_BODY_BYTES, size="512 KiB")
    if not isinstance(value, dict):
        raise Problem(400, "unreadable-body", "The body must be a JSON object.")
    return _validated(lambda: model.model_validate_json(json.dumps(value)))


def _validated(validate: Callable[[], Model]) -> Model:
    try:
        return validate()
    except ValidationError as error:
        raise _refused(error) from error


def _refused(error: ValidationError) -> Problem:
    errors = field_errors(error)
    if any(not each.field for each in errors):
        return invalid(FieldError("", "the body holds text that is not valid Unicode"))
    return invalid(*errors)


def _answer(operation: Operation, answer: BaseModel | None) -> WebResponse:
    if answer is None:
        return WebResponse(operation.status, content_type="application/json")
    # What an answer does not have was left out on purpose; what is null is told as null.
    text = answer.model_dump_json(exclude_unset=True)
    return WebResponse(operation.status, encoded(text), content_type="application/json")


def _document(base_url: str) -> WebResponse:
    """Return the OpenAPI document as callers reach it: anybody may ask for it, so it is made once."""
    text = _document_text().replace(_BASE_URL, json.dumps(base_url)[1:-1])
    return WebResponse(200, encoded(text), content_type="application/json")


@cache
def _document_text() -> str:
    return json.dumps(openapi_document(OPERATIONS, _BASE_URL))


def _problem(error: Exception) -> Problem:
    known = problem_of(error)
    if known is not None:
        return known
    _log.error("request failed", exc_info=error)
    return _failed()


def _failed() -> Problem:
    return Problem(500, "failure", "The request failed for a reason on our side; it was logged. Repeat it later.")


_LAST_WORDS = problem_answer(_failed())
"""Made beforehand, so that nothing is left that could fail."""

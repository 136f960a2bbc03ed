"""What went wrong, in the form of RFC 9457, with what to change; never a text of a library."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError

from scim.directories.error_lookup import entry_of
from scim.directories.errors import (
    BeyondKeyError,
    DirectoryBusyError,
    DirectoryDeletingError,
    DirectoryError,
    DirectoryNotFoundError,
    DirectoryStoreUnavailableError,
    IdUsedError,
    InvalidValueError,
    KeyEndedError,
    KeyNotFoundError,
    LinkNotFoundError,
    NewerRowsError,
    OrganizationExistsError,
    OrganizationNotEmptyError,
    OrganizationNotFoundError,
    SecretStoreError,
    TokenEndedError,
    TokenNotFoundError,
    TokensFullError,
)
from scim.events.feed import CursorExpiredError
from scim.events.organization_feed import MAX_DIRECTORIES, TooManyDirectoriesError
from scim.fair_share import NoTurnError
from scim.json_body import BodyProblem, UnreadableBodyError
from scim.readable_request import UnreadableRequestError
from scim.resources.errors import (
    LimitExceededError,
    LostRaceError,
    ResourceMissingError,
    StorageUnavailableError,
    TooManyMembersError,
    TooManyRowsError,
    UnknownMembersError,
    ValueTakenError,
)
from scim.web import WebResponse

TYPE_PREFIX = "urn:scim-directory-sync:problem:"
CONTENT_TYPE = "application/problem+json"

NO_ORGANIZATION = "There is no organization of this id."
NO_DIRECTORY = "There is no directory of this id."


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of a body, or with one query parameter."""

    field: str
    detail: str


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """An answer that is an error: its status, a name for programs, and a sentence for people."""

    def __init__(
        self,
        status: int,
        name: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.name = name
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = headers or {}


def problem_answer(problem: Problem) -> WebResponse:
    """Return the answer of a problem."""
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + problem.name,
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.errors:
        body["errors"] = [{"field": error.field, "detail": error.detail} for error in problem.errors]
    return WebResponse(problem.status, json.dumps(body).encode(), problem.headers, CONTENT_TYPE)


def not_found(detail: str) -> Problem:
    """Return the 404 for what does not exist, or is not the key's to see: the two look alike."""
    return Problem(404, "not-found", detail)


def invalid(*errors: FieldError) -> Problem:
    """Return the 422 for values that are not accepted."""
    return Problem(422, "invalid-value", "The request has values that are not accepted; see errors.", errors=errors)


_OUTAGE = "The service cannot answer for the moment. Repeat the request after the seconds in Retry-After."


def unavailable(retry_after: int, detail: str = _OUTAGE) -> Problem:
    """Return the 503 for an outage of what is needed to answer."""
    return Problem(503, "unavailable", detail, headers={"Retry-After": str(retry_after)})


def unauthorized() -> Problem:
    """Return the 401, the same for every cause."""
    detail = "The API key is missing, unknown, expired or revoked. Send a valid one as Authorization: Bearer scimak_…"
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="API"'})


def forbidden(detail: str) -> Problem:
    """Return the 403 for what a valid key does not open."""
    return Problem(403, "forbidden", detail)


_MOST_ERRORS = 100


def field_errors(error: ValidationError) -> list[FieldError]:
    """Return what a failed validation says, in plain words and without the values: at most 100 of what is wrong."""
    listed = error.errors(include_url=False)[:_MOST_ERRORS]
    return [FieldError(_field(each["loc"]), _sentence(each)) for each in listed]


def _field(place: Sequence[int | str]) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text[:200]


_SENTENCES: Mapping[str, str] = {
    "missing": "is required",
    "extra_forbidden": "is not known here; check its spelling or leave it out",
    "string_type": "give a text",
    "int_type": "give a whole number",
    "int_parsing": "give a whole number",
    "int_parsing_size": "give a smaller number",
    "int_from_float": "give a whole number",
    "bool_type": "give true or false",
    "bool_parsing": "give true or false",
    "list_type": "give a list",
    "model_type": "give an object",
    "model_attributes_type": "give an object",
    "timezone_aware": "give a time with its offset, such as 2027-01-31T12:00:00Z",
}
_LIMITED: Mapping[str, str] = {
    "greater_than_equal": "give {ge} or more",
    "less_than_equal": "give {le} or less",
    "string_too_long": "give at most {max_length} characters",
    "string_too_short": "must not be empty",
    "too_long": "give at most {max_length} entries",
    "too_short": "give at least {min_length} entry",
    "literal_error": "give one of {expected}",
}


def _sentence(error: Any) -> str:
    kind = error["type"]
    if kind in _LIMITED:
        return _LIMITED[kind].format(**error["ctx"])
    if kind.startswith("datetime"):
        return _SENTENCES["timezone_aware"]
    return _SENTENCES.get(kind, "is not of the form that is described in the reference")


_BODY_STATUS: Mapping[BodyProblem, tuple[int, str]] = {
    "media_type": (415, "unsupported-media-type"),
    "too_large": (413, "too-large"),
    "too_many": (400, "unreadable-body"),
    "syntax": (400, "unreadable-body"),
    "value": (400, "unreadable-body"),
}


def _unreadable(error: UnreadableBodyError) -> Problem:
    return Problem(*_BODY_STATUS[error.problem], str(error))


def _invalid_value(error: InvalidValueError) -> Problem:
    return invalid(FieldError(error.field, str(error).removeprefix(f"{error.field}: ")))


def _sentence_of(error: Exception) -> str:
    return f"{str(error)[:1].upper()}{str(error)[1:]}."


def _conflict(name: str) -> Callable[[Exception], Problem]:
    return lambda error: Problem(409, name, _sentence_of(error))


def _expired(_: Exception) -> Problem:
    detail = (
        "Events behind this cursor are no longer kept, or were put back from a copy. Read the events without after "
        "to their end. Read the users and groups of the directory again, then go on from the cursor of that end."
    )
    return Problem(410, "cursor-expired", detail)


def _too_many_directories(_: Exception) -> Problem:
    detail = (
        f"The organization has more than {MAX_DIRECTORIES} directories, too many for one cursor. "
        "Read the events of each directory."
    )
    return Problem(409, "too-many-directories", detail)


def _no_turn(error: NoTurnError) -> Problem:
    detail = "This API key sends more requests at once than are answered at once. Repeat it after Retry-After seconds."
    return Problem(429, "too-many-requests", detail, headers={"Retry-After": str(error.retry_after)})


_DELETED_MEANWHILE = (
    "What an earlier attempt of this request made was deleted since, and its id is not given again. "
    "Send the request with a new Idempotency-Key."
)
_TRANSLATIONS: Mapping[type[Exception], Callable[[Any], Problem]] = {
    NoTurnError: _no_turn,
    UnreadableRequestError: lambda error: Problem(400, "unreadable-request", str(error)),
    UnreadableBodyError: _unreadable,
    InvalidValueError: _invalid_value,
    OrganizationNotFoundError: lambda _: not_found(NO_ORGANIZATION),
    DirectoryNotFoundError: lambda _: not_found(NO_DIRECTORY),
    TokenNotFoundError: lambda _: not_found("The directory has no valid token of this version."),
    BeyondKeyError: lambda error: forbidden(_sentence_of(error)),
    KeyEndedError: lambda _: unauthorized(),
    KeyNotFoundError: lambda _: not_found("There is no API key of this id."),
    LinkNotFoundError: lambda _: not_found("There is no link to the portal of this id."),
    ResourceMissingError: lambda _: not_found("There is no such resource in this directory, or no longer."),
    IdUsedError: lambda _: Problem(409, "deleted-meanwhile", _DELETED_MEANWHILE),
    OrganizationExistsError: _conflict("external-id-taken"),
    DirectoryDeletingError: _conflict("directory-deleted"),
    TooManyDirectoriesError: _too_many_directories,
    OrganizationNotEmptyError: _conflict("organization-not-empty"),
    TokensFullError: _conflict("too-many-tokens"),
    TokenEndedError: _conflict("token-ended"),
    CursorExpiredError: _expired,
    DirectoryBusyError: lambda _: unavailable(1),
    DirectoryError: _conflict("refused"),
    SecretStoreError: lambda error: unavailable(getattr(error, "retry_after", None) or 5),
    NewerRowsError: lambda error: unavailable(error.retry_after, error.sentence),
    DirectoryStoreUnavailableError: lambda error: unavailable(error.retry_after),
    StorageUnavailableError: lambda error: unavailable(error.retry_after),
    LostRaceError: lambda _: unavailable(1),
    ValueTakenError: lambda _: Problem(409, "value-taken", "Another resource of the directory has this value."),
    UnknownMembersError: lambda _: invalid(FieldError("members", "name users and groups of the directory")),
    LimitExceededError: lambda error: Problem(413, "too-large", error.limit),
    TooManyRowsError: lambda _: Problem(400, "too-many-rows", "This search reads too much; make it narrower."),
    TooManyMembersError: lambda _: Problem(400, "too-many-members", "The group is too large for one answer."),
}


def problem_of(error: Exception) -> Problem | None:
    """Return the problem that an error is to the caller, or None for a failure of ours."""
    if isinstance(error, Problem):
        return error
    translation = entry_of(error, _TRANSLATIONS)
    return translation(error) if translation else None

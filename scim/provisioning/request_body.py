"""The body of a SCIM request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scim2_models import (
    InvalidSyntaxException,
    InvalidValueException,
    PayloadTooLargeException,
    SCIMException,
    TooManyException,
)
from scim2_server.errors import UnsupportedMediaTypeException

from scim.json_body import BodyProblem, UnreadableBodyError, read_json_body
from scim.provisioning.service_provider import MAX_BODY_BYTES, MAX_USER_BODY_BYTES
from scim.resources.request_limits import MAX_JSON_CONTAINERS
from scim.web import WebRequest

_DIGITS_OF_SIZE = 20

_ERRORS: Mapping[BodyProblem, type[SCIMException]] = {
    "media_type": UnsupportedMediaTypeException,
    "too_large": PayloadTooLargeException,
    "too_many": TooManyException,
    "syntax": InvalidSyntaxException,
    "value": InvalidValueException,
}


def read_body(web: WebRequest, *, of_user: bool = False) -> Any:
    """Return the JSON value of a body.

    :param of_user: Whether it describes one user, or a change of one: then it cannot need 2 MiB.

    :raises UnsupportedMediaTypeException: When the content type is no JSON.
    :raises PayloadTooLargeException: Above 2 MiB, of a user above 1.5 MiB, as Content-Length or the body itself says.
    :raises TooManyException: When an object has more than a thousand members, or there are very many objects and lists.
    :raises InvalidSyntaxException, InvalidValueException: When the body is empty or no JSON, with what to change.
    """
    largest, size = (MAX_USER_BODY_BYTES, "1.5 MiB") if of_user else (MAX_BODY_BYTES, "2 MiB")
    if max(len(web.body), _content_length(web)) > largest:
        raise PayloadTooLargeException(detail=_too_large(size, of_user=of_user))
    if web.body.count(b"[") + web.body.count(b"{") > MAX_JSON_CONTAINERS:
        raise TooManyException(
            detail=f"The body holds more than {MAX_JSON_CONTAINERS:,} objects and lists; send fewer at once."
        )
    try:
        return read_json_body(web, media_type="application/scim+json", max_bytes=largest, size=size)
    except UnreadableBodyError as error:
        raise _ERRORS[error.problem](detail=str(error)) from error


def _content_length(web: WebRequest) -> int:
    text = web.headers.get("content-length", "")
    return int(text) if text.isdecimal() and len(text) < _DIGITS_OF_SIZE else 0


def _too_large(size: str, *, of_user: bool) -> str:
    if not of_user:
        return f"The body is larger than {size}; send less at once."
    return (
        f"The body is larger than {size}, which is more than a user of 256 KiB can need; "
        "map fewer or shorter attributes, and send JSON without blanks."
    )

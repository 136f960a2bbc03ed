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
from scim.provisioning.service_provider import MAX_BODY_BYTES
from scim.web import WebRequest

_ERRORS: Mapping[BodyProblem, type[SCIMException]] = {
    "media_type": UnsupportedMediaTypeException,
    "too_large": PayloadTooLargeException,
    "too_many": TooManyException,
    "syntax": InvalidSyntaxException,
    "value": InvalidValueException,
}


def read_body(web: WebRequest) -> Any:
    """Return the JSON value of a body.

    :raises UnsupportedMediaTypeException: When the content type is no JSON.
    :raises PayloadTooLargeException: Above 2 MiB.
    :raises TooManyException: When an object has more than a thousand members.
    :raises InvalidSyntaxException, InvalidValueException: When the body is empty or no JSON, with what to change.
    """
    try:
        return read_json_body(web, media_type="application/scim+json", max_bytes=MAX_BODY_BYTES, size="2 MiB")
    except UnreadableBodyError as error:
        raise _ERRORS[error.problem](detail=str(error)) from error

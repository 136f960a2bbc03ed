"""The body of a request, read as JSON within limits."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NoReturn

from scim2_models import InvalidSyntaxException, InvalidValueException, PayloadTooLargeException
from scim2_server.errors import UnsupportedMediaTypeException

from scim.provisioning.service_provider import MAX_BODY_BYTES
from scim.web import WebRequest

MAX_DEPTH = 32


def read_body(web: WebRequest) -> Any:
    """Return the JSON value of a body.

    :raises UnsupportedMediaTypeException: When the content type is no JSON.
    :raises PayloadTooLargeException: Above 2 MiB.
    :raises InvalidSyntaxException: When the body is empty or no JSON, with what to change.
    """
    _require_json(web.headers.get("content-type", ""))
    if len(web.body) > MAX_BODY_BYTES:
        raise PayloadTooLargeException(detail="The body is larger than 2 MiB; send less at once.")
    if not web.body.strip():
        raise InvalidSyntaxException(detail=_empty_body(web))
    try:
        value = json.loads(web.body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise _too_deep() from error
    except UnicodeDecodeError as error:
        raise InvalidSyntaxException(detail="The body is not UTF-8.") from error
    except ValueError as error:
        raise InvalidSyntaxException(detail=_not_json(error)) from error
    if web.body.count(b"[") + web.body.count(b"{") > MAX_DEPTH:
        _require_depth(value)
    return value


def _require_json(content_type: str) -> None:
    media_type = content_type.partition(";")[0].strip().lower()
    is_json = media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
    if media_type and not is_json:
        raise UnsupportedMediaTypeException(detail=f"The body must be application/scim+json, not {media_type[:60]}.")


def _empty_body(web: WebRequest) -> str:
    if "chunked" in web.headers.get("transfer-encoding", "").lower():
        return "The body arrived empty: send it with Content-Length instead of Transfer-Encoding: chunked."
    return "The body is empty; send a JSON object with Content-Length."


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidValueException(detail=f"{name} is not a JSON number.")


def _not_json(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"The body is not valid JSON: see line {error.lineno}, column {error.colno}."
    return "The body holds a number that is too long."


def _too_deep() -> InvalidSyntaxException:
    return InvalidSyntaxException(detail=f"The body nests deeper than {MAX_DEPTH} levels.")


def _require_depth(value: Any) -> None:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        if not level:
            return
        level = [item for holder in level for item in _items(holder) if isinstance(item, (dict, list))]
    if level:
        raise _too_deep()


def _items(holder: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return holder.values() if isinstance(holder, dict) else holder

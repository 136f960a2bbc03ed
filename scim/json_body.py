"""The body of a request, read as JSON within limits; each surface says in its own form what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal, NoReturn

from scim.web import WebRequest

MAX_DEPTH = 32

BodyProblem = Literal["media_type", "too_large", "syntax", "value"]


class UnreadableBodyError(Exception):
    """A body cannot be read; the text says what to change."""

    def __init__(self, problem: BodyProblem, sentence: str) -> None:
        super().__init__(sentence)
        self.problem = problem


def read_json_body(web: WebRequest, *, media_type: str, max_bytes: int, size: str) -> Any:
    """Return the JSON value of a body.

    :param media_type: What a refusal of another type suggests; any JSON type is read.
    :param size: ``max_bytes`` in words.
    :raises UnreadableBodyError: When it is no JSON, empty, too large or too deep.
    """
    _require_json(web.headers.get("content-type", ""), media_type)
    if len(web.body) > max_bytes:
        raise UnreadableBodyError("too_large", f"The body is larger than {size}; send less at once.")
    if not web.body.strip():
        raise UnreadableBodyError("syntax", _empty_body(web))
    try:
        value = json.loads(web.body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise _too_deep() from error
    except UnicodeDecodeError as error:
        raise UnreadableBodyError("syntax", "The body is not UTF-8.") from error
    except ValueError as error:
        raise UnreadableBodyError("syntax", _not_json(error)) from error
    if web.body.count(b"[") + web.body.count(b"{") > MAX_DEPTH:
        _require_depth(value)
    return value


def _require_json(content_type: str, expected: str) -> None:
    media_type = content_type.partition(";")[0].strip().lower()
    is_json = media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
    if media_type and not is_json:
        raise UnreadableBodyError("media_type", f"The body must be {expected}, not {media_type[:60]}.")


def _empty_body(web: WebRequest) -> str:
    if "chunked" in web.headers.get("transfer-encoding", "").lower():
        return "The body arrived empty: send it with Content-Length instead of Transfer-Encoding: chunked."
    return "The body is empty; send a JSON object with Content-Length."


def _refuse_constant(name: str) -> NoReturn:
    raise UnreadableBodyError("value", f"{name} is not a JSON number.")


def _not_json(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"The body is not valid JSON: see line {error.lineno}, column {error.colno}."
    return "The body holds a number that is too long."


def _too_deep() -> UnreadableBodyError:
    return UnreadableBodyError("syntax", f"The body nests deeper than {MAX_DEPTH} levels.")


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

"""The body of a request, read as JSON within limits; each surface says in its own form what is wrong.

What is read here can be stored and written again: no text that is not Unicode, no number that is none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NoReturn

from scim.unicode_text import TextFault, fault_in
from scim.web import WebRequest

MAX_DEPTH = 32
MAX_MEMBERS = 1000
"""How many members one object may have; real users have a few dozen."""
MAX_NUMBER_LENGTH = 100
"""How many characters a number may have; a double is told apart by 17 digits."""

BodyProblem = Literal["media_type", "too_large", "too_many", "syntax", "value"]


class UnreadableBodyError(Exception):
    """A body cannot be read; the text says what to change."""

    def __init__(self, problem: BodyProblem, sentence: str) -> None:
        super().__init__(sentence)
        self.problem = problem


def read_json_body(web: WebRequest, *, media_type: str, max_bytes: int, size: str) -> Any:
    """Return the JSON value of a body: all its texts are Unicode, its numbers finite, its members told apart.

    :param media_type: What a refusal of another type suggests; any JSON type is read.
    :param size: ``max_bytes`` in words.
    :raises UnreadableBodyError: When it is no JSON, empty, too large or too deep, or holds what cannot be kept.
    """
    _require_json(web.headers.get("content-type", ""), media_type)
    if len(web.body) > max_bytes:
        raise UnreadableBodyError("too_large", f"The body is larger than {size}; send less at once.")
    if not web.body.strip():
        raise UnreadableBodyError("syntax", _empty_body(web))
    value = _parsed(web.body)
    if web.body.count(b"[") + web.body.count(b"{") > MAX_DEPTH:
        _require_depth(value)
    if _may_hold_unfit_text(web.body):
        _require_fit_texts(value)
    return value


def _parsed(body: bytes) -> Any:
    try:
        return _DECODER.decode(body.decode("utf-8-sig"))
    except RecursionError as error:
        raise _too_deep() from error
    except UnicodeDecodeError as error:
        raise UnreadableBodyError("syntax", "The body is not UTF-8.") from error
    except json.JSONDecodeError as error:
        sentence = f"The body is not valid JSON: see line {error.lineno}, column {error.colno}."
        raise UnreadableBodyError("syntax", sentence) from error


def _require_json(content_type: str, expected: str) -> None:
    media_type = content_type.partition(";")[0].strip().lower()
    is_json = media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
    if media_type and not is_json:
        named = "".join(character if " " <= character <= "~" else "?" for character in media_type[:60])
        raise UnreadableBodyError("media_type", f"The body must be {expected}, not {named}.")


def _empty_body(web: WebRequest) -> str:
    if "chunked" in web.headers.get("transfer-encoding", "").lower():
        return "The body arrived empty: send it with Content-Length instead of Transfer-Encoding: chunked."
    return "The body is empty; send a JSON object with Content-Length."


def _refuse_constant(name: str) -> NoReturn:
    raise UnreadableBodyError("value", f"{name} is not a JSON number.")


def _integer(text: str) -> int:
    if len(text) > MAX_NUMBER_LENGTH:
        raise _too_long()
    return int(text)


def _decimal(text: str) -> float:
    if len(text) > MAX_NUMBER_LENGTH:
        raise _too_long()
    number = float(text)
    if math.isinf(number):
        raise UnreadableBodyError("value", f"The number {text} is too large; send one below 1.8e308.")
    return number


def _too_long() -> UnreadableBodyError:
    return UnreadableBodyError(
        "value", f"The body holds a number that is too long: at most {MAX_NUMBER_LENGTH} characters are read."
    )


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(members) > MAX_MEMBERS:
        raise UnreadableBodyError("too_many", f"An object in the body has more than {MAX_MEMBERS:,} members.")
    value = dict(members)
    if len(value) < len(members):
        raise UnreadableBodyError("value", _given_twice(members))
    return value


def _given_twice(members: Iterable[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for name, _ in members:
        if name in seen:
            shown = name[:60].encode("ascii", "replace").decode()
            return f"{shown!a} is given twice in one object of the body; send it once."
        seen.add(name)
    raise AssertionError("no member is given twice")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_decimal, parse_constant=_refuse_constant
)


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


def _may_hold_unfit_text(body: bytes) -> bool:
    """Tell by the bytes alone whether the texts must be looked at: only escapes can write what is looked for."""
    return b"\\ud" in body or b"\\uD" in body or b"\\u0000" in body


def _require_fit_texts(value: Any) -> None:
    for text in _texts(value):
        fault = fault_in(text)
        if fault is not None:
            raise UnreadableBodyError("value", _UNFIT[fault])


_UNFIT = {
    TextFault.SURROGATE: "The body holds half of a surrogate pair; send valid Unicode text.",
    TextFault.NUL: "The body holds the character U+0000, which no text may hold; leave it out.",
}


def _texts(value: Any) -> Iterator[str]:
    """Yield every text of a value, names of members among them."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            waiting += item.keys()
            waiting += item.values()

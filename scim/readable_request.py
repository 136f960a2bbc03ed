"""Whether a request's method, path, query and headers are text at all. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from scim.unicode_text import TextFault, fault_in
from scim.web import WebRequest

_REPLACED = "\ufffd"
"""What a host may have put in the place of bytes that are not UTF-8; no address of ours holds it."""


class UnreadableRequestError(Exception):
    """A part of a request is no text; the sentence says which part and what to change."""


def require_readable(web: WebRequest) -> None:
    """Refuse a request with bytes that are not UTF-8, or with half of a surrogate pair, anywhere before its body.

    :raises UnreadableRequestError: Naming the part.
    """
    if "".join((web.method, web.path, web.origin, *web.query, *web.query.values(), *web.headers.values())).isascii():
        return
    for part, text in _parts(web):
        if fault_in(text) is TextFault.SURROGATE or (part == "path" and _REPLACED in text):
            raise UnreadableRequestError(f"The {part} is not valid UTF-8; encode it as UTF-8, then percent-encode it.")


def _parts(web: WebRequest) -> Iterator[tuple[str, str]]:
    yield "method", web.method
    yield "path", web.path
    yield "header host", web.origin
    for name, value in web.query.items():
        yield "name of a query parameter", name
        yield f"query parameter {name}", value
    for name, value in web.headers.items():
        yield f"header {name}", value

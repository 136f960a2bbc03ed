"""Between Azure Functions' HTTP objects and ours. Nothing that a caller sends makes either way fail."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, unquote, urlsplit

from azure.functions import HttpRequest, HttpResponse

from scim.web import WebRequest, WebResponse

_LEFT_IN_HEADERS = "".join(chr(code) for code in range(ord(" "), ord("~") + 1))


def web_request(request: HttpRequest) -> WebRequest:
    """Return our form of a request; the path comes from the URL, so that every route is converted alike.

    Bytes that are not UTF-8 become halves of surrogate pairs, which every surface refuses in its own form.
    """
    scheme, _, rest = request.url.partition("://")
    target, _, query = rest.partition("#")[0].partition("?")
    authority, slash, path = target.partition("/")
    return WebRequest(
        method=request.method.upper(),
        path=unquote(slash + path, errors="surrogateescape"),
        query=_query(query),
        headers=dict(request.headers.items()),
        body=request.get_body(),
        origin=_origin(f"{scheme}://{authority}"),
    )


def _origin(text: str) -> str:
    """Return scheme and host, or nothing where the Host header names none: what is built on it must not fail."""
    try:
        _ = urlsplit(text).port
    except ValueError:
        return ""
    return text


def _query(text: str) -> dict[str, str]:
    """Return query parameters, repeated ones joined with a comma.

    They come from the URL because the host drops empty values, and ``?cursor=`` asks for the first page by cursor
    (RFC 9865 §2).
    """
    query: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, errors="surrogateescape"):
        query[name] = f"{query[name]},{value}" if name in query else value
    return query


def http_response(response: WebResponse) -> HttpResponse:
    """Return the Functions form of a response; its type is set even on 204, where the host would add its own."""
    return HttpResponse(
        body=response.body,
        status_code=response.status,
        headers={name: _header_value(value) for name, value in response.headers.items()},
        mimetype=response.content_type,
    )


def _header_value(text: str) -> str:
    """Return a header's value as the host takes it: what is not printable ASCII is percent-encoded."""
    if text.isascii() and text.isprintable():
        return text
    return quote(text, safe=_LEFT_IN_HEADERS, errors="replace")

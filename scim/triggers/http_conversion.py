"""Between Azure Functions' HTTP objects and ours."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

from azure.functions import HttpRequest, HttpResponse

from scim.web import WebRequest, WebResponse


def web_request(request: HttpRequest) -> WebRequest:
    """Return our form of a request; the path comes from the URL, so that every route is converted alike."""
    url = urlsplit(request.url)
    return WebRequest(
        method=request.method.upper(),
        path=unquote(url.path),
        query=_query(url.query),
        headers=dict(request.headers.items()),
        body=request.get_body(),
        origin=f"{url.scheme}://{url.netloc}",
    )


def _query(text: str) -> dict[str, str]:
    """Return query parameters, repeated ones joined with a comma.

    They come from the URL because the host drops empty values, and ``?cursor=`` asks for the first page by cursor
    (RFC 9865 §2).
    """
    query: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    return query


def http_response(response: WebResponse) -> HttpResponse:
    """Return the Functions form of a response; its type is set even on 204, where the host would add its own."""
    return HttpResponse(
        body=response.body,
        status_code=response.status,
        headers=dict(response.headers),
        mimetype=response.content_type,
    )

"""HTTP triggers under the development host, as under the Azure Functions host."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import azure.functions as func
import pytest

from scim.local_host import http_server
from scim.local_host.functions import FunctionsError, read_functions
from scim.local_host.http_server import FunctionsHttpServer

APP = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@APP.route(route="echo/{x?}")
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    seen = {
        "method": req.method,
        "url": req.url,
        "headers": dict(req.headers.items()),
        "params": dict(req.params),
        "route": dict(req.route_params),
        "body": req.get_body().decode("latin-1"),
    }
    return func.HttpResponse(json.dumps(seen), mimetype="application/scim+json")


@APP.route(route="in-a-thread")
def in_a_thread(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("sync", headers={"X-Content-Type-Options": "mine"})


@APP.route(route="text")
async def text(req: func.HttpRequest) -> str:
    return "plain"


@APP.route(route="no-content")
async def no_content(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(status_code=204)


@APP.route(route="repeated")
async def repeated(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse("x")
    for name, value in [("X-Multi", "1"), ("x-multi", "2"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]:
        response.headers.add(name, value)
    return response


@APP.route(route="raises/{how}")
async def raises(req: func.HttpRequest) -> Any:
    if req.route_params["how"] == "none":
        return None
    if req.route_params["how"] == "header":
        return func.HttpResponse(headers={"Location": "a\r\nb"})
    raise LookupError("lost")


@APP.route(route="only-get", methods=["GET"])
async def only_get(req: func.HttpRequest) -> str:
    return "got"


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


@pytest.fixture(scope="module")
def server() -> FunctionsHttpServer:
    functions = read_functions(APP, {}).http
    return FunctionsHttpServer(functions, route_prefix="api", custom_headers={"X-Content-Type-Options": "nosniff"})


async def request(
    server: FunctionsHttpServer,
    method: str,
    target: str,
    *,
    headers: Sequence[tuple[str, str]] = (),
    body: Sequence[bytes] = (b"",),
) -> Answer | None:
    path, _, query = target.partition("?")
    received = [{"type": "http.request", "body": part, "more_body": True} for part in body]
    received[-1] = {**received[-1], "more_body": False} if body[-1] != b"GONE" else {"type": "http.disconnect"}
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return received.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "scheme": "http",
        "method": method,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in [("Host", "h:1"), *headers]],
    }
    await server(scope, receive, send)
    if not sent:
        return None
    start, end = sent
    return Answer(start["status"], [(n.decode(), v.decode()) for n, v in start["headers"]], end["body"])


async def answer(server: FunctionsHttpServer, method: str, target: str, **more: Any) -> Answer:
    found = await request(server, method, target, **more)
    assert found is not None
    return found


async def seen(server: FunctionsHttpServer, target: str, **more: Any) -> Mapping[str, Any]:
    found = await answer(server, "POST", target, **more)
    assert found.status == 200
    return dict(json.loads(found.body))


async def test_a_function_sees_the_request_as_the_host_hands_it_over(server: FunctionsHttpServer) -> None:
    headers = [("X-A", "1"), ("x-a", "2"), ("X-Empty", ""), ("Content-Length", "3")]
    found = await seen(server, "/api/ECHO/%C3%9F%2F?b=1&B=2&e=&c=x%20y+z", headers=headers, body=[b"a\xff", b"b"])
    assert found["url"] == "http://h:1/api/ECHO/%C3%9F%2F?b=1&B=2&e=&c=x%20y+z"
    assert found["headers"] == {"host": "h:1", "x-a": "1,2", "x-empty": "", "content-length": "3"}
    assert found["params"] == {"b": "1,2", "c": "x y z"}
    assert found["route"] == {"x": "ß%2F"}
    assert found["body"] == "a\xffb"
    assert found["method"] == "POST"


async def test_a_chunked_body_arrives_with_its_length(server: FunctionsHttpServer) -> None:
    found = await seen(server, "/api/echo", headers=[("Transfer-Encoding", "chunked")], body=[b"ab", b"c"])
    assert found["body"] == "abc"
    assert found["headers"] == {"host": "h:1", "content-length": "3"}


async def test_the_answer_has_type_length_and_the_headers_of_host_json(server: FunctionsHttpServer) -> None:
    found = await answer(server, "GET", "/api/echo")
    assert found.header("content-type") == "application/scim+json"
    assert found.header("content-length") == str(len(found.body))
    assert found.header("x-content-type-options") == "nosniff"


async def test_a_synchronous_function_runs_and_its_headers_stand_before_those_of_host_json(
    server: FunctionsHttpServer,
) -> None:
    found = await answer(server, "GET", "/api/in-a-thread")
    assert (found.body, found.header("x-content-type-options")) == (b"sync", "mine")


async def test_a_string_is_plain_text(server: FunctionsHttpServer) -> None:
    found = await answer(server, "GET", "/api/text")
    assert (found.status, found.body, found.header("content-type")) == (200, b"plain", "text/plain; charset=utf-8")


async def test_a_204_carries_a_content_type_and_no_length(server: FunctionsHttpServer) -> None:
    found = await answer(server, "GET", "/api/no-content")
    assert (found.status, found.body, found.header("content-length")) == (204, b"", None)
    assert found.header("content-type") == "text/plain; charset=utf-8"


async def test_of_a_repeated_header_the_last_stays_but_of_cookies_all(server: FunctionsHttpServer) -> None:
    found = await answer(server, "GET", "/api/repeated")
    assert [value for name, value in found.headers if name == "x-multi"] == ["2"]
    assert [value for name, value in found.headers if name == "set-cookie"] == ["a=1; domain=", "b=2; domain="]


@pytest.mark.parametrize("how", ["exception", "none", "header"])
async def test_an_escaped_exception_is_an_empty_500_and_logged(
    server: FunctionsHttpServer, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, http_server.__name__):
        found = await answer(server, "GET", f"/api/raises/{how}")
    assert (found.status, found.body, found.header("content-length")) == (500, b"", "0")
    assert "function raises raised" in caplog.text


@pytest.mark.parametrize(
    ("method", "target"), [("GET", "/api/nothing"), ("POST", "/api/only-get"), ("HEAD", "/api/only-get")]
)
async def test_what_no_function_takes_is_an_empty_404(server: FunctionsHttpServer, method: str, target: str) -> None:
    found = await answer(server, method, target)
    assert (found.status, found.body) == (404, b"")


async def test_a_body_over_the_limit_is_refused(server: FunctionsHttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "MAX_BODY_BYTES", 4)
    assert (await answer(server, "POST", "/api/echo", body=[b"1234", b"5"])).status == 413
    assert (await answer(server, "POST", "/api/echo", body=[b"1234"])).status == 200


async def test_nothing_is_called_for_a_caller_that_left(server: FunctionsHttpServer) -> None:
    assert await request(server, "POST", "/api/echo", body=[b"12", b"GONE"]) is None


def test_a_trigger_that_this_host_cannot_serve_is_named() -> None:
    app = func.FunctionApp()

    @app.blob_trigger(arg_name="blob", path="x/{name}", connection="C")
    def on_blob(blob: func.InputStream) -> None: ...

    with pytest.raises(FunctionsError, match="on_blob"):
        read_functions(app, {})


def test_a_setting_that_is_missing_is_named() -> None:
    app = func.FunctionApp()

    @app.queue_trigger(arg_name="message", queue_name="%QUEUE%", connection="STORAGE")
    def on_message(message: func.QueueMessage) -> None: ...

    with pytest.raises(FunctionsError, match="QUEUE"):
        read_functions(app, {"STORAGE": "x"})


def test_a_function_that_a_setting_disables_is_left_out() -> None:
    app = func.FunctionApp()

    @app.queue_trigger(arg_name="message", queue_name="q", connection="STORAGE")
    def on_message(message: func.QueueMessage) -> None: ...

    @app.queue_trigger(arg_name="message", queue_name="q", connection="STORAGE")
    def on_other(message: func.QueueMessage) -> None: ...

    found = read_functions(app, {"STORAGE": "x", "AzureWebJobs.on_message.Disabled": "true"})

    assert [each.name for each in found.queues] == ["on_other"]

"""Every request is answered and has its line, whatever happens on the way; and no answer is kept by anybody."""

from __future__ import annotations

import asyncio
import json
import logging
import runpy
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import azure.functions as func
import pytest

from scim.local_host.functions import HttpFunction, read_functions
from scim.local_host.place import PROJECT
from scim.portal.same_origin import cookie_name
from scim.web import WebRequest, WebResponse
from tests.api import ApiClient
from tests.fakes.memory_secrets import MemorySecretStore
from tests.fakes.memory_table import MemoryTable
from tests.portal import Browser
from tests.service import ORIGIN, ScimClient, Service, user

APP = runpy.run_path(str(PROJECT / "function_app.py"))["app"]
FUNCTIONS = read_functions(APP, {"DataStorage": ""}).http
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SURFACES = ("scim", "api", "portal")
Callers = Mapping[str, tuple[Callable[[WebRequest], Awaitable[WebResponse]], WebRequest]]


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    written = [record for record in caplog.records if record.name == "scim.requests" and record.levelno == logging.INFO]
    return [json.loads(record.getMessage()) for record in written]


@pytest.fixture
def hosted(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The service as the functions find it."""
    for module in ("health", "management", "not_found", "portal", "scim"):
        monkeypatch.setattr(f"scim.triggers.{module}.application", lambda: service.application)
    return service


async def called(function: HttpFunction, method: str, path: str, headers: Mapping[str, str]) -> func.HttpResponse:
    request = func.HttpRequest(method, f"{ORIGIN}/{path}", headers=headers, body=b"")
    answer: func.HttpResponse = await function.call(**{function.parameter: request})
    return answer


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
async def test_every_route_has_its_line_and_its_answer_is_kept_by_nobody(
    hosted: Service, function: HttpFunction, caplog: pytest.LogCaptureFixture
) -> None:
    scim = await hosted.new_directory()
    caplog.set_level(logging.INFO, "scim.requests")
    path = function.route.replace("{directory_id}", scim.directory.id).replace("{*rest}", "x").replace("{*path}", "x")
    for method in METHODS:
        for headers in ({}, {"authorization": f"Bearer {scim.token}"}):
            caplog.clear()

            answer = await called(function, method, path, headers)

            (line,) = lines(caplog)
            assert (line["status"], line["method"]) == (answer.status_code, method)
            assert line["correlation_id"] == answer.headers["request-id"]
            assert line["waited_ms"] >= 0
            assert answer.headers["Cache-Control"] == "no-store"


@pytest.fixture
def callers(scim: ScimClient, api: ApiClient, browser: Browser) -> Callers:
    """For each surface what answers, and a request that storage is needed for."""
    application = scim.application
    bearer = {"authorization": f"Bearer {scim.token}", "content-type": "application/json"}
    body = json.dumps(user("anna")).encode()
    return {
        "scim": (
            application.provisioning.answer,
            WebRequest("POST", f"/scim/v2/{scim.directory.id}/Users", {}, bearer, body, ORIGIN),
        ),
        "api": (
            application.management.answer,
            WebRequest("GET", "/api/v1/organizations", {}, {"authorization": f"Bearer {api.key}"}, b"", ORIGIN),
        ),
        "portal": (
            application.portal.answer,
            WebRequest("GET", "/portal", {}, {"cookie": f"{cookie_name(ORIGIN)}={browser.cookie}"}, b"", ORIGIN),
        ),
    }


FAILING = {
    "scim": ("scim.provisioning.endpoint.route", "scim.provisioning.endpoint.error_answer"),
    "api": ("scim.management.endpoint.find_operation", "scim.management.endpoint.problem_answer"),
    "portal": ("scim.portal.endpoint.find_page", "scim.portal.endpoint.problem_page"),
}
"""What is to fail of each surface: the way to an answer, and then the answer to that failure."""


@pytest.mark.parametrize("surface", SURFACES)
async def test_a_request_whose_answer_cannot_be_made_is_answered_and_has_its_line(
    callers: Callers, surface: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, web = callers[surface]

    def fail(*_: Any, **__: Any) -> Any:
        raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")

    for name in FAILING[surface]:
        monkeypatch.setattr(name, fail)
    caplog.set_level(logging.INFO, "scim.requests")

    response = await answer(web)

    assert response.status == 500
    assert response.body
    (line,) = lines(caplog)
    assert line["status"] == 500


@pytest.mark.parametrize("surface", SURFACES)
async def test_a_request_whose_caller_is_gone_has_its_line(
    callers: Callers, surface: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, web = callers[surface]
    reached = asyncio.Event()

    async def hang(*_: Any, **__: Any) -> Any:
        reached.set()
        await asyncio.Event().wait()

    for call in ("read", "query", "commit"):
        monkeypatch.setattr(MemoryTable, call, hang)
    caplog.set_level(logging.INFO, "scim.requests")

    task = asyncio.ensure_future(answer(web))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    (line,) = lines(caplog)
    assert line["status"] == 499


async def test_a_change_is_answered_although_its_outcome_cannot_be_told(
    scim: ScimClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "scim.requests")

    def fail(_: Any) -> None:
        raise LookupError("no place")

    object.__setattr__(scim.application.provisioning, "observers", (fail,))

    created = await scim.post("/Users", user("anna"))

    assert created.status == 201
    assert [line["status"] for line in lines(caplog)] == [201]


async def test_readiness_is_asked_once_in_ten_seconds_and_by_one_at_a_time(service: Service) -> None:
    readiness, now, asked = service.application.readiness, [0.0], list[int]()
    readiness._monotonic = lambda: now[0]
    secrets = service.application.secret_store
    assert isinstance(secrets, MemorySecretStore)

    for _ in range(3):
        before = service.meter()
        answers = await asyncio.gather(*(readiness.answer() for _ in range(50)))
        assert {answer.status for answer in answers} == {200}
        asked.append(service.meter() - before)
        now[0] += 9.9
    now[0] += 0.1

    assert (await readiness.answer()).status == 200
    assert asked == [1, 0, 1]
    assert [name for name, _ in secrets.reads].count("readiness") == 3


async def test_health_needs_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Any:
        raise LookupError("settings")

    monkeypatch.setattr("scim.triggers.health.application", fail)
    (health,) = [function for function in FUNCTIONS if function.name == "health"]

    answer = await called(health, "GET", "health", {})

    assert (answer.status_code, answer.get_body()) == (200, b'{"status": "alive"}')

"""The staged deployment package, loaded and called as Azure does on Python 3.13."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from scim.local_host.azurite import Azurite
from scim.local_host.deployment_package import write_package
from scim.local_host.directories import DirectoryAccess, create_directories
from scim.local_host.host_settings import read_host_settings
from scim.local_host.place import PROJECT
from scim.local_host.routing import Route, Router

pytestmark = [
    pytest.mark.skipif(sys.version_info < (3, 13), reason="Microsoft's worker library needs Python 3.13"),
    pytest.mark.skipif(
        importlib.util.find_spec("azure_functions_runtime") is None, reason="azure-functions-runtime is not installed"
    ),
]
ROOT = "scim/v2/{directory_id}"
HTTP_FUNCTIONS = {
    ("api_1", "api/v1/{*rest}"),
    ("health", "health"),
    ("health_ready", "health/ready"),
    ("portal_1", "portal/{*rest}"),
    ("scim_1_bulk", f"{ROOT}/Bulk"),
    ("scim_1_groups", f"{ROOT}/Groups"),
    ("scim_1_groups_search", f"{ROOT}/Groups/.search"),
    ("scim_1_me", f"{ROOT}/Me"),
    ("scim_1_resource_types", f"{ROOT}/ResourceTypes"),
    ("scim_1_root", ROOT),
    ("scim_1_root_search", f"{ROOT}/.search"),
    ("scim_1_schemas", f"{ROOT}/Schemas"),
    ("scim_1_service_provider_config", f"{ROOT}/ServiceProviderConfig"),
    ("scim_1_users", f"{ROOT}/Users"),
    ("scim_1_users_search", f"{ROOT}/Users/.search"),
    ("scim_2_group", f"{ROOT}/Groups/{{resource_id}}"),
    ("scim_2_resource_type", f"{ROOT}/ResourceTypes/{{name}}"),
    ("scim_2_schema", f"{ROOT}/Schemas/{{urn}}"),
    ("scim_2_user", f"{ROOT}/Users/{{resource_id}}"),
    ("scim_3_unknown", f"{ROOT}/{{*rest}}"),
    ("zz_not_found", "{*path}"),
}
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
USER = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "Ada@example.com"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: list[dict[str, Any]]

    def json(self) -> Any:
        return json.loads(self.body)


class WorkerProcess:
    """The worker's process, and the host's part: finding the function of a request."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.functions: list[dict[str, Any]] = self._read()
        http = [each for each in self.functions if each["trigger"]["type"] == "httpTrigger"]
        prefix = read_host_settings(PROJECT / "host.json").route_prefix
        self.router = Router(
            (Route(each["name"], each["trigger"]["route"], None, each) for each in http), prefix=prefix
        )

    def request(
        self, method: str, url: str, *, token: str = "", body: Any = None, extra: Mapping[str, str] | None = None
    ) -> Answer:
        parts = urlsplit(url)
        found = self.router.match(method, parts.path)
        assert found is not None
        function, route_values = found
        headers = {"authorization": f"Bearer {token}", "content-type": "application/scim+json", **(extra or {})}
        http = {
            "method": method,
            "url": url,
            "headers": headers,
            "params": dict(route_values),
            "query": dict(parse_qsl(parts.query)),
        }
        encoded = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        answer = self.call(function, http=http, body=base64.b64encode(encoded).decode())
        return Answer(answer["status"], answer["headers"], base64.b64decode(answer["body"]), answer["cookies"])

    def call(self, function: dict[str, Any], **data: Any) -> dict[str, Any]:
        assert self._process.stdin
        request = {"function_id": function["id"], "parameter": function["trigger"]["name"], **data}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = self._read()
        assert "error" not in answer, answer["error"]
        return answer

    def by_name(self, name: str) -> dict[str, Any]:
        return next(each for each in self.functions if each["name"] == name)

    def _read(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the worker ended; its error stands above"
        return json.loads(line)


@pytest.fixture(scope="module")
def environment(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of the deployed app."""
    return {
        "DataStorage": azurite.connection_string,
        "SCIM_SECRET_STORE": f"file:{tmp_path_factory.mktemp('secrets') / 'secrets.json'}",
        "SCIM_PUBLIC_BASE_URL": "http://127.0.0.1",
    }


@pytest.fixture(scope="module")
def worker(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    with running_worker(tmp_path_factory.mktemp("package"), environment) as process:
        yield process


@contextmanager
def running_worker(folder: Path, environment: Mapping[str, str]) -> Iterator[WorkerProcess]:
    """Run the package in the worker until the end of the block; what it has still to send is sent then."""
    write_package(folder / "functions.zip")
    zipfile.ZipFile(folder / "functions.zip").extractall(folder)
    program = Path(__file__).with_name("worker_process.py")
    with subprocess.Popen(
        [sys.executable, str(program), str(folder)],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield WorkerProcess(process)


@pytest.fixture(scope="module")
def directory(environment: dict[str, str]) -> DirectoryAccess:
    from scim.composition import Application
    from scim.settings import Settings

    async def create() -> DirectoryAccess:
        application = Application(Settings.from_environment(environment))
        await application.prepare_storage()
        (created,) = await create_directories(application, 1, environment["SCIM_PUBLIC_BASE_URL"])
        await application.close()
        return created

    return asyncio.run(create())


def test_every_function_is_indexed_with_its_route_for_anonymous_callers(worker: WorkerProcess) -> None:
    http = [each for each in worker.functions if each["trigger"]["type"] == "httpTrigger"]
    assert {(each["name"], each["trigger"]["route"]) for each in http} == HTTP_FUNCTIONS
    assert {each["trigger"]["authLevel"] for each in http} == {"ANONYMOUS"}
    others = {each["name"]: each["trigger"]["type"] for each in worker.functions if each not in http}
    assert others == {
        "relay_directory": "queueTrigger",
        "retention": "timerTrigger",
        "sweep": "timerTrigger",
        "watch_tokens": "timerTrigger",
    }


def test_no_function_is_hidden_by_one_whose_name_sorts_before_it(worker: WorkerProcess) -> None:
    for name, route in HTTP_FUNCTIONS:
        found = worker.router.match("POST", "/" + re.sub(r"\{\*?\w+\}", "x", route))
        assert found is not None
        assert found[0]["name"] == name


def test_a_user_is_provisioned_and_removed(worker: WorkerProcess, directory: DirectoryAccess) -> None:
    users, token = f"{directory.tenant_url}/Users", directory.token
    created = worker.request("POST", users, token=token, body=USER)
    assert (created.status, created.headers["content-type"]) == (201, "application/scim+json")
    user = f"{users}/{created.json()['id']}"
    found = worker.request("GET", f'{users}?filter=userName+eq+"ada@example.com"', token=token)
    assert found.json()["totalResults"] == 1
    change = {"schemas": [PATCH], "Operations": [{"op": "Replace", "path": "active", "value": "False"}]}
    changed = worker.request("PATCH", user, token=token, body=change)
    assert (changed.status, changed.json()["active"]) == (200, False)
    assert worker.request("DELETE", user, token=token).status == 204
    assert worker.request("GET", user, token=token).status == 404


def test_what_is_wrong_with_a_request_is_said_in_scim_form(worker: WorkerProcess, directory: DirectoryAccess) -> None:
    users = f"{directory.tenant_url}/Users"
    assert worker.request("GET", users, token="wrong").status == 401
    assert worker.request("POST", users, token=directory.token).status == 400
    assert worker.request("PUT", users, token=directory.token, body=USER).status == 405
    unknown = worker.request("GET", "http://127.0.0.1/nowhere")
    assert (unknown.status, unknown.json()["status"]) == (404, "404")


def test_liveness_and_readiness_answer(worker: WorkerProcess, directory: DirectoryAccess) -> None:
    assert worker.request("GET", "http://127.0.0.1/health").status == 200
    assert worker.request("GET", "http://127.0.0.1/health/ready").status == 200


def test_the_portal_opens_with_its_templates_and_style(worker: WorkerProcess, directory: DirectoryAccess) -> None:
    page = worker.request("GET", "http://127.0.0.1/portal/open")
    (style,) = re.findall(rb'href="([^"]+\.css)"', page.body)

    assert (page.status, b"Open setup" in page.body) == (200, True)
    headers = {name.lower(): value for name, value in page.headers.items()}
    assert "default-src 'none'" in headers["content-security-policy"]
    assert worker.request("GET", f"http://127.0.0.1{style.decode()}").status == 200


def test_the_worker_hands_the_session_on_as_a_strict_cookie_with_an_empty_domain(
    worker: WorkerProcess, environment: dict[str, str], directory: DirectoryAccess
) -> None:
    url = asyncio.run(portal_link(environment, directory))
    form = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
    opened = worker.request("POST", "http://127.0.0.1/portal/open", body=f"code={quote(url)}".encode(), extra=form)
    (cookie,) = opened.cookies

    assert opened.status == 303
    assert (cookie["name"], cookie["domain"], cookie["path"]) == ("scim_80", "", "/")
    assert (cookie["http_only"], cookie["same_site"], cookie["max_age"]) == (True, "Strict", 8 * 3600)
    home = worker.request("GET", "http://127.0.0.1/portal", extra={"cookie": f"scim_80={cookie['value']}"})
    assert (home.status, b"Demo organization" in home.body) == (200, True)


async def portal_link(environment: Mapping[str, str], directory: DirectoryAccess) -> str:
    from scim.composition import Application
    from scim.local_host.directories import portal_url
    from scim.settings import Settings

    application = Application(Settings.from_environment(environment))
    try:
        return await portal_url(application, directory, "http://127.0.0.1")
    finally:
        await application.close()


def test_queue_and_timer_triggers_run(worker: WorkerProcess, directory: DirectoryAccess) -> None:
    metadata = {"Id": "1", "PopReceipt": "p"}
    worker.call(worker.by_name("relay_directory"), kind="string", value=directory.directory_id, metadata=metadata)
    for name in ("sweep", "retention", "watch_tokens"):
        worker.call(worker.by_name(name), kind="json", value='{"IsPastDue": false}')

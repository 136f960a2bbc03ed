"""The command line that serves the app locally, as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scim.local_host.core_tools import CoreToolsError, func_start
from scim.local_host.place import PROJECT, PlaceTakenError, kept_place
from scim.local_host.ports import chosen_ports, listen
from scim.local_host.started_host import HostNotStartedError, run_against_fresh_host, started_host
from scim.local_host.stopping import Stopping

USER = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "kept@example.com"}


def stop(process: subprocess.Popen[str]) -> None:
    """Stop the host as a service manager does; it prints nothing more."""
    assert process.stdout
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert process.stdout.read() == ""


def scim(ready: dict[str, Any], method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {ready['token']}", "Content-Type": "application/scim+json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(ready["tenant_url"] + path, method=method, headers=headers, data=data)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def api(ready: dict[str, Any], path: str) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(
        f"{ready['api_url']}/{path}", headers={"Authorization": f"Bearer {ready['api_key']}"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.status, json.load(response)


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_an_ephemeral_run_says_where_it_is_and_leaves_no_process() -> None:
    with started_host("--ephemeral", "--port", "0", "--directories", "2") as (process, ready):
        assert ready["tenant_url"] == f"{ready['base_url']}/scim/v2/{ready['directory_id']}"
        assert ready["pids"]["app"] == [process.pid]
        first, second = ready["directories"]
        assert {**ready, **first} == ready
        for directory in (first, second):
            status, found = scim(directory, "GET", "/Users")
            assert (status, found["totalResults"]) == (200, 0)
        assert scim({**first, "token": second["token"]}, "GET", "/Users")[0] == 401
        stop(process)
        assert not any(exists(pid) for pid in ready["pids"]["app"] + ready["pids"]["azurite"])


def test_the_directory_of_an_ephemeral_run_has_the_extension_that_entra_is_set_up_to_send() -> None:
    urn = "urn:ietf:params:scim:schemas:extension:CustomExtensionName:2.0:User"
    with started_host("--ephemeral", "--port", "0") as (_, ready):
        status, created = scim(ready, "POST", "/Users", {**USER, urn: {"tag": "701"}})
        assert (status, created[urn]) == (201, {"tag": "701"})


def test_an_ephemeral_run_says_how_its_api_is_called() -> None:
    with started_host("--ephemeral", "--port", "0") as (_, ready):
        assert ready["api_url"] == f"{ready['base_url']}/api/v1"
        status, directory = api(ready, f"directories/{ready['directory_id']}")
        assert (status, directory["organization_id"]) == (200, ready["organization_id"])


def test_azurite_stops_even_when_the_host_is_killed() -> None:
    with started_host("--ephemeral", "--port", "0") as (process, ready):
        table_port = int(ready["storage"].partition("TableEndpoint=http://127.0.0.1:")[2].partition("/")[0])
        process.kill()

    def refused() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", table_port)) != 0

    assert eventually(refused)


def test_a_second_run_has_the_same_directory_token_key_and_data(tmp_path: Path) -> None:
    arguments = ("--host", "own", "--port", "0", "--data", str(tmp_path / "data"), "--log-level", "ERROR")
    with started_host(*arguments) as (process, first):
        assert scim(first, "POST", "/Users", USER)[0] == 201
        stop(process)
    with started_host(*arguments) as (process, second):
        for name in ("organization_id", "directory_id", "token", "api_key"):
            assert second[name] == first[name]
        assert api(second, f"organizations/{second['organization_id']}")[0] == 200
        assert stat.S_IMODE((tmp_path / "data" / "demo.json").stat().st_mode) == 0o600
        assert scim(second, "GET", "/Users")[1]["totalResults"] == 1
        stop(process)


def test_given_storage_is_used_and_left_running() -> None:
    with started_host("--ephemeral", "--port", "0") as (_, first):
        with started_host("--ephemeral", "--port", "0", "--storage", first["storage"]) as (process, second):
            assert second["storage"] == first["storage"]
            assert second["pids"]["azurite"] == []
            assert scim(second, "GET", "/Users")[0] == 200
            stop(process)
        assert scim(first, "GET", "/Users")[0] == 200


def test_a_command_runs_against_a_fresh_host_and_its_exit_code_is_handed_on() -> None:
    program = "import sys, urllib.request as u; sys.exit(u.urlopen(sys.argv[1] + '/health').status - 193)"
    assert run_against_fresh_host([sys.executable, "-c", program, "{base_url}"]) == 7


def test_a_host_that_does_not_start_is_an_error() -> None:
    with pytest.raises(HostNotStartedError, match="exit code 2"), started_host("--directories", "0"):
        pass


def test_a_port_in_use_is_replaced_by_a_free_one() -> None:
    with listen(0) as taken:
        port = taken.getsockname()[1]
        (chosen,) = chosen_ports([port])
        assert chosen not in (0, port)


def test_kept_data_serves_one_run_at_a_time(tmp_path: Path) -> None:
    with kept_place(tmp_path), pytest.raises(PlaceTakenError, match="another run"), kept_place(tmp_path):
        pass
    with kept_place(tmp_path) as place:
        assert place.storage == tmp_path / "storage"


@pytest.fixture
def fake_func(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a program named func on the path, with the given Python source."""

    def install(source: str) -> None:
        program = tmp_path / "func"
        program.write_text(f"#!{sys.executable}\n{source}")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    return install


async def test_core_tools_serve_while_they_are_wanted(fake_func: Callable[[str], None]) -> None:
    fake_func("""
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
    def log_message(self, *_): pass
assert sys.argv[1:3] == ["start", "--port"] and os.environ["FUNCTIONS_WORKER_RUNTIME"] == "python"
http.server.HTTPServer(("127.0.0.1", int(sys.argv[3])), Handler).serve_forever()
""")
    (port,) = chosen_ports([0])
    stopping = Stopping()
    async with func_start(PROJECT, port, stopping) as process:
        assert process.returncode is None
        stopping.say()
    assert process.returncode == -signal.SIGTERM


async def test_core_tools_that_end_by_themselves_are_an_error(fake_func: Callable[[str], None]) -> None:
    fake_func("raise SystemExit(3)")
    stopping = Stopping()
    with pytest.raises(CoreToolsError, match="exit code 3"):
        async with asyncio.timeout(30), func_start(PROJECT, chosen_ports([0])[0], stopping):
            await stopping.wait()

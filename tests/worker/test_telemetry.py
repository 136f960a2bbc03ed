"""The package in Microsoft's worker with telemetry on: what leaves the process towards Application Insights."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from scim.local_host.directories import DirectoryAccess
from tests.worker.test_worker import USER, directory, environment, pytestmark, running_worker

__all__ = ["directory", "environment", "pytestmark"]


@dataclass
class Ingestion:
    """An endpoint that takes what the exporter of Application Insights sends."""

    address: str = ""
    envelopes: list[dict[str, Any]] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [each["data"]["baseData"] for each in self.envelopes if each["data"]["baseType"] == kind]


@pytest.fixture
def ingestion() -> Iterator[Ingestion]:
    received = Ingestion()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            text = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
            envelopes = json.loads(text) if "track" in self.path else []
            received.envelopes += envelopes
            taken = {"itemsReceived": len(envelopes), "itemsAccepted": len(envelopes), "errors": []}
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(taken).encode())

        def log_message(self, *args: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received.address = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield received
        server.shutdown()
        thread.join()


def test_spans_metrics_and_lines_of_the_service_leave_the_worker_and_no_name(
    ingestion: Ingestion,
    environment: dict[str, str],
    directory: DirectoryAccess,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    settings = {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": (
            "InstrumentationKey=00000000-0000-0000-0000-000000000001;"
            f"IngestionEndpoint={ingestion.address};LiveEndpoint={ingestion.address}"
        ),
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
        "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": "true",
        "PYTHON_APPLICATIONINSIGHTS_LOGGER_NAME": "scim",
        "OTEL_TRACES_SAMPLER": "always_on",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "azure_sdk,requests,urllib,urllib3",
    }
    with running_worker(tmp_path_factory.mktemp("package"), {**environment, **settings}) as worker:
        users = f"{directory.tenant_url}/Users"
        assert worker.request("POST", users, token=directory.token, body=USER).status == 201
        assert (
            worker.request("GET", f'{users}?filter=userName+eq+"ada@example.com"', token=directory.token).status == 200
        )
        worker.call(worker.by_name("sweep"), kind="json", value='{"IsPastDue": false}')

    spans = {each["name"] for each in ingestion.of_kind("RemoteDependencyData")}
    assert {"scim create", "resources commit", "resources read"} <= spans
    metrics = {each["metrics"][0]["name"] for each in ingestion.of_kind("MetricData")}
    assert {"scim.requests", "scim.storage.requests", "scim.outbox.oldest_age_seconds", "scim.poison.depth"} <= metrics
    lines = [json.loads(each["message"])["event"] for each in ingestion.of_kind("MessageData")]
    assert set(lines) == {"scim_request", "service_signals"}
    sent = json.dumps(ingestion.envelopes).lower()
    assert not [sought for sought in ("ada@", "filter=", directory.token.lower()) if sought in sent]

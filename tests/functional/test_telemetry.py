"""Spans and metrics of the whole service over Azurite, as an exporter in memory receives them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from azure.storage.queue.aio import QueueClient
from opentelemetry import context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from scim.adapters.storage_queue import QUEUE_NAME
from scim.adapters.telemetry.instruments import Instruments
from scim.adapters.telemetry.telemetry import Telemetry
from scim.composition import Application
from scim.directories.errors import SecretStoreUnavailableError
from scim.local_host.azurite import Azurite
from scim.local_host.place import PROJECT
from scim.settings import Settings, StorageSettings
from tests.fakes.memory_account import RecordedRelayRequests
from tests.fakes.memory_secrets import MemorySecretStore
from tests.fakes.recorded_uses import RecordedUses
from tests.service import ScimClient, Service, user


@dataclass(frozen=True)
class Received:
    """What an exporter was given."""

    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    def spans(self, name: str = "") -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name.startswith(name)]

    def span(self, name: str) -> ReadableSpan:
        (found,) = self.spans(name)
        return found

    def points(self) -> dict[str, list[tuple[dict[str, Any], float]]]:
        """Return every metric's points: attributes and value."""
        data: Any = self.reader.get_metrics_data()
        metrics = [each for group in data.resource_metrics for scope in group.scope_metrics for each in scope.metrics]
        return {
            metric.name: [(dict(point.attributes), point.value) for point in metric.data.data_points]
            for metric in metrics
        }


@pytest.fixture
def received() -> Received:
    return Received(InMemorySpanExporter(), InMemoryMetricReader())


@pytest.fixture
async def application(own_azurite: Azurite, received: Received) -> AsyncIterator[Application]:
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(received.exporter))
    meters = MeterProvider([received.reader], shutdown_on_exit=False)
    telemetry = Telemetry(Instruments(tracers, meters))
    running = Application(
        Settings(StorageSettings(own_azurite.connection_string), None, telemetry=True),
        telemetry=telemetry,
        secret_store=telemetry.secret_store(MemorySecretStore()),
        relay_requests=RecordedRelayRequests(),
        token_uses=RecordedUses(),
    )
    await running.prepare_storage()
    yield running
    await running.close()


@pytest.fixture
async def scim(application: Application, received: Received) -> ScimClient:
    client = await Service(application, lambda: 0).new_directory()
    received.exporter.clear()
    received.reader.get_metrics_data()
    return client


async def test_a_request_is_a_span_above_the_spans_of_its_storage_calls(scim: ScimClient, received: Received) -> None:
    await scim.post("/Users", user("anna@example.com"), x_ms_client_request_id="0f5b2c1e-0000-4000-8000-000000000001")

    request, commit = received.span("scim create"), received.span("resources commit")

    assert attributes(request) == {
        "scim.surface": "scim",
        "scim.operation": "create",
        "scim.resource_type": "User",
        "scim.directory_id": scim.directory.id,
        "scim.token_version": scim.directory.tokens[0].version,
        "scim.token_last_four": scim.token[-4:],
        "scim.status": 201,
        "scim.storage_requests": 1,
        "scim.correlation_id": "0f5b2c1e-0000-4000-8000-000000000001",
    }
    assert commit.parent is not None
    assert request.context is not None
    assert commit.parent.span_id == request.context.span_id
    assert attributes(commit)["scim.directory_id"] == scim.directory.id
    assert attributes(commit)["scim.storage.writes"] > 1


async def test_requests_and_storage_requests_are_counted_by_operation(scim: ScimClient, received: Received) -> None:
    await scim.new_users(2)
    await scim.get("/Users", {"filter": 'userName eq "nobody"'})
    await scim.get("/Users/usr_none")

    points = received.points()

    counted = {(point["operation"], point["status"]): value for point, value in points["scim.requests"]}
    assert counted.items() >= {("create", 201): 2, ("search", 200): 1, ("read", 404): 1}.items()
    asked = {point["operation"]: value for point, value in points["scim.storage.requests"]}
    assert (asked["create"], asked["search"]) == (2, 1)


async def test_a_directory_in_memory_is_a_hit_and_one_to_be_read_a_miss(scim: ScimClient, received: Received) -> None:
    """The fixture's first request read the directory; its token then was in memory, since it had just been made."""
    await scim.get("/ResourceTypes")

    points = received.points()

    assert points["scim.cache.misses"] == [({"cache": "directory"}, 1)]
    assert points["scim.cache.hits"] == [({"cache": "directory"}, 1)]


async def test_a_call_of_the_vault_is_a_span(application: Application, received: Received) -> None:
    assert application.telemetry is not None
    store = application.telemetry.secret_store(MemorySecretStore(SecretStoreUnavailableError("a text")))
    with pytest.raises(SecretStoreUnavailableError):
        await store.get("scim-a", "1")

    call = received.span("vault get")

    assert attributes(call) == {
        "scim.vault.call": "get",
        "scim.vault.secret": "scim-a",
        "error.type": "SecretStoreUnavailableError",
    }
    assert (call.status.status_code, call.status.description, call.events) == (StatusCode.ERROR, None, ())


async def test_an_insert_that_meets_a_row_has_its_error_type_and_did_not_fail(
    scim: ScimClient, received: Received
) -> None:
    await scim.new_user("anna")
    assert (await scim.post("/Users", user("anna"))).status == 409

    refused = received.spans("resources commit")[1]

    assert attributes(refused)["error.type"] == "RowExistsError"
    assert refused.status.status_code is StatusCode.UNSET


async def test_no_span_and_no_metric_holds_a_name_a_filter_a_body_or_a_token(
    scim: ScimClient, received: Received
) -> None:
    created = await scim.new_user(
        "anna.secret", emails=[{"type": "work", "value": "mail.secret"}], title="title.secret"
    )
    await scim.find('userName eq "anna.secret"')
    await scim.find('title co "title.secret"')
    await scim.get("/Users/usr_secret", {"attributes": "name.secret"})
    await scim.patch(f"/Users/{created['id']}", {"op": "Replace", "path": "title", "value": "other.secret"})
    await scim.get("/Users", authorization="Bearer scimdt_secret")
    await scim.post("/Users", b'{"secret"', x_ms_client_request_id="secret.id")
    await scim.get("/secret")
    await scim.delete(f"/Users/{created['id']}")

    told = [(span.name, attributes(span), span.events, span.status.description) for span in received.spans()]
    text = f"{told} {received.points()}"

    assert len(told) > 15
    assert not [
        sought for sought in (".secret", "secret.", "_secret", "/secret", scim.token, "Bearer") if sought in text
    ]


async def test_a_span_below_the_hosts_has_its_trace(scim: ScimClient, received: Received) -> None:
    carrier = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    token = context.attach(TraceContextTextMapPropagator().extract(carrier))
    await scim.get("/ResourceTypes")
    after = get_current_span().get_span_context().span_id
    context.detach(token)

    span = received.span("scim resource_types")
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert f"{after:016x}" == "b7ad6b7169203331"


async def test_a_sweep_shows_the_oldest_event_the_failures_and_the_poison_queue(
    application: Application,
    scim: ScimClient,
    received: Received,
    own_azurite: Azurite,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await scim.new_user("anna")
    caplog.set_level("INFO", "scim.signals")
    await leave_poison(own_azurite.connection_string)

    await application.sweep()

    points = received.points()
    assert points["scim.sweep.directories"][0][1] >= 1
    for signal in ("failures", "timeouts", "not_reached"):
        assert points[f"scim.sweep.{signal}"][0][1] == 0
    assert 0 < points["scim.outbox.oldest_age_seconds"][0][1] < 60
    assert points["scim.poison.depth"] == [({}, 1)]
    (line,) = [json.loads(record.getMessage()) for record in caplog.records if record.name == "scim.signals"]
    swept = {"directories", "failures", "timeouts", "not_reached"}
    assert line.keys() == {"event", *swept, "scim.outbox.oldest_age_seconds", "scim.poison.depth"}
    assert (line["failures"], line["timeouts"], line["not_reached"]) == (0, 0, 0)
    assert (line["event"], line["scim.poison.depth"]) == ("service_signals", 1)


def test_nothing_of_telemetry_is_imported_where_it_is_off() -> None:
    """Nor is anything put around tables, secrets and endpoints, so that a request costs what it costs without."""
    program = (
        "import sys, function_app\n"
        "from scim.composition import application\n"
        "from scim.adapters.tables.rest_table import RestTable\n"
        "running = application()\n"
        "assert type(running.account.table('resources')._table) is RestTable\n"
        "assert type(running.provisioning.authenticator).__name__ == 'Authenticator'\n"
        "assert type(running.secret_store).__name__ == 'LocalSecretStore'\n"
        "running.management\n"
        "assert not [name for name in sys.modules if name.startswith(('opentelemetry', 'scim.adapters.telemetry'))]\n"
    )
    environment = {"DataStorage": "UseDevelopmentStorage=true", "SCIM_SECRET_STORE": "file:unused"}
    subprocess.run([sys.executable, "-c", program], env=environment, cwd=PROJECT, check=True)


async def leave_poison(connection_string: str) -> None:
    """Put one message where the host puts those that failed every attempt."""
    async with QueueClient.from_connection_string(connection_string, f"{QUEUE_NAME}-poison") as queue:
        await queue.create_queue()
        await queue.send_message("dir_")


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})

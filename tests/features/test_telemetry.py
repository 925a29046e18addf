"""Traces: a request's span goes on where its caller's ends, and what it leads to is part of it."""

from __future__ import annotations

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api import settings as all_settings
from hefesto_api.adapters import telemetry
from hefesto_api.storage import jobs, statements
from hefesto_api.worker import Worker
from structlog.testing import capture_logs
from tests.answers import data_of
from tests.features.receiver import PRIVATE, Receiver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask
    from flask.testing import FlaskClient
    from hefesto_api.runtime import Runtime
    from tests.features.conftest import Service

pytest.importorskip("opentelemetry.sdk")

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{CALLER}-01"


@pytest.fixture
def told() -> Iterator[Any]:
    """What is told of traces, in the memory of the SDK's own exporter for tests."""
    from hefesto_api.adapters.telemetry_otel import OpenTelemetry  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: PLC0415

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry.use(OpenTelemetry(provider))
    end = statements.watch(telemetry.statement)
    yield exporter
    end()
    telemetry.stop()


def spans(told: Any) -> dict[str, Any]:
    return {span.name: span for span in told.get_finished_spans()}


def trace_of(span: Any) -> str:
    return f"{span.context.trace_id:032x}"


def test_a_request_is_a_span_of_its_callers_trace(client: FlaskClient, told: Any) -> None:
    client.get("/api/v1/projects/nothing?token=hunter2", headers={"traceparent": PARENT})
    (span,) = (span for span in told.get_finished_spans() if span.kind.name == "SERVER")
    assert (trace_of(span), f"{span.parent.span_id:016x}") == (TRACE, CALLER)
    assert span.attributes["http.response.status_code"] == 422
    assert span.name == f"GET {span.attributes['http.route']}"
    assert "nothing" not in span.name
    assert "hunter2" not in str(span.to_json())


def test_statements_are_told_without_their_values(client: FlaskClient, told: Any) -> None:
    client.post("/api/v1/projects", json={"slug": "hunter2"})
    inside = [span for span in told.get_finished_spans() if span.kind.name == "CLIENT"]
    (request,) = (span for span in told.get_finished_spans() if span.kind.name == "SERVER")
    assert any(span.name == "INSERT" for span in inside)
    assert {span.attributes["db.system.name"] for span in inside} == {"sqlite"}
    assert {trace_of(span) for span in inside} == {trace_of(request)}
    assert "hunter2" not in "".join(span.to_json() for span in inside)


def test_a_statement_that_fails_ends_its_span(app: Flask, client: FlaskClient, told: Any) -> None:
    runtime: Runtime = app.extensions["hefesto"]
    with telemetry.span("around"):
        for _ in range(2):
            with pytest.raises(Exception, match="lacks a table"), runtime.db.read() as session:
                session.exec_driver_sql("SELECT 1 FROM nowhere")
        with runtime.db.read() as session:
            session.exec_driver_sql("SELECT 1")
    ended = [span for span in told.get_finished_spans() if span.name == "SELECT"]
    assert [span.status.is_ok for span in ended].count(False) == 2
    assert {span.parent.span_id for span in ended} == {spans(told)["around"].context.span_id}


def test_a_job_is_part_of_the_trace_that_it_comes_from(app: Flask, client: FlaskClient, told: Any) -> None:
    asked = {"files": [{"path": "a.py", "content": "x = 1\n"}], "async": True}
    client.post("/api/v1/analyze", json=asked, headers={"traceparent": PARENT})
    worker = Worker(app.extensions["hefesto"], slots=1)
    worker.drain()
    worker.close()
    found = spans(told)
    assert trace_of(found["job analysis"]) == trace_of(found["analysis"]) == TRACE
    assert found["job analysis"].parent.span_id == found["POST /api/v1/analyze"].context.span_id
    assert found["analysis"].attributes["hefesto.analysis.status"] == "completed"


@pytest.mark.enable_socket
def test_a_receiver_is_told_whose_trace_it_is(
    make_service: Callable[..., Service], sqlite_url: str, told: Any
) -> None:
    client = make_service(sqlite_url, HEFESTO_WEBHOOK_ALLOW_PRIVATE=PRIVATE).client
    with Receiver(500) as receiver:
        made = data_of(client.post("/api/v1/webhooks", json={"name": "shop", "url": receiver.url}))
        client.post(f"/api/v1/webhooks/{made['id']}/test", headers={"traceparent": PARENT})
        (heard,) = (one for one in receiver.heard if one.method == "POST")
    span = spans(told)["webhook delivery"]
    assert heard.headers["traceparent"] == f"00-{TRACE}-{span.context.span_id:016x}-01"
    assert span.attributes["error.type"] == "500"
    assert made["secret"] not in span.to_json()


def test_lines_of_the_log_name_the_span(client: FlaskClient, told: Any) -> None:
    with capture_logs(processors=[_merged]) as lines:
        client.get("/livez", headers={"traceparent": PARENT})
    (line,) = (line for line in lines if line.get("part") == "access")
    span = spans(told)["GET /livez"]
    assert (line["trace_id"], line["span_id"]) == (TRACE, f"{span.context.span_id:016x}")


def test_a_job_without_a_trace_keeps_its_payload(app: Flask, client: FlaskClient) -> None:
    client.get("/livez", headers={"traceparent": PARENT})
    client.get("/livez")
    runtime: Runtime = app.extensions["hefesto"]
    with runtime.db.write() as session:
        job = jobs.get(session, jobs.enqueue(session, "sweep", {"a": 1}))
    assert job.payload == {"a": 1}


def _merged(logger: Any, method: str, event: Any) -> Any:
    import structlog  # noqa: PLC0415

    return structlog.contextvars.merge_contextvars(logger, method, event)


@pytest.mark.parametrize(
    ("environ", "traced"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
        ({"OTEL_SERVICE_NAME": "mine"}, False),
    ],
)
def test_the_standard_variables_decide(environ: dict[str, str], traced: bool, tmp_path: Path) -> None:
    assert all_settings.load(environ, tmp_path).traced is traced


def test_nothing_of_it_is_imported_while_it_is_off(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from hefesto_api import app, settings;"
        "app.create_app(settings.load({}, pathlib.Path('.'))).test_client().get('/livez');"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)


class Collector(BaseHTTPRequestHandler):
    """Takes traces as a collector does, and keeps them."""

    taken: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        """Take a message."""
        self.taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.mark.enable_socket
def test_a_collector_is_told_by_otlp(tmp_path: Path) -> None:
    """The whole way, in a process of its own: from the environment to what a collector receives."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: PLC0415 - an extra
        ExportTraceServiceRequest,
    )

    Collector.taken = []
    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code = f"""
from hefesto_api import app, runtime, settings
from hefesto_api.storage import migrate
held = runtime.build(settings.from_process())
migrate.upgrade(held.db)
runtime.start_telemetry(held)
app.create_app(runtime=held).test_client().get('/readyz', headers={{'traceparent': {PARENT!r}}})
held.close()
"""
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
            "OTEL_SERVICE_NAME": "shop",
        }
        subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environ, check=True, capture_output=True
        )
        server.shutdown()
    (path, body), *_ = Collector.taken
    assert path == "/v1/traces"
    sent = ExportTraceServiceRequest.FromString(body).resource_spans[0]
    about = {one.key: one.value.string_value for one in sent.resource.attributes}
    assert about["service.name"] == "shop"
    found = [span for scope in sent.scope_spans for span in scope.spans]
    assert {span.trace_id.hex() for span in found} == {TRACE}
    assert "GET /readyz" in {span.name for span in found}

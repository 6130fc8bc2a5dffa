"""Exporters that the environment asks for."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider

from slipstream import FastAPI
from slipstream.exceptions import FastAPIError
from slipstream.telemetry import _runtime
from slipstream.testclient import TestClient

from .conftest import Heard

BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"
NOWHERE = "http://127.0.0.1:9/v1/traces"


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(_runtime, "_owned", [])
    monkeypatch.setattr(_runtime, "_configured", [])
    yield
    for component in _runtime._owned:
        component.shutdown()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({BASE: ""}, None),
        ({BASE: "http://a:4318"}, "http://a:4318/v1/traces"),
        ({BASE: "https://a/base/"}, "https://a/base/v1/traces"),
        ({BASE: "http://a", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b/own/"}, "http://b/own/"),
        ({BASE: "http://a", "OTEL_TRACES_EXPORTER": "none"}, None),
        ({BASE: "http://a", "OTEL_TRACES_EXPORTER": "OTLP"}, "http://a/v1/traces"),
        (
            {
                BASE: "http://a",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            },
            "http://a/v1/traces",
        ),
    ],
)
def test_the_environment_says_where_a_signal_goes(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str | None
) -> None:
    """As OpenTelemetry's specification has it: a base for all, a whole URL for one."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert _runtime._export_endpoint("TRACES") == expected


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({BASE: "a:4318"}, "absolute HTTP URL"),
        ({BASE: "http://[a"}, "absolute HTTP URL"),
        ({BASE: "http://a", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
        ({BASE: "http://a", "OTEL_TRACES_EXPORTER": "zipkin"}, "otlp or none"),
    ],
)
def test_what_cannot_be_done_is_a_warning_and_the_application_starts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, environment: dict[str, str], told: str
) -> None:
    """A typing error in a deployment must cost the telemetry and not the service."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(FastAPIError, match=told):
        _runtime._export_endpoint("TRACES")
    with TestClient(FastAPI(telemetry={"auto_configure": True})) as client:
        assert client.get("/").status_code == 404

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert told in record.getMessage()


def test_an_exporter_is_added_once_to_a_provider_that_is_given(monkeypatch: pytest.MonkeyPatch, heard: Heard) -> None:
    """A program that is started again in one process, as tests do, must not send everything twice."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", NOWHERE)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0")
    added: list[Any] = []
    monkeypatch.setattr(heard.tracer_provider, "add_span_processor", added.append)
    app = FastAPI(telemetry=heard.config(auto_configure=True))

    for _ in range(2):
        with TestClient(app):
            pass

    assert added == _runtime._owned
    assert len(added) == 1


@pytest.mark.parametrize("provider", [object(), None])
def test_a_provider_that_takes_no_exporter_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, provider: Any
) -> None:
    """And one whose taking fails leaves no exporter behind."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", NOWHERE)
    told = "does not support"
    if provider is None:
        provider, told = TracerProvider(shutdown_on_exit=False), "no more processors"

        def refuse(component: Any) -> None:
            raise ValueError("no more processors")

        monkeypatch.setattr(provider, "add_span_processor", refuse)

    with TestClient(FastAPI(telemetry={"tracer_provider": provider, "auto_configure": True, "tracing": True})):
        pass

    assert told in caplog.text
    assert _runtime._owned == []


def test_without_the_sdk_there_is_a_warning(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The API alone cannot export; what to install is said."""
    monkeypatch.setenv(BASE, "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)

    with TestClient(FastAPI(telemetry={"auto_configure": True})) as client:
        assert client.get("/").status_code == 404

    assert "slipstream[telemetry]" in caplog.text


def test_an_exporter_that_cannot_be_emptied_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the end of the application nor the next exporter."""
    done: list[str] = []

    class Broken:
        def force_flush(self) -> None:
            raise RuntimeError("flush")

        shutdown = force_flush

    class Good:
        def force_flush(self) -> None:
            done.append(f"flush in {threading.current_thread() is threading.main_thread()}")

        def shutdown(self) -> None:
            done.append("shutdown")

    _runtime._owned.extend([Broken(), Good()])
    with TestClient(FastAPI()):
        pass
    _runtime._shutdown()
    _runtime._shutdown()

    assert done == ["flush in False", "shutdown"]
    assert caplog.text.count("FastAPI telemetry cleanup failed") == 2


@contextmanager
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A server that keeps what is posted to it."""
    received: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", received
        finally:
            server.shutdown()
            thread.join()


PROGRAM = """
import asyncio, json, sys
from slipstream import FastAPI
from slipstream.testclient import TestClient

app = FastAPI()

@app.get("/items/{item_id}")
async def read_item(item_id: int):
    return item_id

assert "opentelemetry.sdk" not in sys.modules
for _ in range(2):
    with TestClient(app) as client:
        assert client.get("/items/3").json() == 3
        assert client.get("/items/x").status_code == 422
print(json.dumps("served"))
"""


def test_what_was_recorded_arrives_at_a_collector_by_the_end_of_the_application() -> None:
    """The whole way, in a process of its own, with nothing but the environment to say where."""
    with collector() as (endpoint, received):
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
            "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
            BASE: endpoint,
            "OTEL_SERVICE_NAME": "shop",
            "OTEL_BSP_SCHEDULE_DELAY": "600000",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == "served"
    assert {path for path, _ in received} == {"/v1/traces", "/v1/metrics", "/v1/logs"}
    requests = [ExportTraceServiceRequest.FromString(body) for path, body in received if path == "/v1/traces"]
    resources = [resource for request in requests for resource in request.resource_spans]
    names = [span.name for each in resources for scope in each.scope_spans for span in scope.spans]
    assert names.count("GET /items/{item_id}") == 4
    service = {item.value.string_value for item in resources[0].resource.attributes if item.key == "service.name"}
    assert service == {"shop"}

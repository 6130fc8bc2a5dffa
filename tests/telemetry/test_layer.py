"""Whole requests and connections, as span and log processors hear of them, and what must never happen because of them.

That all of it is what FastAPI tells, tests/differential/test_telemetry.py compares; here stands why it matters.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode
from starlette.responses import StreamingResponse
from starlette.routing import Mount

from slipstream import Depends, FastAPI, HTTPException, Request, WebSocket
from slipstream.responses import JSONResponse
from slipstream.telemetry import get_telemetry_data
from slipstream.testclient import TestClient

from .conftest import Heard


def shop(heard: Heard, **more: Any) -> FastAPI:
    """An application with one of each kind of end."""
    app = FastAPI(telemetry=heard.config(**more))

    @app.get("/items/{item_id}")
    async def read_item(item_id: int) -> dict[str, int]:
        return {"item_id": item_id}

    @app.get("/crash")
    async def crash() -> None:
        raise ValueError("crash")

    @app.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418)

    @app.get("/busy")
    async def busy() -> JSONResponse:
        return JSONResponse({}, status_code=503)

    return app


def client(app: Any) -> TestClient:
    return TestClient(app, raise_server_exceptions=False)


def test_a_request_is_one_span_with_its_operations_below_it(heard: Heard) -> None:
    """The first thing that anybody looks at."""
    client(shop(heard)).get("/items/3")

    *operations, request = heard.spans
    assert [span.name for span in operations] == ["fastapi.dependencies", "fastapi.endpoint", "fastapi.serialization"]
    assert {span.parent.span_id for span in operations if span.parent} == {request.context.span_id}
    assert (request.name, request.kind, request.parent) == ("GET /items/{item_id}", SpanKind.SERVER, None)
    assert request.instrumentation_scope is not None
    assert request.instrumentation_scope.name == "slipstream"


def test_a_trace_that_the_client_began_goes_on(heard: Heard) -> None:
    """Otherwise a trace ends at each service."""
    client(shop(heard)).get("/items/3", headers={"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"})

    request = heard.spans[-1]
    assert request.context.trace_id == int("1" * 32, 16)
    assert request.parent is not None
    assert request.parent.span_id == int("2" * 16, 16)


@pytest.mark.parametrize("traceparent", [b"", b"garbage", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01", b"\xff\x00"])
@pytest.mark.parametrize("baggage", [b"", b"=", b"\xff=%zz,,;", b"a=" + b"x" * 9000])
def test_a_trace_that_cannot_be_read_is_ignored(heard: Heard, traceparent: bytes, baggage: bytes) -> None:
    """Bad input is never a 5xx."""
    response = client(shop(heard)).get("/items/3", headers=[(b"traceparent", traceparent), (b"baggage", baggage)])

    assert response.status_code == 200
    assert heard.spans[-1].parent is None


def test_a_refused_request_is_logged_without_its_input(heard: Heard) -> None:
    """The count tells that clients have a problem; what they sent is nobody's business by default."""
    client(shop(heard)).get("/items/secret")

    (record,) = heard.records
    assert record.log_record.attributes == {"http.route": "/items/{item_id}", "fastapi.validation.error_count": 1}
    assert record.log_record.span_id == heard.spans[-1].context.span_id
    assert heard.spans[-1].status.status_code == StatusCode.UNSET


def test_an_exception_that_nobody_handles_marks_span_metric_and_log_alike(heard: Heard) -> None:
    """Who comes from one finds the others."""
    client(shop(heard)).get("/crash")

    request = heard.spans[-1]
    assert request.attributes is not None
    assert request.attributes["http.response.status_code"] == 500
    assert request.attributes["error.type"] == "ValueError"
    assert request.status.status_code == StatusCode.ERROR
    (point,) = heard.points()
    assert point.attributes["error.type"] == "ValueError"
    (record,) = heard.records
    assert record.log_record.attributes is not None
    assert record.log_record.attributes["exception.message"] == "crash"
    assert record.log_record.trace_id == request.context.trace_id


def test_answers_are_not_failures_unless_they_say_so(heard: Heard) -> None:
    """A 4xx is the client's, a 5xx the server's, whoever has made it."""
    shop_client = client(shop(heard))
    for path in ("/teapot", "/missing", "/busy"):
        shop_client.get(path)

    failed = [span.name for span in heard.spans if span.status.status_code == StatusCode.ERROR]
    assert failed == ["GET /busy"]
    assert heard.records == []


def test_a_request_is_over_when_its_response_is_complete(heard: Heard) -> None:
    """Clean-up and background tasks are not what the client waits for."""
    app = FastAPI(telemetry=heard.config())
    seen = []

    async def resource() -> AsyncIterator[None]:
        yield
        seen.append(list(heard.names))

    @app.get("/", dependencies=[Depends(resource)])
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            yield "a"
            seen.append(list(heard.names))

        return StreamingResponse(parts())

    client(app).get("/")

    during, after = seen
    assert "GET /" not in during
    assert "GET /" in after


def test_requests_in_flight_are_counted(heard: Heard) -> None:
    """Up when one comes, down when it is answered, also if the answer is a failure."""
    app = shop(heard)
    seen = []

    @app.get("/count")
    async def count() -> None:
        seen.extend(point.value for point in heard.points("http.server.active_requests"))

    for path in ("/count", "/crash"):
        client(app).get(path)

    assert seen == [1]
    assert [point.value for point in heard.points("http.server.active_requests")] == [0]


def test_a_request_that_is_cancelled_is_told_as_such(heard: Heard) -> None:
    """Servers cancel requests when they are stopped; the span must not stay open."""
    app = FastAPI(telemetry=heard.config())
    begun = asyncio.Event()

    @app.get("/slow")
    async def slow() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def nothing(*args: Any) -> Any:
        return {"type": "http.request"}

    async def cancel() -> None:
        scope = {"type": "http", "method": "GET", "path": "/slow", "query_string": b"", "headers": []}
        request = asyncio.ensure_future(app(scope, nothing, nothing))
        await begun.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request

    asyncio.run(cancel())

    request = heard.spans[-1]
    assert request.attributes is not None
    assert request.attributes["error.type"] == "asyncio.exceptions.CancelledError"
    assert heard.records == []


def test_what_is_excluded_leaves_no_trace(heard: Heard) -> None:
    """Probes come every few seconds."""
    app = shop(heard, exclude=lambda scope: scope["path"].startswith("/items"))

    client(app).get("/items/3")
    client(app).get("/teapot")

    assert heard.names[-1] == "GET /teapot"
    assert len(heard.points()) == 1


def test_an_exclusion_that_fails_excludes_nothing(heard: Heard, caplog: pytest.LogCaptureFixture) -> None:
    """The program's own mistake, but no reason to answer 500."""
    app = shop(heard, exclude=lambda scope: scope["no such key"])

    assert [client(app).get("/items/3").status_code for _ in range(2)] == [200, 200]
    assert heard.names.count("GET /items/{item_id}") == 2
    assert caplog.text.count("`exclude`") == 1


class Failing:
    """A provider none of whose parts work; what it is asked for, it gives."""

    def __init__(self, works: int) -> None:
        self.works = works

    def __getattr__(self, name: str) -> Any:
        def act(*args: Any, **kwargs: Any) -> Any:
            if self.works == 0:
                raise RuntimeError(f"{name} failed")
            return Failing(self.works - 1)

        return act


@pytest.mark.parametrize("works", [0, 1, 2])
@pytest.mark.parametrize("path", ["/items/3", "/items/x", "/crash"])
def test_a_provider_that_raises_breaks_no_request(works: int, path: str, caplog: pytest.LogCaptureFixture) -> None:
    """Telemetry watches; it must not take part."""
    provider: Any = Failing(works)
    heard: Any = Heard()
    heard.tracer_provider = heard.meter_provider = heard.logger_provider = provider
    expected = {"/items/3": 200, "/items/x": 422, "/crash": 500}[path]

    app_client = client(shop(heard))

    assert [app_client.get(path).status_code for _ in range(2)] == [expected, expected]
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == len(set(told)) > 0


def test_a_span_processor_that_raises_breaks_no_request(heard: Heard) -> None:
    """Processors are called in the request, not in the background."""

    class Broken(SpanProcessor):
        def on_start(self, *args: Any, **kwargs: Any) -> None:
            raise RuntimeError("on_start")

        def on_end(self, *args: Any, **kwargs: Any) -> None:
            raise RuntimeError("on_end")

    heard.tracer_provider.add_span_processor(Broken())

    assert client(shop(heard)).get("/items/3").status_code == 200
    assert len(heard.points()) == 1


def test_a_request_that_is_not_sampled_is_still_measured(heard: Heard) -> None:
    """Metrics count everything; operations of a span that nobody keeps are not even begun."""
    heard.tracer_provider.sampler = ALWAYS_OFF

    client(shop(heard)).get("/items/3")
    client(shop(heard)).get("/crash")

    assert heard.spans == []
    assert sum(point.count for point in heard.points()) == 2
    assert heard.events == ["http.server.request.exception"]


@pytest.mark.parametrize("signal", ["tracing", "metrics", "logs"])
def test_each_signal_may_be_switched_off(heard: Heard, signal: str) -> None:
    """The other two go on."""
    client(shop(heard, **{signal: False})).get("/crash")

    told = {"tracing": bool(heard.spans), "metrics": bool(heard.points()), "logs": bool(heard.records)}
    assert told == {"tracing": True, "metrics": True, "logs": True, signal: False}


def test_operations_may_be_left_out(heard: Heard) -> None:
    """One span a request is a quarter of the price."""
    client(shop(heard, operation_spans=False)).get("/items/3")

    assert heard.names == ["GET /items/{item_id}"]


def test_a_mounted_application_is_part_of_the_request(heard: Heard) -> None:
    """One span, named by the whole template, whether or not the inner application is observed too."""
    plain, told = FastAPI(), FastAPI(telemetry=heard.config())
    for inner in (plain, told):

        @inner.get("/rooms/{room}")
        async def read(room: str) -> str:
            return room

    app = FastAPI(telemetry=heard.config())
    app.mount("/plain/{tenant}", plain)
    app.router.routes.append(Mount("/told", routes=[Mount("/deep", told)]))

    for path in ("/plain/a/rooms/b", "/told/deep/rooms/c", "/plain/a/nothing"):
        client(app).get(path)

    requests = [span.name for span in heard.spans if span.kind == SpanKind.SERVER]
    # What a foreign router between the two has matched is not known; FastAPI leaves it out too.
    assert requests == ["GET /plain/{tenant}/rooms/{room}", "GET /told/rooms/{room}", "GET /plain/{tenant}/{path}"]
    assert heard.names.count("fastapi.endpoint") == 2


def test_a_websocket_is_one_span_until_its_endpoint_is_done(heard: Heard) -> None:
    """Its messages are not told, nor is it a request that is measured."""
    app = FastAPI(telemetry=heard.config())

    @app.websocket("/rooms/{room}")
    async def talk(websocket: WebSocket, room: int) -> None:
        data = get_telemetry_data()
        assert data is not None
        assert data.websocket is websocket
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())

    with client(app).websocket_connect("/rooms/3") as websocket:
        websocket.send_text("secret")
        assert websocket.receive_text() == "secret"

    assert heard.names == ["fastapi.dependencies", "fastapi.endpoint", "WS /rooms/{room}"]
    assert heard.points() == []


def test_a_websocket_that_fails_is_logged(heard: Heard) -> None:
    """A server says no more than that the connection was closed."""
    app = FastAPI(telemetry=heard.config())

    @app.websocket("/")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        raise ValueError("lost")

    with pytest.raises(ValueError, match="lost"), client(app).websocket_connect("/"):
        pass

    assert heard.events == ["fastapi.websocket.exception"]
    assert heard.spans[-1].status.status_code == StatusCode.ERROR


def test_layers_of_others_may_claim_a_request(heard: Heard) -> None:
    """An instrumentation that records requests itself says so in the scope."""
    app = shop(heard)

    async def claim(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("fastapi.telemetry", None)
        await app(scope, receive, send)

    client(claim).get("/items/3")

    assert heard.spans == []
    assert heard.points() == []


def test_the_scope_is_left_as_it_was(heard: Heard) -> None:
    """A scope that is kept must not keep the request's values alive."""
    app = FastAPI(telemetry=heard.config())
    kept = []

    @app.get("/")
    async def keep(request: Request) -> None:
        kept.append(request.scope)

    client(app).get("/")

    assert not [key for key in kept[0] if "telemetry" in key]


class Flaky:
    """A tracer of the SDK, but for the spans of one operation.

    Args:
        tracer: The tracer.
        operation: Name of the operation.
        fails: What raises: "start" or "end" of its span.
    """

    def __init__(self, tracer: Any, operation: str, fails: str) -> None:
        self.tracer, self.operation, self.fails = tracer, operation, fails

    def start_span(self, name: str, *args: Any, **more: Any) -> Any:
        if name == self.operation and self.fails == "start":
            raise RuntimeError("start")
        span = self.tracer.start_span(name, *args, **more)
        if name == self.operation:
            span.end = self.refuse
        return span

    def refuse(self) -> None:
        raise RuntimeError("end")


@pytest.mark.parametrize("fails", ["start", "end"])
@pytest.mark.parametrize("operation", ["fastapi.dependencies", "fastapi.endpoint", "fastapi.serialization"])
def test_an_operation_that_cannot_be_recorded_is_done_all_the_same(
    heard: Heard, monkeypatch: pytest.MonkeyPatch, operation: str, fails: str
) -> None:
    """And what comes after it is recorded in its place below the request."""
    get_tracer = heard.tracer_provider.get_tracer
    monkeypatch.setattr(
        heard.tracer_provider, "get_tracer", lambda *args, **more: Flaky(get_tracer(*args, **more), operation, fails)
    )

    assert client(shop(heard)).get("/items/3").json() == {"item_id": 3}

    expected = {"fastapi.dependencies", "fastapi.endpoint", "fastapi.serialization", "GET /items/{item_id}"}
    assert set(heard.names) == expected - {operation}
    assert {span.parent.span_id for span in heard.spans if span.parent} == {heard.spans[-1].context.span_id}


def test_an_operation_that_fails_says_with_what(heard: Heard) -> None:
    """Which of them it was is the question that operations answer."""
    client(shop(heard)).get("/crash")

    failed = [span for span in heard.spans if span.status.status_code == StatusCode.ERROR]
    assert [span.name for span in failed] == ["fastapi.endpoint", "GET /crash"]
    assert [span.attributes["error.type"] for span in failed if span.attributes] == ["ValueError", "ValueError"]


def test_a_task_that_outlives_its_request_changes_nothing(heard: Heard) -> None:
    """It still has the request's context, in which nothing is known any more."""
    app = FastAPI(telemetry=heard.config())
    released = asyncio.Event()
    late: list[Any] = []

    async def linger() -> None:
        await released.wait()
        late.append(get_telemetry_data())

    tasks: list[Any] = []

    @app.get("/")
    async def endpoint() -> None:
        tasks.append(asyncio.create_task(linger()))

    async def nothing(*args: Any) -> Any:
        return {"type": "http.request"}

    async def outlive() -> None:
        await app({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}, nothing, nothing)
        released.set()
        await tasks[0]

    asyncio.run(outlive())

    assert late == [None]

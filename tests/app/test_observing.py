"""When it is decided whether anybody observes, and that it costs nothing where nobody does."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakSet

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util._once import Once
from starlette.middleware.errors import ServerErrorMiddleware

from slipstream import FastAPI
from slipstream._app import observing
from slipstream._app.refresh import version
from slipstream.telemetry._layer import TelemetryLayer
from slipstream.testclient import TestClient


class Recorder:
    """A provider, and the names of the spans that it made."""

    def __init__(self) -> None:
        self.spans = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.spans))

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans.get_finished_spans()]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.provider.shutdown()


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No other application of the process is observed, and no provider is global, neither before nor after."""
    monkeypatch.setattr(observing, "_observed", WeakSet())
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    version.bump()
    yield
    version.bump()


def shop(**options: Any) -> FastAPI:
    app = FastAPI(**options)

    @app.get("/items/{item_id}")
    async def read_item(item_id: int) -> int:
        return item_id

    return app


def handler_of(app: FastAPI) -> Any:
    """What the table calls for an item."""
    found = app.router.dispatcher.table().finders["GET"]("/items/3")
    assert found is not None
    return found[0].handler


def serve(app: Any) -> None:
    assert TestClient(app).get("/items/3").json() == 3


def test_an_application_that_nobody_observes_never_imports_opentelemetry() -> None:
    """Importing it takes tens of milliseconds."""
    program = (
        "import sys\nfrom slipstream import FastAPI\nfrom slipstream.telemetry import get_telemetry_data\n"
        "from slipstream.testclient import TestClient\napp = FastAPI()\n"
        "with TestClient(app) as client:\n    assert client.get('/docs').status_code == 200\n"
        "assert get_telemetry_data() is None\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_where_nobody_observes_a_request_goes_the_way_it_would_go_without_telemetry() -> None:
    """Nothing is asked for at any request: the entry is the table's own, the handler is the plain text."""
    app, silent = shop(), shop(telemetry={"tracing": False, "metrics": False, "logs": False})
    for each in (app, silent):
        serve(each)

        route: Any = each.routes[-1]
        assert (each._entrance.value.choose, each._entrance.value.choose_direct) == each.middleware_stack.choosers.get()
        assert each._entrance.value.fail == each.middleware_stack.fail
        assert handler_of(each) is route._compiler.compiled({}).handler
        assert "observed" not in route.source


def test_the_text_that_will_serve_is_shown_before_the_first_request(recorder: Recorder) -> None:
    """`slipstream explain` never sends one."""
    app = shop(telemetry={"tracer_provider": recorder.provider})

    route: Any = app.routes[-1]
    assert 'observed.operation("fastapi.endpoint")' in route.source


def test_nothing_is_asked_of_a_provider_before_the_first_request(recorder: Recorder) -> None:
    """Providers may start threads; a server that forks imports the application first."""
    asked: list[Any] = []
    get_tracer = recorder.provider.get_tracer
    recorder.provider.get_tracer = lambda *args, **more: asked.append(args) or get_tracer(*args, **more)  # type: ignore[method-assign, func-returns-value]

    app = shop(telemetry={"tracer_provider": recorder.provider})
    assert asked == []
    for _ in range(3):
        serve(app)

    assert len(asked) == 1


@pytest.mark.parametrize("when", ["before", "at start-up", "after the first request"])
def test_a_global_provider_is_noticed_whenever_it_is_set(recorder: Recorder, when: str) -> None:
    """Without a question at each request: the API's own setter tells."""

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        if when == "at start-up":
            trace.set_tracer_provider(recorder.provider)
        yield

    if when == "before":
        trace.set_tracer_provider(recorder.provider)
    app = shop(lifespan=lifespan)
    with TestClient(app) as client:
        if when == "after the first request":
            client.get("/items/3")
            assert recorder.names == []
            trace.set_tracer_provider(recorder.provider)
        client.get("/items/3")

    assert recorder.names[-1] == "GET /items/{item_id}"
    assert "fastapi.endpoint" in recorder.names


def test_a_provider_that_replaces_another_takes_over(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries that configure telemetry put providers of their own in place of the global one."""
    other, app = Recorder(), shop()
    for current in (recorder, other):
        monkeypatch.setattr(trace, "get_tracer_provider", lambda current=current: current.provider)
        serve(app)

    assert recorder.names == other.names != []
    other.provider.shutdown()


def test_an_application_that_is_gone_leaves_the_others_unobserved(recorder: Recorder) -> None:
    """A program, or a test, that observed one application does not slow others down for good."""
    app, other = shop(telemetry={"tracer_provider": recorder.provider}), shop()
    serve(app)
    serve(other)
    assert observing.is_observing()

    app.user_middleware.append(_middleware(OpenTelemetryMiddleware))
    version.bump()
    serve(app)

    assert not observing.is_observing()
    serve(other)
    route: Any = other.routes[-1]
    assert handler_of(other) is route._compiler.compiled({}).handler


def _middleware(cls: Any) -> Any:
    from starlette.middleware import Middleware

    return Middleware(cls)


def test_a_request_is_not_recorded_twice(recorder: Recorder) -> None:
    """OpenTelemetry's own middleware is in the way of many programs already."""
    other = Recorder()
    app = shop(telemetry={"tracer_provider": recorder.provider})
    app.add_middleware(OpenTelemetryMiddleware, tracer_provider=other.provider)

    serve(app)

    assert recorder.names == []
    assert len(other.names) > 0
    assert "observed" not in app.routes[-1].source  # type: ignore[attr-defined]  # an APIRoute
    other.provider.shutdown()


def test_instrumentations_find_the_stack_that_they_take_apart(recorder: Recorder) -> None:
    """They put a layer between Starlette's outermost one and the rest, and leave a mark on the application."""
    app = shop(telemetry={"tracer_provider": recorder.provider})
    seen: list[str] = []

    @app.exception_handler(500)
    async def unused(request: Any, exc: Exception) -> Any: ...

    build = app.build_middleware_stack

    def instrumented() -> Any:
        outermost = build()
        assert isinstance(outermost, ServerErrorMiddleware)
        inner = outermost.app

        async def layer(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["path"])
            await inner(scope, receive, send)

        assert outermost.handler is unused
        return ServerErrorMiddleware(layer, handler=outermost.handler, debug=outermost.debug)

    app.build_middleware_stack = instrumented  # type: ignore[method-assign]  # as instrumentations do
    app._is_instrumented_by_opentelemetry = True  # type: ignore[attr-defined]  # likewise
    serve(app)

    assert seen == ["/items/3"]
    assert recorder.names == []


def test_the_layer_stands_outside_of_middleware(recorder: Recorder) -> None:
    """What middleware does belongs to the request, and its spans below the request's."""
    app = shop(telemetry={"tracer_provider": recorder.provider})
    current: list[Any] = []

    @app.middleware("http")
    async def look(request: Any, call_next: Any) -> Any:
        current.append(trace.get_current_span())
        return await call_next(request)

    serve(app)

    assert isinstance(app._entrance.value.choose({"type": "http"}).handler, TelemetryLayer)
    assert [span.name for span in current] == ["GET /items/{item_id}"]


def test_routes_and_overrides_may_change_while_observed(recorder: Recorder) -> None:
    """Both texts of a route follow what holds now."""
    app = shop(telemetry={"tracer_provider": recorder.provider})
    serve(app)

    @app.get("/late")
    async def late() -> str:
        return "late"

    assert TestClient(app).get("/late").json() == "late"
    assert recorder.names[-1] == "GET /late"
    assert TestClient(app).post("/late").status_code == 405
    assert TestClient(app).get("/late/", follow_redirects=False).status_code == 307
    assert recorder.names[-2:] == ["POST /late", "GET /late"]


def test_a_server_that_hands_over_whole_requests_is_observed_too(recorder: Recorder) -> None:
    """The direct dialect has no messages to watch, so observed requests go by messages."""
    app = shop(telemetry={"tracer_provider": recorder.provider})
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def never(*args: Any) -> Any:
        raise AssertionError("the handler sends by itself")

    scope = {"type": "http", "method": "GET", "path": "/items/3", "query_string": b"", "headers": []}
    asyncio.run(app.serve_direct(scope, never, send, b"", never))

    assert [message["type"] for message in messages] == ["http.response.start", "http.response.body"]
    assert recorder.names[-1] == "GET /items/{item_id}"

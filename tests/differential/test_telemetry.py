"""The same programs, observed: what OpenTelemetry gets to hear is what it hears of FastAPI, and the answers are too.

Handlers of observed requests are a second text of the same plan, so the other modules' programs are drawn again here.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from . import test_dependencies, test_errors, test_forms, test_middleware, test_responses, test_routing, test_websockets
from .differences import EMPTY_205, UNSPEAKABLE_RESULT, UPLOAD_ECHO
from .harness import END_OF_PREAMBLE, Difference, Pair, Sent
from .strategies import PREAMBLE, examples, json_bodies, requests
from .test_bodies import body_signatures, body_values
from .test_parameters import endpoint, signatures

RECORDING = """
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from fastapi.telemetry import get_telemetry_data

class Log(list):
    "What the program itself noted, then what was recorded, one signal after the other."

    spans, metrics, records = [], [], []

    def __iter__(self):
        yield from list.__iter__(self)
        yield from self.spans
        yield from self.metrics
        yield from self.records

    def clear(self):
        super().clear()
        for signal in (self.spans, self.metrics, self.records):
            signal.clear()

def plain(attributes):
    told = ("exception.message", "exception.stacktrace")
    shown = ((key, str(value).replace("slipstream", "fastapi")) for key, value in attributes.items() if key not in told)
    return sorted(shown)

def known():
    data = get_telemetry_data()
    if data is None:
        return None
    wrong = None if data.errors is None else [error["loc"] for error in data.errors]
    body = type(data.body).__name__
    return (data.request is None, data.websocket is None, body, sorted(data.values or {}), data.values is None, wrong)

class Spans(SpanProcessor):
    def __init__(self):
        self.open = {}

    def on_start(self, span, parent_context=None):
        self.open[span.context.span_id] = span

    def on_end(self, span):
        parent = span.parent and getattr(self.open.get(span.parent.span_id), "name", "remote")
        status = (span.status.status_code.name, span.status.description, len(span.events))
        Log.spans.append((span.name, span.kind.name, parent, plain(span.attributes), status, known()))

class Meter:
    def create_histogram(self, name, **options):
        return Instrument(name, options)

    create_up_down_counter = create_histogram

class Instrument:
    def __init__(self, name, options):
        self.name, self.options = name, sorted(options.items())

    def record(self, amount, attributes=None, context=None):
        Log.metrics.append((self.name, self.options, plain(attributes)))

    def add(self, amount, attributes=None, context=None):
        Log.metrics.append((self.name, amount, plain(attributes)))

class Meters:
    def get_meter(self, *args, **kwargs):
        return Meter()

class Records(LogRecordProcessor):
    def on_emit(self, data):
        record, told = data.log_record, get_telemetry_data(data.log_record.context)
        wrong = None if told is None or told.errors is None else len(told.errors)
        severity = (record.severity_text, record.severity_number.name)
        Log.records.append((record.event_name, record.body, severity, plain(record.attributes), wrong))

    def shutdown(self):
        pass

    def force_flush(self, timeout_millis=0):
        return True

tracer_provider = TracerProvider(shutdown_on_exit=False)
tracer_provider.add_span_processor(Spans())
logger_provider = LoggerProvider(shutdown_on_exit=False)
logger_provider.add_log_record_processor(Records())
TELEMETRY = {
    "tracer_provider": tracer_provider, "meter_provider": Meters(), "logger_provider": logger_provider,
}
"""


def observed(source: str, telemetry: str = "TELEMETRY") -> str:
    """Have a program observed."""
    begun = RECORDING + source.replace("app = FastAPI(", f"app = FastAPI(telemetry={telemetry}, ", 1)
    return begun + "\nlog = Log(globals().get('log', []))\n"


@examples(30)
@given(data=st.data())
def test_parameters_are_told_as_fastapi_tells_them(data: Any) -> None:
    """Spans, metrics, refused requests with their route and the number of errors, and what processors may look at."""
    declared = data.draw(signatures())
    pair = Pair(observed(endpoint(declared)))
    if pair.is_refused:
        return
    for _ in range(6):
        pair.request(data.draw(requests(declared, path="/at")))


@examples(30)
@given(data=st.data())
def test_bodies_are_told_as_fastapi_tells_them(data: Any) -> None:
    """Observed handlers read bodies as values, the others from bytes; either way the answers are the same."""
    source, others, bodies = data.draw(body_signatures())
    pair = Pair(observed(PREAMBLE + source))
    if pair.is_refused:
        return
    whole = len(bodies) == 1 and "embed=True" not in source
    for _ in range(6):
        sent = data.draw(requests(others, method="POST", path="/at"))
        chunks, headers = data.draw(json_bodies(body_values(bodies, whole)))
        pair.request(replace(sent, chunks=chunks, headers=(*sent.headers, *headers)))


@examples(60)
@given(source=test_dependencies.sources())
def test_dependencies_are_told_as_fastapi_tells_them(source: str) -> None:
    """Generators, threads and clean-up run as they do unobserved, and exceptions mark the spans that they end."""
    pair = Pair(observed(PREAMBLE + test_dependencies.CHUNKS + test_dependencies.HANDLERS + source))
    if pair.is_refused:
        return
    pair.get("/", b"p=1")
    pair.get("/", b"q=x")


@examples(40)
@given(data=st.data())
def test_exceptions_are_told_as_fastapi_tells_them(data: Any) -> None:
    """Handled or not, with a response begun or not."""
    source, count = data.draw(test_errors.sources())
    pair = Pair(observed(PREAMBLE + test_errors.ERRORS + source))
    for path in [*(f"/{index}" for index in range(count)), "/sub/x", "/nowhere", "/0/"]:
        for method in ("GET", "POST"):
            query = data.draw(st.sampled_from([b"", b"", b"q=x", b"q=1&q=2"]))
            pair.request(Sent(method, path, query))


@examples(40)
@given(data=st.data())
def test_routes_are_named_as_fastapi_names_them(data: Any) -> None:
    """By template, through mounts and routers, also where the method or a slash does not fit."""
    source = data.draw(test_routing.sources())
    # The source makes its own application, which is to be observed.
    pair = Pair(observed(PREAMBLE.replace("app = FastAPI()\n", "") + test_routing.IMPORTS + source))
    if pair.is_refused:
        return
    pair.openapi()
    for _ in range(10):
        path = data.draw(test_routing.likely(pair))
        pair.request(Sent(data.draw(st.sampled_from(["GET", "GET", "POST", "PUT", "HEAD"])), path))


@examples(25)
@given(data=st.data())
def test_forms_are_told_as_fastapi_tells_them(data: Any) -> None:
    """What processors may look at is the form, and of a refused one the fields that were right."""
    declared = data.draw(test_forms.form_params())
    source = endpoint(declared, is_async=data.draw(st.booleans())).rpartition(END_OF_PREAMBLE)[2]
    pair = Pair(observed(PREAMBLE + test_forms.FORMS + source.replace("@app.get", "@app.post")), (UPLOAD_ECHO,))
    if pair.is_refused:
        return
    for _ in range(6):
        sent = data.draw(requests((), method="POST", path="/at"))
        chunks, headers = data.draw(test_forms.form_bodies(declared))
        pair.request(replace(sent, chunks=chunks, headers=headers))


@examples(60)
@given(source=test_responses.sources())
def test_responses_are_told_as_fastapi_tells_them(source: str) -> None:
    """Serialization is an operation only where something is serialized; background tasks come after the request."""
    pair = Pair(
        observed(test_responses.SHAPES + test_responses.EXTRAS + test_responses.BACKGROUND + source),
        (EMPTY_205, UNSPEAKABLE_RESULT),
    )
    if not pair.is_refused:
        pair.get("/")


@examples(30)
@given(stack=test_middleware.stacks())
def test_layers_of_middleware_change_nothing_of_what_is_told(stack: str) -> None:
    """Whatever stands between the request's span and its operations."""
    pair = Pair(observed(PREAMBLE + test_middleware.LAYERS + stack))
    for path in ("/ok", "/stream", "/http", "/mine", "/crash", "/nowhere", "/ok/"):
        pair.get(path)


@examples(50)
@given(data=st.data())
def test_conversations_are_told_as_fastapi_tells_them(data: Any) -> None:
    """One span for a connection, failed only if something failed: not for answers, nor for clients that leave."""
    draw = data.draw
    dependencies = draw(st.sampled_from(test_websockets.DEPENDENCIES))
    steps = draw(st.lists(st.sampled_from(test_websockets.STEPS), max_size=4))
    source = (
        draw(st.sampled_from(test_websockets.HANDLERS))
        + "@app.websocket('/{n}')\n"
        + f"async def talk(websocket: WebSocket, n: int{', *, ' if dependencies else ''}{dependencies}):\n"
        + "    seen = n\n    await websocket.accept()\n"
        + "".join(f"    {step}\n" for step in steps)
    )
    pair = Pair(observed(PREAMBLE + test_websockets.SOCKETS + source))
    for path in ("/1", "/x", "/no/where"):
        query = draw(st.sampled_from([b"", b"token=bad", b"token=http"]))
        pair.websocket(Sent(path=path, query=query), draw(st.lists(test_websockets.INCOMING, max_size=3)))


FILES = """
from fastapi.staticfiles import StaticFiles

app.mount("/static", StaticFiles(directory=SITE))
app.mount("/tenants/{tenant}", StaticFiles(directory=SITE))
app.frontend("/front", directory=SITE)
router = APIRouter(prefix="/api")
router.frontend("/ui", directory=SITE, fallback="index.html")
app.include_router(router, prefix="/v1")
inner = FastAPI()
inner.mount("/deep", StaticFiles(directory=SITE))
inner.frontend("/", directory=SITE)
app.mount("/inner", inner)
"""
ALLOW = Difference(
    "frontend-allow",
    "a frontend's 405 says which methods are allowed",
    lambda theirs, ours: theirs == replace(ours, headers=tuple(pair for pair in ours.headers if pair[0] != b"allow")),
)


def test_static_files_and_frontends_are_told_by_their_routes(tmp_path: Path) -> None:
    """Metrics by path would grow without end; a frontend's own function is nobody's business."""
    for name in ("index.html", "a.txt", "sub/index.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    pair = Pair(observed(f"SITE = {str(tmp_path)!r}\n" + PREAMBLE + FILES), (ALLOW,))

    for below in ("a.txt", "none", "", "sub", "sub/"):
        for place in ("/static", "/tenants/1", "/front", "/v1/api/ui", "/inner/deep", "/inner"):
            for method, headers in (("GET", ()), ("HEAD", ()), ("POST", ()), ("GET", ((b"accept", b"text/html"),))):
                pair.request(Sent(method, f"{place}/{below}", headers=headers))


NESTED = """
from opentelemetry import baggage
import asyncio

other = FastAPI(telemetry={**TELEMETRY, "exclude": lambda scope: "hidden" in scope["path"]})

@other.get("/{name}")
def inner(name: str):
    log.append(f"{name} knows {get_telemetry_data() is not None}")
    return name

async def ask(path):
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        log.append(message["type"])

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [], "root_path": ""}
    await other({**scope, "asgi": {}, "http_version": "1.1", "scheme": "http", "server": None}, receive, send)

@app.get("/")
async def outer():
    log.append(sorted(baggage.get_all().items()))
    for path in ("/hidden", "/seen"):
        await ask(path)
        log.append(f"outer knows {get_telemetry_data() is not None}")

app.add_api_route("/brewed", outer, methods=["BREW", "GET"])
"""


@pytest.mark.parametrize("known", ["", "BREW, GET", " , "])
def test_methods_baggage_and_requests_within_requests_are_told_as_fastapi_tells_them(
    known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment lists methods; several headers of baggage are one; an excluded one knows no other's."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", known)
    pair = Pair(observed(PREAMBLE + NESTED))
    trace = (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

    pair.get("/", b"", trace, (b"baggage", b"a=1"), (b"baggage", b"b=2,c=3"))
    for method in ("BREW", "GET", "POST", "STEEP"):
        pair.request(Sent(method, "/brewed"))

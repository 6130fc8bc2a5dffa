"""Tools replace functions of `fastapi.routing` at run time: whatever is replaced is called as FastAPI calls it.

Each story is told by a spy in the function's place: with which arguments it was called, for which requests. The spy
calls the original, so that the answers are compared too.
"""

import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import partial, wraps
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.routing import Router
from starlette.testclient import TestClient

from .harness import Pair, Sent, Side
from .strategies import PREAMBLE, examples
from .test_dependencies import CHUNKS, HANDLERS, sources

STEPS = ("solve_dependencies", "run_endpoint_function", "serialize_response")
MAKERS = ("get_request_handler", "request_response")
FORM = ((b"content-type", b"application/x-www-form-urlencoded"),)
JSON = ((b"content-type", b"application/json"),)

ROUTES = """
from collections.abc import AsyncIterable, Iterable
from fastapi.responses import EventSourceResponse, StreamingResponse

log = []

async def opened(q: int = 1):
    log.append("open")
    try:
        yield q
    finally:
        log.append("closed")

def checked(x_token: Annotated[str, Header()] = "none"):
    return x_token

@app.get("/plain/{x}")
async def plain(x: int):
    return {"x": x}

@app.get("/threaded", response_model=Sub, response_model_exclude_unset=True, status_code=201)
def threaded(n: Annotated[int, Depends(opened)], token: Annotated[str, Depends(checked)]):
    return {"n": n}

@app.post("/body")
async def body(item: Item, background: BackgroundTasks, response: Response) -> Item:
    background.add_task(log.append, "task")
    response.headers["x-own"] = "1"
    return item

@app.post("/embedded")
async def embedded(item: Item, level: Annotated[Level, Body()]):
    return item

@app.post("/form")
async def form(a: Annotated[str, Form()], b: Annotated[int, Form()] = 1):
    return [a, b]

@app.get("/response")
def response(x: Annotated[str, Depends(opened, scope="function")]):
    return PlainTextResponse("own")

@app.get("/classed", response_class=PlainTextResponse)
async def classed():
    return "text"

@app.get("/wrong", response_model=Sub)
async def wrong():
    return {"n": "x"}

@app.get("/empty", status_code=204)
async def empty():
    return None

@app.get("/lines")
async def lines() -> AsyncIterable[Sub]:
    yield Sub(n=1)

@app.get("/events", response_class=EventSourceResponse)
def events() -> Iterable[Sub]:
    yield Sub(n=1)

@app.get("/chunks", response_class=StreamingResponse)
def chunks():
    yield "a"

@app.websocket("/talk/{x}")
async def talk(socket: WebSocket, x: int, n: Annotated[int, Depends(opened)]):
    await socket.accept()
    await socket.send_json([x, n])
    await socket.close()

router = APIRouter(dependencies=[Depends(checked)])

@router.get("/inner")
async def inner():
    return "inner"

app.include_router(router, prefix="/outer")

# --- end of preamble
"""

REQUESTS = (
    Sent(path="/plain/1"), Sent(path="/plain/x"), Sent(path="/threaded", query=b"q=2"),
    Sent(path="/threaded", query=b"q=x"), Sent("POST", "/body", headers=JSON, chunks=(b'{"name": "n"}',)),
    Sent("POST", "/body", headers=JSON, chunks=(b"{",)), Sent("POST", "/body", headers=JSON, chunks=(b"{}",)),
    Sent("POST", "/embedded", headers=JSON, chunks=(b'{"item": {"name": "n"}, "level": 1}',)),
    Sent("POST", "/form", headers=FORM, chunks=(b"a=1&b=2",)), Sent("POST", "/form", headers=FORM, chunks=(b"b=x",)),
    Sent(path="/response"), Sent(path="/classed"), Sent(path="/wrong"), Sent(path="/empty"), Sent(path="/lines"),
    Sent(path="/events"), Sent(path="/chunks"), Sent(path="/outer/inner"), Sent(path="/nowhere"),
)  # fmt: skip


def described(name: str, given: dict[str, Any]) -> tuple[Any, ...]:
    """Tell a call by what both frameworks have in common."""
    shown = {key: shown_value(value) for key, value in given.items()}
    if "dependant" in given:
        shown["dependant"] = f"{given['dependant'].call.__name__} {given['dependant'].path}"
    return name, tuple(sorted(shown.items()))


def shown_value(value: Any) -> str:
    if isinstance(value, dict):
        return str(sorted((key, shown_value(inner)) for key, inner in value.items()))
    is_plain = isinstance(value, str | int | float | list | None)
    return repr(value) if is_plain else type(value).__name__


def spy_on(side: Side, name: str) -> Callable[..., Any]:
    """Make a function that logs its arguments and calls the original."""
    original = getattr(import_module(f"{side.framework}.routing"), name)
    log = side.log

    def note(args: tuple[Any, ...], options: dict[str, Any]) -> None:
        given = options if not args else {"func": inspect.iscoroutinefunction(args[0])}
        log.append(described(name, given))

    class Step:
        """As those of wrapt: it says that it is equal to what it wraps."""

        def __call__(self, *args: Any, **options: Any) -> Any:
            note(args, options)
            return original(*args, **options)

        def __eq__(self, other: object) -> bool:
            return self is other or other == original

        __hash__ = None  # type: ignore[assignment]  # nobody asks for it

    @wraps(original)
    def maker(*args: Any, **options: Any) -> Any:
        note(args, options)
        made = original(*args, **options)

        async def wrapped(*parts: Any) -> Any:
            log.append(f"{name} made this")
            return await made(*parts)

        return wrapped

    return maker if name in MAKERS else Step()


@contextmanager
def replaced(pair: Pair, names: tuple[str, ...]) -> Iterator[None]:
    """Put spies into the modules of both frameworks."""
    pair.direct.module.__dict__["log"] = pair.ours.log  # one module serves both doors, so its spies have one log
    with pytest.MonkeyPatch.context() as patch:
        for side in (pair.theirs, pair.ours):
            for name in names:
                patch.setattr(import_module(f"{side.framework}.routing"), name, spy_on(side, name))
        yield


def asked(pair: Pair) -> list[Any]:
    """Send every request; return all that the spies said."""
    said = [pair.request(sent).log for sent in REQUESTS]
    said += [pair.websocket(Sent(path=f"/talk/{x}")).log for x in (1, "x")]
    return said


def names_in(said: list[Any]) -> set[str]:
    return {entry[0] for log in said for entry in log if isinstance(entry, tuple)}


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("names", [*((name,) for name in (*STEPS, "run_in_threadpool")), STEPS])
def test_a_step_that_is_replaced_is_called_for_every_request_until_it_is_put_back(
    names: tuple[str, ...], is_late: bool
) -> None:
    """Logfire, ddtrace and New Relic replace these, before an application exists or while it serves."""
    pair = Pair(PREAMBLE + ROUTES)
    if is_late:
        assert not names_in(asked(pair))

    with replaced(pair, names):
        assert names_in(asked(pair)) == set(names)
    assert not names_in(asked(pair))


def test_a_copy_of_the_dependant_can_be_given_another_callable() -> None:
    """New Relic wraps the endpoint so for each request; the next one has the endpoint as it is written."""
    pair = Pair(PREAMBLE + ROUTES)

    def tracing(original: Callable[..., Any], log: list[Any]) -> Callable[..., Any]:
        def run_endpoint_function(**given: Any) -> Any:
            dependant = given["dependant"] = copy(given["dependant"])
            log.append(f"traced {dependant.call.__name__}")
            dependant.call = wraps(dependant.call)(partial(dependant.call))
            return original(**given)

        return run_endpoint_function

    pair.direct.module.__dict__["log"] = pair.ours.log
    with pytest.MonkeyPatch.context() as patch:
        for side in (pair.theirs, pair.ours):
            module = import_module(f"{side.framework}.routing")
            patch.setattr(module, "run_endpoint_function", tracing(module.run_endpoint_function, side.log))
        said = asked(pair)

    assert said[0] == ("traced plain",)
    assert "traced threaded" in said[2]


IN_ANOTHER_THREAD = """
import functools, sys, threading
import starlette.concurrency

here, original = threading.local(), starlette.concurrency.run_in_threadpool

class Wrapper:
    __globals__ = original.__globals__

    async def __call__(self, function, /, *args, **options):
        def traced():
            here.traced = True
            try:
                return function(*args, **options)
            finally:
                here.traced = False
        return await original(traced)

starlette.concurrency.run_in_threadpool = Wrapper()
import fastapi
from fastapi.testclient import TestClient
app = fastapi.FastAPI()

def simple():
    return here.traced

def opened():
    yield here.traced

@app.get("/")
def endpoint(x=fastapi.Depends(simple), y=fastapi.Depends(opened)):
    return [x, y, here.traced]

print(*TestClient(app).get("/").json())
"""


@pytest.mark.parametrize("alias", [(), ("-m", "slipstream.compat")])
def test_the_way_into_a_thread_that_a_tool_has_replaced_before_is_taken(alias: tuple[str, ...]) -> None:
    """New Relic's takes the trace along; it waits for Starlette's module, and replaces the function in it."""
    answer = subprocess.run(
        [sys.executable, *alias, "-c", IN_ANOTHER_THREAD], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.stdout == "True True True\n", answer.stderr


@pytest.mark.parametrize("names", [*((name,) for name in MAKERS), MAKERS])
def test_a_maker_that_is_replaced_makes_what_serves_the_routes_registered_meanwhile(names: tuple[str, ...]) -> None:
    """Sentry and Elastic wrap what it makes; routes that were there before keep their handlers, under FastAPI too."""
    late = "@app.get('/late/{x}')\ndef late(x: int):\n    return x\n"
    pair = Pair(PREAMBLE + "log = []\n@app.get('/early')\ndef early():\n    return 1\n")
    with replaced(pair, names):
        for side in pair.sides:
            exec(late, side.module.__dict__)
            assert names_in([side.log]) == set(names)
        during = [pair.get(path).log for path in ("/early", "/late/1", "/late/x")]
    after = [pair.get(path).log for path in ("/early", "/late/1", "/late/x")]

    assert during == after == [(), *[tuple(f"{name} made this" for name in reversed(names))] * 2]


GET_ROUTE_HANDLER = """
from fastapi.routing import APIRoute
log = []
original = APIRoute.get_route_handler

class Own(APIRoute):
    def get_route_handler(self):
        return super().get_route_handler()

def patched(self):
    handler = original(self)
    async def watched(request):
        log.append(f"before {self.path}")
        return await handler(request)
    return watched

def endpoint(x: int = 1):
    return x

app.get("/early")(endpoint)
router, own = APIRouter(), APIRouter(route_class=Own)
router.get("/r")(endpoint)
own.get("/own")(endpoint)
APIRoute.get_route_handler = patched
try:
    app.get("/late")(endpoint)
    app.include_router(own, prefix="/p")
finally:
    APIRoute.get_route_handler = original
app.include_router(router)
app.get("/after")(endpoint)
"""


def test_a_base_class_whose_get_route_handler_is_replaced_serves_by_it() -> None:
    """The replacement is an attribute of the base class itself, which no subclass overrides."""
    pair = Pair(PREAMBLE + GET_ROUTE_HANDLER)

    heard = {path: pair.get(path, b"x=2").log for path in ("/early", "/late", "/p/own", "/r", "/after")}

    assert heard == {"/early": (), "/late": ("before /late",), "/p/own": (), "/r": (), "/after": ()}


SEVERAL = """
log = []

@app.get("/a/{x}")
def read(x: int):
    return x

@app.post("/a/{x}")
def write(x: int):
    return x

@app.websocket("/ws")
async def talk(socket: WebSocket):
    await socket.accept()
    await socket.close()

router = APIRouter()

@router.get("/r")
def inner():
    return 1

app.include_router(router, prefix="/p")
# --- end of preamble
"""


@pytest.mark.parametrize("cls", ["APIRoute", "APIWebSocketRoute"])
@pytest.mark.parametrize("name", ["matches", "handle"])
def test_a_method_of_routes_that_is_replaced_while_they_serve_is_called_until_it_is_put_back(
    cls: str, name: str
) -> None:
    """ddtrace wraps `APIRoute.handle`; which routes are asked, and how often, is FastAPI's too."""
    pair = Pair(PREAMBLE + SEVERAL)
    pair.direct.module.__dict__["log"] = pair.ours.log
    paths = (("GET", "/a/1"), ("POST", "/a/1"), ("PUT", "/a/1"), ("GET", "/p/r"), ("GET", "/none"))

    def heard() -> list[Any]:
        said = [pair.request(Sent(method, path)).log for method, path in paths]
        return [entry for log in (*said, pair.websocket(Sent(path="/ws")).log) for entry in log]

    assert not heard()
    with pytest.MonkeyPatch.context() as patch:
        for side in (pair.theirs, pair.ours):
            owner = getattr(import_module(f"{side.framework}.routing"), cls)
            patch.setattr(owner, name, spy_on_method(side, getattr(owner, name)))
        assert heard()
    assert not heard()


def spy_on_method(side: Side, original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def spy(self: Any, *args: Any) -> Any:
        side.log.append(self.path)
        return original(self, *args)

    return spy


CALLS = """
import functools
log = []

def dependency(q: int = 1):
    return q

@app.get("/a")
def threaded(x: int, d: Annotated[int, Depends(dependency)]):
    return [x, d]

@app.get("/b")
async def other(x: int, d: Annotated[int, Depends(dependency)]):
    return [x, d]

def watched(call):
    if call.__name__ == "other":
        @functools.wraps(call)
        async def watch(*args, **values):
            log.append(sorted(values))
            return await call(*args, **values)
    else:
        @functools.wraps(call)
        def watch(*args, **values):
            log.append(sorted(values))
            return call(*args, **values)
    return watch

@app.get("/watch")
def watch(on: bool):
    for route in app.routes:
        if route.path in ("/a", "/b"):
            for dependant in (route.dependant, *route.dependant.dependencies):
                dependant.call = watched(dependant.call) if on else dependant.call.__wrapped__
"""


def test_a_callable_that_is_replaced_in_a_tree_is_called_until_it_is_put_back() -> None:
    """Tools wrap `route.dependant.call` of routes that serve already."""
    pair = Pair(PREAMBLE + CALLS)

    def heard() -> list[Any]:
        return [pair.get(path, b"x=2").log for path in ("/a", "/b")]

    assert heard() == [(), ()]
    for _ in range(3):  # the third wrapper may stand at the address of the first
        pair.get("/watch", b"on=1")
        assert heard() == [(["q"], ["d", "x"])] * 2
        pair.get("/watch", b"on=0")
        assert heard() == [(), ()]


STACK = """
log = []

class Mine(Exception):
    pass

@app.exception_handler(Mine)
def on_mine(request, exc):
    return JSONResponse({"mine": str(exc)}, 444)

@app.exception_handler(500)
def on_crash(request, exc):
    return PlainTextResponse(str(exc), 500)

def raising(kind: str = "none"):
    match kind:
        case "mine":
            raise Mine("mine")
        case "http":
            raise HTTPException(503, "busy")
        case "crash":
            raise ValueError("crash")

app.get("/")(raising)
# --- end of preamble
"""
LAYERS = {
    "plain": "",
    "middleware": "@app.middleware('http')\nasync def through(request, go_on):\n    return await go_on(request)\n",
    "limit": "app.max_body_size = app.router.max_body_size = 5\n",
}
METHODS = [
    (ExceptionMiddleware, "__call__"), (ServerErrorMiddleware, "__call__"), (ServerErrorMiddleware, "error_response"),
    (ExceptionMiddleware, "http_exception"), (Router, "__call__"), (Starlette, "__call__"), (Middleware, "__init__"),
    (ExceptionMiddleware, "__init__"),
]  # fmt: skip


@contextmanager
def layer_replaced(pair: Pair, cls: type, name: str) -> Iterator[None]:
    """Put a spy into a class of Starlette that both frameworks use; it logs for the application that is asked."""
    original = vars(cls)[name]

    def spy(self: Any, *args: Any, **options: Any) -> Any:
        scope = args[0] if args and isinstance(args[0], dict) else {}
        is_layer = cls is not Middleware or args[0] in (ServerErrorMiddleware, ExceptionMiddleware)
        for side in pair.sides if is_layer else ():
            if name == "__init__" or side.app is scope.get("app", self):
                side.log.append(f"{cls.__name__}.{name}")
        return original(self, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cls, name, spy)
        # Tools of this kind replace functions of `fastapi.routing` too; that is when it is looked again.
        patch.setattr("slipstream.routing.request_response", import_module("slipstream.routing").request_response)
        yield


def answers(pair: Pair) -> list[Any]:
    return [pair.get("/", f"kind={kind}".encode()).log for kind in ("none", "mine", "http", "crash")]


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize(("cls", "name"), METHODS)
def test_a_function_that_is_replaced_in_a_layer_of_starlettes_is_called(
    cls: type, name: str, layers: str, is_late: bool
) -> None:
    """Sentry, New Relic and Scout record exceptions there, and read the handlers of the layer's instances."""
    pair = Pair(PREAMBLE + STACK + LAYERS[layers])
    if is_late:
        assert not any(answers(pair))

    with layer_replaced(pair, cls, name):
        if name == "__init__" and is_late:
            return  # FastAPI has built its layers by then
        heard = answers(pair)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("slipstream.routing.request_response", import_module("slipstream.routing").request_response)

    assert any(heard) == (name not in ("http_exception", "error_response"))
    assert not any(answers(pair))


@pytest.mark.parametrize("framework", ["fastapi", "slipstream"])
def test_a_layer_that_a_middleware_replaces_when_it_is_made_is_called(framework: str) -> None:
    """Elastic's instruments Starlette there, and ends its transactions in the outermost layer."""
    heard: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:

        class Instrumenting:
            def __init__(self, app: Any) -> None:
                self.app, original = app, ServerErrorMiddleware.__call__

                async def spy(layer: Any, scope: Any, *channels: Any) -> None:
                    heard.append(scope["path"])
                    await original(layer, scope, *channels)

                if original is written:
                    patch.setattr(ServerErrorMiddleware, "__call__", spy)

            async def __call__(self, *parts: Any) -> None:
                await self.app(*parts)

        written = ServerErrorMiddleware.__call__
        app = import_module(framework).FastAPI()
        app.add_middleware(Instrumenting)
        app.get("/")(lambda: 1)
        client = TestClient(app)

        assert [client.get(path).status_code for path in ("/", "/nowhere")] == [200, 404]
    assert heard == ["/", "/nowhere"]


@pytest.mark.parametrize("name", ["body", "form", "stream"])
def test_a_method_of_the_request_that_is_replaced_reads_the_body(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tools that report bodies replace it, and tests that let reading fail."""
    original, heard = getattr(Request, name), []

    def spy(self: Any, *args: Any, **options: Any) -> Any:
        heard.append(self.url.path)
        return original(self, *args, **options)

    monkeypatch.setattr(Request, name, spy)
    pair = Pair(PREAMBLE + ROUTES)

    pair.request(Sent("POST", "/body", headers=JSON, chunks=(b'{"name": "n"}',)))
    pair.request(Sent("POST", "/form", headers=FORM, chunks=(b"a=1&b=2",)))

    used = {"body": ["/body"], "form": ["/form"], "stream": ["/body", "/form"]}
    assert all(heard.count(path) >= len(pair.sides) for path in used[name])  # FastAPI asks for a JSON body twice


def test_handlers_that_a_tool_wraps_in_a_layers_instance_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentry reports an HTTPException from there, whose status is one of those that are reported."""
    original = ExceptionMiddleware.__init__
    heard: list[str] = []

    def init(self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        handlers = dict(self._exception_handlers)

        async def told(request: Any, exc: Exception) -> Any:
            heard.append(type(exc).__name__)
            answered = handlers[next(cls for cls in type(exc).__mro__ if cls in handlers)](request, exc)
            return await answered if inspect.isawaitable(answered) else answered

        for key in self._exception_handlers:
            self._exception_handlers[key] = told

    monkeypatch.setattr(ExceptionMiddleware, "__init__", init)
    pair = Pair(PREAMBLE + STACK)

    answers(pair)

    assert heard == ["Mine"] * 3 + ["HTTPException"] * 3


@examples(15)
@given(source=sources())
def test_dependencies_are_walked_as_they_are_compiled(source: str) -> None:
    """Who watches the solving of dependencies must not change their order, their errors and their clean-up."""
    pair = Pair(PREAMBLE + CHUNKS + HANDLERS + source)
    if pair.is_refused:
        return
    with replaced(pair, STEPS):
        pair.get("/", b"p=1")
        pair.get("/", b"q=x")

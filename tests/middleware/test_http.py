"""`@app.middleware("http")`: as Starlette's BaseHTTPMiddleware to all who look, in one task and one context."""

import asyncio
import contextlib
import contextvars
import gc
import importlib.util
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import pytest
from fastapi import BackgroundTasks, Body, Depends, FastAPI
from hypothesis import given, settings, strategies as st
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.testclient import TestClient

from slipstream._engine.errors import NotAResponse
from slipstream.middleware.http import HTTPMiddleware
from tests.loops import run_moved

App = Callable[[Any, Any, Any], Awaitable[None]]
Dispatch = Callable[[Request, Any], Awaitable[Response]]
OURS, STARLETTES = HTTPMiddleware, BaseHTTPMiddleware
BOTH = pytest.mark.parametrize("layer", [OURS, STARLETTES])
SPECS = pytest.mark.parametrize("spec", ["2.3", "2.4"])
HEADERS = [(b"content-type", b"text/plain"), (b"x-kind", b"test")]


class Client:
    """A server's side of one request, as uvicorn keeps it: after the response, `receive` tells of the end."""

    def __init__(self, app: App, body: tuple[bytes, ...] = (b"",), spec: str = "2.3", **scope: Any) -> None:
        self.app = app
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": spec},
            "method": "POST",
            "path": "/",
            "raw_path": b"/",
            "query_string": b"",
            "headers": [(b"host", b"test")],
            **scope,
        }
        self.incoming = [
            {"type": "http.request", "body": part, "more_body": n < len(body) - 1} for n, part in enumerate(body)
        ]
        self.messages: list[dict[str, Any]] = []
        self.log: list[str] = []
        self.error: BaseException | None = None

    def leave(self) -> None:
        self.gone.set()

    async def receive(self) -> dict[str, Any]:
        if self.incoming:
            return self.incoming.pop(0)
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await anyio.lowlevel.checkpoint()
        self.messages.append(dict(message))
        if message["type"] == "http.response.body":
            body = message.get("body", b"")
            self.log.append(f"sent {body.decode('latin-1')}" if body else "sent")
        if message["type"] == "http.response.pathsend" or (
            message["type"] == "http.response.body" and not message.get("more_body", False)
        ):
            self.log.append("complete")
            self.gone.set()

    async def serve(self) -> "Client":
        """Serve; keep the exception that comes out."""
        self.gone = anyio.Event()
        try:
            await self.app(self.scope, self.receive, self.send)
        except Exception as exc:
            self.error = exc
        return self

    def run(self) -> "Client":
        with_timeout: list[None] = []

        async def main() -> None:
            with anyio.fail_after(10):
                await self.serve()
            with_timeout.append(None)

        run_moved(main)
        return self

    @property
    def start(self) -> dict[str, Any]:
        [start] = [message for message in self.messages if message["type"] == "http.response.start"]
        return start

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def chunks(self) -> list[bytes]:
        bodies = [message["body"] for message in self.messages if message["type"] == "http.response.body"]
        return [body for body in bodies if body]

    @property
    def is_complete(self) -> bool:
        return "complete" in self.log

    @property
    def outcome(self) -> Any:
        """All that the two implementations must have in common."""
        started = any(message["type"] == "http.response.start" for message in self.messages)
        in_words = isinstance(self.error, NotAResponse)
        return (
            (self.start["status"], list(self.start["headers"])) if started else None,
            self.chunks,
            repr(TypeError("'NoneType' object is not callable") if in_words else self.error),
            [
                message
                for message in self.messages
                if not message["type"].startswith(("http.response.start", "http.response.body"))
            ],
        )


async def passing(request: Request, call_next: Any) -> Response:
    response: Response = await call_next(request)
    return response


def sending(*messages: dict[str, Any]) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    return app


def answering(*chunks: bytes, status: int = 200) -> App:
    """An app that sends these chunks, the last of which ends the response."""
    last = len(chunks) - 1
    return sending(
        {"type": "http.response.start", "status": status, "headers": HEADERS},
        *({"type": "http.response.body", "body": chunk, "more_body": n < last} for n, chunk in enumerate(chunks)),
    )


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the body as it was received."""
    request = Request(scope, receive)
    await PlainTextResponse(await request.body())(scope, receive, send)


# --- what is the same as in Starlette -------------------------------------------------------------------------------


async def adding_a_header(request: Request, call_next: Any) -> Response:
    response: Response = await call_next(request)
    response.headers["x-added"] = request.headers["host"]
    response.set_cookie("seen", "yes")
    del response.headers["x-kind"]
    return response


async def adding_one(request: Request, call_next: Any) -> Response:
    response: Response = await call_next(request)
    response.headers["x-one"] = "1"
    return response


async def changing_the_status(request: Request, call_next: Any) -> Response:
    response: Response = await call_next(request)
    response.status_code = 418
    return response


async def rewriting_the_body(request: Request, call_next: Any) -> Response:
    response = await call_next(request)
    body = b"".join([part async for part in response.body_iterator])
    return Response(body.upper(), status_code=response.status_code, headers=dict(response.headers))


async def replacing_the_iterator(request: Request, call_next: Any) -> Response:
    response = await call_next(request)
    inner = response.body_iterator

    async def doubled() -> AsyncIterator[bytes]:
        async for part in inner:
            yield part + part

    response.body_iterator = doubled()
    return response  # type: ignore[no-any-return]


async def wrapping_in_a_stream(request: Request, call_next: Any) -> Response:
    response = await call_next(request)
    return StreamingResponse(response.body_iterator, status_code=response.status_code, headers=dict(response.headers))


async def answering_alone(request: Request, call_next: Any) -> Response:
    return PlainTextResponse("alone")


async def answering_instead(request: Request, call_next: Any) -> Response:
    await call_next(request)
    return PlainTextResponse("instead")


async def failing_before(request: Request, call_next: Any) -> Response:
    raise LookupError("before")


async def failing_after(request: Request, call_next: Any) -> Response:
    await call_next(request)
    raise LookupError("after")


async def catching(request: Request, call_next: Any) -> Response:
    try:
        return await call_next(request)  # type: ignore[no-any-return]
    except ValueError as exc:
        return JSONResponse({"caught": str(exc)}, status_code=500)


async def reading_the_body(request: Request, call_next: Any) -> Response:
    body = await request.body()
    response: Response = await call_next(request)
    response.headers["x-length"] = str(len(body))
    return response


async def reading_the_stream(request: Request, call_next: Any) -> Response:
    parts = [part async for part in request.stream()]
    response: Response = await call_next(request)
    response.headers["x-parts"] = str(len(parts))
    return response


async def reading_the_first_part(request: Request, call_next: Any) -> Response:
    async for _ in request.stream():
        break
    return await call_next(request)  # type: ignore[no-any-return]


async def changing_the_body(request: Request, call_next: Any) -> Response:
    await request.body()
    request._body = b"changed"
    return await call_next(request)  # type: ignore[no-any-return]


async def adding_a_background_task(request: Request, call_next: Any) -> Response:
    response = await call_next(request)

    async def task() -> None:
        request.scope["log"].append("background of the middleware")

    response.background = task
    return response  # type: ignore[no-any-return]


async def returning_nothing(request: Request, call_next: Any) -> Response:
    return None  # type: ignore[return-value]


DISPATCHES = [
    passing,
    adding_a_header,
    changing_the_status,
    rewriting_the_body,
    replacing_the_iterator,
    wrapping_in_a_stream,
    answering_alone,
    answering_instead,
    failing_before,
    failing_after,
    catching,
    reading_the_body,
    reading_the_stream,
    reading_the_first_part,
    changing_the_body,
    adding_a_background_task,
    returning_nothing,
]


async def failing(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("no")


async def failing_with_a_cause(scope: Any, receive: Any, send: Any) -> None:
    try:
        raise KeyError("cause")
    except KeyError as exc:
        raise ValueError("no") from exc


async def silent(scope: Any, receive: Any, send: Any) -> None:
    pass


async def failing_at_the_end(scope: Any, receive: Any, send: Any) -> None:
    await answering(b"all of it")(scope, receive, send)
    raise ValueError("in the clean-up")


async def streaming(scope: Any, receive: Any, send: Any) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b"a", b"b", b"c"):
            await anyio.sleep(0)
            yield part

    await StreamingResponse(parts(), headers={"x-kind": "stream"})(scope, receive, send)


async def with_a_background_task(scope: Any, receive: Any, send: Any) -> None:
    async def task() -> None:
        scope["log"].append("background of the app")

    await PlainTextResponse("done", background=task)(scope, receive, send)  # type: ignore[arg-type]


async def beneath_starlettes(scope: Any, receive: Any, send: Any) -> None:
    await BaseHTTPMiddleware(answering(b"a", b"b"), dispatch=passing)(scope, receive, send)


APPS = {
    "whole": answering(b"whole"),
    "empty": answering(b"", status=204),
    "pieces": answering(b"one", b"", b"two", b""),
    "no body": sending({"type": "http.response.start", "status": 200, "headers": []}),
    "echo": echo,
    "failing": failing,
    "cause": failing_with_a_cause,
    "silent": silent,
    "fails late": failing_at_the_end,
    "streaming": streaming,
    "background": with_a_background_task,
    "nested": beneath_starlettes,
    "pathsend": sending(
        {"type": "http.response.start", "status": 200, "headers": []},
        {"type": "http.response.pathsend", "path": "/tmp/x"},
    ),
    "debug": sending(
        {"type": "http.response.debug", "info": {"template": "x"}},
        {"type": "http.response.start", "status": 200, "headers": []},
        {"type": "http.response.body", "body": b"x"},
    ),
}


@pytest.mark.parametrize("dispatch", DISPATCHES, ids=lambda dispatch: dispatch.__name__)
@pytest.mark.parametrize("app", APPS.values(), ids=APPS)
@SPECS
def test_a_request_ends_as_under_starlette(app: App, dispatch: Dispatch, spec: str) -> None:
    """Every kind of application under every kind of middleware function: status, headers, body and exception."""
    outcomes, logs = [], []
    for layer in (OURS, STARLETTES):
        log: list[str] = []
        client = Client(layer(app, dispatch), body=(b"first", b"second"), spec=spec, log=log).run()
        outcomes.append(client.outcome)
        logs.append(log)

    assert outcomes[0] == outcomes[1]
    assert sorted(logs[0]) == sorted(logs[1])  # in another order by Starlette before 1.7


def outcomes_of(short: App, full: App, dispatch: Dispatch, spec: str) -> list[Any]:
    """Serve one application with our middleware, and another with Starlette's."""
    body = (b"first", b"second")
    return [
        Client(layer(app, dispatch), body=body, spec=spec, log=[]).run().outcome
        for layer, app in ((OURS, short), (STARLETTES, full))
    ]


@pytest.mark.parametrize("dispatch", DISPATCHES, ids=lambda dispatch: dispatch.__name__)
@SPECS
def test_a_response_may_leave_out_what_asgi_lets_it_leave_out(dispatch: Dispatch, spec: str) -> None:
    """Starlette before 1.10 raises a `KeyError` where headers are left out, so it gets the same with all keys."""
    short = sending({"type": "http.response.start", "status": 200}, {"type": "http.response.body"})
    full = sending(
        {"type": "http.response.start", "status": 200, "headers": []},
        {"type": "http.response.body", "body": b"", "more_body": False},
    )

    ours, starlettes = outcomes_of(short, full, dispatch, spec)

    assert ours == starlettes


@pytest.mark.parametrize("dispatch", DISPATCHES, ids=lambda dispatch: dispatch.__name__)
@SPECS
def test_early_hints_pass_before_the_response(dispatch: Dispatch, spec: str) -> None:
    """Starlette before 1.8 takes a hint for the start of the response, so it gets the same application without."""
    hint = {"type": "http.response.early_hint", "links": [b"</x.css>"]}
    rest = answering(b"x")
    hinting: list[bool] = []

    async def with_hint(scope: Any, receive: Any, send: Any) -> None:
        hinting.append(True)
        await send(hint)
        await rest(scope, receive, send)

    (*ours, sent), (*starlettes, nothing) = outcomes_of(with_hint, rest, dispatch, spec)

    assert ours == starlettes
    assert (sent, nothing) == ([hint for _ in hinting], [])


def test_the_background_task_of_the_middleware_comes_before_that_of_the_application() -> None:
    """The application is still sending its end when the middleware's response is over."""
    log: list[str] = []

    Client(OURS(with_a_background_task, adding_a_background_task), log=log).run()

    assert log == ["background of the middleware", "background of the app"]


@given(
    chunks=st.lists(st.binary(max_size=5), min_size=1, max_size=8),
    waits=st.lists(st.booleans(), min_size=8, max_size=8),
    body=st.lists(st.binary(max_size=3), min_size=1, max_size=4),
    dispatch=st.sampled_from([passing, rewriting_the_body, replacing_the_iterator, wrapping_in_a_stream]),
    spec=st.sampled_from(["2.3", "2.4"]),
    depth=st.integers(1, 3),
)
@settings(deadline=None, max_examples=150)
def test_any_chunking_passes_as_under_starlette(
    chunks: list[bytes], waits: list[bool], body: list[bytes], dispatch: Dispatch, spec: str, depth: int
) -> None:
    """However an application cuts its body and wherever it waits, the same chunks arrive, each on its own."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        received = await Request(scope, receive).body()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-got", received)]})
        for n, chunk in enumerate(chunks):
            if waits[n]:
                await anyio.sleep(0)
            await send({"type": "http.response.body", "body": chunk, "more_body": n < len(chunks) - 1})

    outcomes = []
    for layer in (OURS, STARLETTES):
        stack: App = app
        for _ in range(depth):
            stack = layer(stack, dispatch)
        outcomes.append(Client(stack, body=tuple(body), spec=spec).run().outcome)

    assert outcomes[0] == outcomes[1]
    if dispatch is passing:
        assert outcomes[0][1] == [chunk for chunk in chunks if chunk]


@BOTH
def test_several_middlewares_nest_in_order(layer: Any) -> None:
    """The last one added is the first to see the request and the last to see the response."""
    log: list[str] = []

    def named(name: str) -> Dispatch:
        async def dispatch(request: Request, call_next: Any) -> Response:
            log.append(f"{name} in")
            response: Response = await call_next(request)
            log.append(f"{name} out")
            return response

        return dispatch

    app = layer(layer(layer(answering(b"x"), named("c")), named("b")), named("a"))
    client = Client(app).run()

    assert log == ["a in", "b in", "c in", "c out", "b out", "a out"]
    assert client.body == b"x"


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
def test_other_scopes_pass_untouched(kind: str) -> None:
    """Function middleware is for HTTP; the application gets the server's own callables."""
    seen: list[Any] = []

    async def app(*args: Any) -> None:
        seen.extend(args)

    scope, receive, send = {"type": kind}, object(), object()
    anyio.run(HTTPMiddleware(app, failing_before), scope, receive, send)  # type: ignore[arg-type]

    assert seen == [scope, receive, send]


def test_a_class_with_a_dispatch_method_is_middleware_too() -> None:
    """`HTTPMiddleware` takes the place of BaseHTTPMiddleware, options of the subclass included."""

    class Stamped(HTTPMiddleware):
        def __init__(self, app: Any, stamp: str) -> None:
            super().__init__(app)
            self.stamp = stamp

        async def dispatch(self, request: Request, call_next: Any) -> Response:
            response: Response = await call_next(request)
            response.headers["x-stamp"] = self.stamp
            return response

    client = Client(Stamped(answering(b"x"), stamp="paid")).run()

    assert (b"x-stamp", b"paid") in client.start["headers"]


def test_app_and_dispatch_can_be_seen() -> None:
    """Tools that print a middleware stack follow `.app`."""
    app = answering(b"x")
    layer = HTTPMiddleware(app, passing)

    assert layer.app is app
    assert layer.dispatch is passing


# --- one context, and what the application says late ----------------------------------------------------------------

user: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")


def test_context_variables_pass_both_ways() -> None:
    """FastAPI loses what the endpoint sets; here middleware, endpoint and clean-up share one context."""
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(user.get())
        token = user.set("set by the endpoint")
        await answering(b"x")(scope, receive, send)
        seen.append(user.get())
        user.reset(token)

    async def dispatch(request: Request, call_next: Any) -> Response:
        user.set("set by the middleware")
        response: Response = await call_next(request)
        seen.append(user.get())
        user.set("set afterwards")
        return response

    Client(HTTPMiddleware(app, dispatch)).run()

    assert seen == ["set by the middleware", "set by the endpoint", "set afterwards"]


def test_background_tasks_do_not_delay_the_response() -> None:
    """The client has everything before they begin; so it is under Starlette's class from 1.7 on."""
    clients: list[Client] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answering(b"x")(scope, receive, send)
        clients[0].log.append("background begins")
        await anyio.sleep(0.01)
        clients[0].log.append("background ends")

    clients.append(Client(OURS(OURS(app, passing), passing)))
    log = clients[0].run().log

    assert log.index("complete") < log.index("background begins")
    assert log[-1] == "background ends"


@BOTH
@SPECS
def test_each_chunk_goes_out_before_the_next_is_made(layer: Any, spec: str) -> None:
    """A stream is not gathered."""
    clients: list[Client] = []

    async def parts() -> AsyncIterator[bytes]:
        for part in (b"a", b"b", b"c"):
            clients[0].log.append(f"made {part.decode()}")
            yield part

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await StreamingResponse(parts())(scope, receive, send)

    clients.append(Client(layer(app, passing), spec=spec))
    log = clients[0].run().log

    assert log.index("sent a") < log.index("made c")
    assert [entry for entry in log if entry.startswith("sent ")] == ["sent a", "sent b", "sent c"]


@BOTH
@SPECS
def test_headers_go_out_before_a_slow_first_chunk(layer: Any, spec: str) -> None:
    """A browser's EventSource is open when it has the headers, be the first event hours away."""
    clients: list[Client] = []

    async def parts() -> AsyncIterator[bytes]:
        while not clients[0].messages:
            await anyio.sleep(0.001)
        yield b"at last"

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await StreamingResponse(parts())(scope, receive, send)

    clients.append(Client(layer(app, passing), spec=spec))

    assert clients[0].run().body == b"at last"


@BOTH
def test_an_app_may_send_from_a_task_of_its_own(layer: Any) -> None:
    """As Starlette's StreamingResponse does under servers before ASGI 2.4; also with asyncio's own task group."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(answering(b"a", b"b", b"c")(scope, receive, send))  # type: ignore[arg-type]
            await asyncio.sleep(0.001)

    client = Client(layer(app, passing)).run()

    assert client.chunks == [b"a", b"b", b"c"]
    assert client.error is None


def test_a_header_list_used_for_all_responses_is_not_changed() -> None:
    """An application may send one constant list for ever; what a middleware adds is for one response."""
    constant = [(b"content-type", b"text/plain")]
    app = sending(
        {"type": "http.response.start", "status": 200, "headers": constant},
        {"type": "http.response.body", "body": b"x"},
    )

    Client(HTTPMiddleware(app, adding_one)).run()

    assert constant == [(b"content-type", b"text/plain")]


def test_a_whole_response_is_sent_in_one_piece() -> None:
    """Two messages in, two messages out."""
    client = Client(HTTPMiddleware(answering(b"whole"), passing)).run()

    assert [message["type"] for message in client.messages] == ["http.response.start", "http.response.body"]


def test_any_awaitable_will_do_as_an_application() -> None:
    """A compiled or wrapped application need not return a coroutine."""

    class Later:
        def __init__(self, coro: Any) -> None:
            self.coro = coro

        def __await__(self) -> Any:
            return self.coro.__await__()

    def app(scope: Any, receive: Any, send: Any) -> Later:
        return Later(answering(b"x")(scope, receive, send))

    assert Client(HTTPMiddleware(app, passing)).run().body == b"x"


def test_the_application_runs_once() -> None:
    """A second call would mix two responses; it is refused by name."""

    async def dispatch(request: Request, call_next: Any) -> Response:
        await call_next(request)
        return await call_next(request)  # type: ignore[no-any-return]

    client = Client(HTTPMiddleware(answering(b"x"), dispatch)).run()

    assert isinstance(client.error, RuntimeError)
    assert "runs once" in str(client.error)


# --- failures -------------------------------------------------------------------------------------------------------


@SPECS
def test_a_stream_that_breaks_off_is_not_completed(spec: str) -> None:
    """A client must be able to tell half a file from a whole one; Starlette's middleware ends it as if whole."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"half"
        raise ValueError("disk")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await StreamingResponse(parts())(scope, receive, send)

    client = Client(HTTPMiddleware(app, passing), spec=spec).run()

    assert client.chunks == [b"half"]
    assert not client.is_complete
    assert repr(client.error) == "ValueError('disk')"


def test_a_failure_within_the_body_reaches_who_reads_it() -> None:
    """So a middleware that reads the whole body can still answer with an error."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("disk")

    async def dispatch(request: Request, call_next: Any) -> Response:
        response = await call_next(request)
        try:
            body = b"".join([part async for part in response.body_iterator])
        except ValueError:
            return PlainTextResponse("sorry", status_code=500)
        return Response(body)

    client = Client(HTTPMiddleware(app, dispatch)).run()

    assert (client.start["status"], client.body, client.error) == (500, b"sorry", None)


class Cleaning:
    """An application that answers and then waits for its clean-up; notes how it ended."""

    def __init__(self, *chunks: bytes) -> None:
        self.app = answering(*chunks)
        self.log: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
            self.log.append("background")
        except asyncio.CancelledError:
            self.log.append("cancelled")
            raise
        finally:
            await anyio.sleep(0.001)
            self.log.append("clean")


@pytest.mark.parametrize("chunks", [(b"whole",), (b"a", b"b", b"c")])
def test_a_response_given_instead_lets_the_application_end(chunks: tuple[bytes, ...]) -> None:
    """Its transaction is committed, its background tasks run: it has done its work, whatever the client is told."""
    app = Cleaning(*chunks)

    client = Client(HTTPMiddleware(app, answering_instead)).run()

    assert client.body == b"instead"
    assert app.log == ["background", "clean"]


@SPECS
def test_an_endless_stream_ends_when_nobody_reads_it(spec: str) -> None:
    """In the words of the server's ASGI version: an OSError from `send`, or a disconnect to `receive`."""
    log: list[str] = []

    async def parts() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"tick"
                await anyio.sleep(0)
        finally:
            log.append("clean")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = parts()
        async with contextlib.aclosing(body):  # type: ignore[type-var]
            await StreamingResponse(body)(scope, receive, send)

    client = Client(HTTPMiddleware(app, answering_instead), spec=spec).run()

    assert client.body == b"instead"
    assert client.error is None
    assert log == ["clean"]


@pytest.mark.parametrize("chunks", [(b"whole",), (b"a", b"b", b"c")])
def test_a_middleware_that_fails_cancels_the_application(chunks: tuple[bytes, ...]) -> None:
    """Nobody will get its response: its clean-up runs, to the end, as after a cancellation."""
    app = Cleaning(*chunks)

    client = Client(HTTPMiddleware(app, failing_after)).run()

    assert repr(client.error) == "LookupError('after')"
    assert app.log == ["cancelled", "clean"]


def test_a_failing_clean_up_does_not_hide_the_failure_of_the_middleware() -> None:
    """What `dispatch` raised comes out."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await answering(b"x")(scope, receive, send)
        finally:
            raise ValueError("clean-up")

    client = Client(HTTPMiddleware(app, failing_after)).run()

    assert repr(client.error) == "LookupError('after')"


@pytest.mark.parametrize("where", ["in the application", "in the middleware", "after the response"])
def test_cancelling_the_request_cancels_the_application(where: str) -> None:
    """A server that gives up on a request must find nothing of it left running."""
    log: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            if where == "in the application":
                await anyio.sleep(10)
            await answering(b"x")(scope, receive, send)
            if where == "after the response":
                await anyio.sleep(10)
        except asyncio.CancelledError:
            log.append("cancelled")
            await asyncio.sleep(0.001)
            log.append("clean")
            raise

    async def dispatch(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        if where == "in the middleware":
            await anyio.sleep(10)
        return response

    async def main() -> None:
        task = asyncio.create_task(Client(HTTPMiddleware(app, dispatch)).serve())  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_moved(main)

    assert log == ["cancelled", "clean"]


def test_a_scope_cancelled_from_outside_leaves_the_clean_up_in_peace() -> None:
    """anyio cancels again and again; the application is told once and may then wait for its rollback."""
    app = Cleaning(b"x")

    async def dispatch(request: Request, call_next: Any) -> Response:
        await call_next(request)
        await anyio.sleep(10)
        raise AssertionError

    async def main() -> None:
        with anyio.move_on_after(0.01):
            await Client(HTTPMiddleware(app, dispatch)).serve()

    run_moved(main)

    assert app.log == ["cancelled", "clean"]


def test_a_coroutine_thrown_away_closes_the_application() -> None:
    """When the event loop is gone nothing can be awaited; what is open is closed at once."""
    log: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            log.append("closed")

    async def main() -> None:
        coro = HTTPMiddleware(app, passing)(Client(app).scope, None, None)  # type: ignore[arg-type]
        task = asyncio.current_task()
        assert task is not None
        coro.send(None)
        coro.close()

    run_moved(main)

    assert log == ["closed"]


def test_nothing_is_left_for_the_garbage_collector() -> None:
    """A request makes no cycle of references: its memory is free when it has been served."""

    async def main() -> None:
        app = HTTPMiddleware(answering(b"x"), adding_a_header)
        for _ in range(3):
            await Client(app).serve()
        gc.collect()
        gc.disable()
        try:
            client = Client(app)
            await client.serve()
            del client
            found = gc.collect()
        finally:
            gc.enable()
        assert found == 0

    run_moved(main)


# --- the client leaves ----------------------------------------------------------------------------------------------


@BOTH
def test_an_application_hears_that_the_client_has_left(layer: Any) -> None:
    """A stream under ASGI 2.3 listens for it while it sends."""
    clients: list[Client] = []
    log: list[str] = []

    async def parts() -> AsyncIterator[bytes]:
        yield b"a"
        clients[0].leave()
        try:
            await anyio.sleep(10)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        yield b"never"

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await Request(scope, receive).body()
        await StreamingResponse(parts())(scope, receive, send)

    clients.append(Client(layer(app, passing)))
    client = clients[0].run()

    assert log == ["cancelled"]
    assert client.chunks == [b"a"]


@BOTH
def test_a_disconnect_within_the_body_reaches_the_application(layer: Any) -> None:
    """`request.body()` raises ClientDisconnect there, and a middleware can see it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await Request(scope, receive).body()

    seen: list[str] = []

    async def dispatch(request: Request, call_next: Any) -> Response:
        try:
            return await call_next(request)  # type: ignore[no-any-return]
        except ClientDisconnect:
            seen.append("left")
            return Response(status_code=400)

    client = Client(layer(app, dispatch))
    client.incoming = [
        {"type": "http.request", "body": b"half", "more_body": True},
        {"type": "http.disconnect"},
    ]
    client.run()

    assert seen == ["left"]
    assert client.start["status"] == 400


@BOTH
def test_after_the_response_receive_tells_of_the_end(layer: Any) -> None:
    """What waits for the client's leaving does not wait for ever."""
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await Request(scope, receive).body()
        await answering(b"x")(scope, receive, send)
        seen.append((await receive())["type"])

    Client(layer(app, passing)).run()

    assert seen == ["http.disconnect"]


@BOTH
def test_is_disconnected_can_be_asked_on_both_sides(layer: Any) -> None:
    """It asks `receive` within a cancelled scope; the question must leave no trace."""
    seen: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        await request.body()
        seen.append(await request.is_disconnected())
        await answering(b"x")(scope, receive, send)

    async def dispatch(request: Request, call_next: Any) -> Response:
        await request.body()
        seen.append(await request.is_disconnected())
        return await call_next(request)  # type: ignore[no-any-return]

    client = Client(layer(app, dispatch)).run()

    assert client.body == b"x"
    assert seen == [False, False]


# --- scopes, timeouts and tasks on both sides of the pause ----------------------------------------------------------


@contextlib.asynccontextmanager
async def task_group() -> AsyncIterator[None]:
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 0.001)
        yield


SCOPES: dict[str, Callable[[], Any]] = {
    "none": contextlib.AsyncExitStack,
    "anyio": task_group,
    "asyncio": asyncio.TaskGroup,
    "asyncio timeout": lambda: asyncio.timeout(5),
}


@BOTH
@pytest.mark.parametrize("outer", SCOPES.values(), ids=SCOPES)
@pytest.mark.parametrize("inner", SCOPES.values(), ids=SCOPES)
@pytest.mark.parametrize("around", ["call_next", "the body", "both"])
@SPECS
def test_scopes_of_middleware_and_application_may_overlap(
    layer: Any, outer: Any, inner: Any, around: str, spec: str
) -> None:
    """The application's are open while it pauses; the middleware's are closed then. anyio forbids that in one task."""

    async def parts() -> AsyncIterator[bytes]:
        for part in (b"a", b"b"):
            await anyio.sleep(0.001)
            yield part

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await Request(scope, receive).body()
        async with inner():
            await StreamingResponse(parts())(scope, receive, send)

    async def dispatch(request: Request, call_next: Any) -> Response:
        if around == "call_next":
            async with outer():
                return await call_next(request)  # type: ignore[no-any-return]
        if around == "the body":
            response = await call_next(request)
            async with outer():
                return Response(b"".join([part async for part in response.body_iterator]))
        async with outer():
            response = await call_next(request)
            return Response(b"".join([part async for part in response.body_iterator]))

    client = Client(layer(layer(app, dispatch), passing), spec=spec).run()

    assert client.error is None
    assert client.body == b"ab"


def test_a_timeout_in_the_application_stays_there() -> None:
    """It cancels the application and not the middleware above it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            async with asyncio.timeout(0.001):
                await asyncio.sleep(10)
        except TimeoutError:
            pass
        with anyio.move_on_after(0.001):
            await anyio.sleep(10)
        await answering(b"in time")(scope, receive, send)

    client = Client(HTTPMiddleware(HTTPMiddleware(app, passing), passing)).run()

    assert client.error is None
    assert client.body == b"in time"


def test_a_timeout_that_ends_while_the_application_is_paused_waits_for_it() -> None:
    """The middleware's own waiting is not interrupted by a timeout that it knows nothing of."""
    log: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            async with asyncio.timeout(0.001):
                await answering(b"a", b"b")(scope, receive, send)
        except TimeoutError:
            log.append("timeout")
            raise

    async def dispatch(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        await asyncio.sleep(0.01)
        log.append("middleware goes on")
        return response

    client = Client(HTTPMiddleware(app, dispatch)).run()

    assert log == ["middleware goes on", "timeout"]
    assert isinstance(client.error, TimeoutError)


@pytest.mark.parametrize("way", ["wait_for", "timeout", "move_on_after"])
def test_a_middleware_can_limit_the_time_of_the_application(way: str) -> None:
    """The three ways in which people write it."""
    app = Cleaning()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await anyio.sleep(0.05)
        await answering(b"late")(scope, receive, send)

    app.app = slow

    async def dispatch(request: Request, call_next: Any) -> Response:
        try:
            if way == "wait_for":
                return await asyncio.wait_for(call_next(request), 0.001)
            if way == "timeout":
                async with asyncio.timeout(0.001):
                    return await call_next(request)  # type: ignore[no-any-return]
            with anyio.fail_after(0.001):
                return await call_next(request)  # type: ignore[no-any-return]
        except TimeoutError:
            return PlainTextResponse("too slow", status_code=504)

    client = Client(HTTPMiddleware(app, dispatch)).run()

    assert (client.start["status"], client.body, client.error) == (504, b"too slow", None)
    assert app.log == ["background", "clean"]


def test_a_call_in_a_task_of_its_own_keeps_one_context() -> None:
    """`asyncio.wait_for` makes a task on Python 3.11; a token set before the pause is good after it."""
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        token = user.set("endpoint")
        with anyio.CancelScope():
            await answering(b"a", b"b")(scope, receive, send)
            seen.append(user.get())
        user.reset(token)

    async def dispatch(request: Request, call_next: Any) -> Response:
        return await asyncio.create_task(call_next(request))

    client = Client(HTTPMiddleware(app, dispatch)).run()

    assert client.error is None
    assert client.body == b"ab"
    assert seen == ["endpoint"]


def test_the_body_can_be_read_by_another_task() -> None:
    """As where it is wrapped in Starlette's StreamingResponse under a server before ASGI 2.4."""
    app = HTTPMiddleware(BaseHTTPMiddleware(answering(b"a", b"b"), dispatch=passing), wrapping_in_a_stream)

    client = Client(HTTPMiddleware(app, wrapping_in_a_stream), spec="2.3").run()

    assert client.error is None
    assert client.body == b"ab"


def test_a_paused_body_can_be_left_and_taken_up() -> None:
    """A reader with a deadline for each piece loses none of them."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await anyio.sleep(0.02)
        await send({"type": "http.response.body", "body": b"late", "more_body": False})

    async def dispatch(request: Request, call_next: Any) -> Response:
        response = await call_next(request)
        waited = 0
        while True:
            try:
                async with asyncio.timeout(0.005):
                    part = await anext(response.body_iterator)
                break
            except TimeoutError:
                waited += 1
        assert waited
        return Response(part)

    client = Client(HTTPMiddleware(app, dispatch)).run()

    assert client.error is None
    assert client.body == b"late"


def test_the_application_is_a_task_to_itself() -> None:
    """Libraries ask the current task for its name, for its coroutine, or to cancel it."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        seen.extend([task.get_name(), task.get_coro(), task.done(), anyio.get_current_task().name])
        task.add_done_callback(lambda _: seen.append("done"))
        task.cancel("enough")
        assert task.cancelling() == 1
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError as exc:
            seen.append(exc.args)
            assert task.uncancel() == 0
        await anyio.to_thread.run_sync(lambda: None)
        await answering(b"x")(scope, receive, send)

    client = Client(HTTPMiddleware(app, passing)).run()

    assert client.error is None
    assert seen[2:] == [False, seen[0], ("enough",), "done"]


@pytest.mark.skipif(importlib.util.find_spec("trio") is None, reason="trio is not installed")
@pytest.mark.parametrize("app", [answering(b"a", b"b"), streaming], ids=["pieces", "stream"])
@pytest.mark.filterwarnings("ignore:Async generator 'starlette.requests:ResourceWarning")  # Starlette before 1.8
def test_trio_is_served_too(app: App) -> None:
    """By Starlette's own class, for a fiber is a thing of asyncio's."""
    client = Client(HTTPMiddleware(app, adding_a_header))

    anyio.run(client.serve, backend="trio")

    assert client.error is None
    assert client.body in (b"ab", b"abc")
    assert (b"x-added", b"test") in client.start["headers"]


# --- under a whole framework ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [OURS, STARLETTES])
def test_a_whole_application_works_beneath(layer: Any) -> None:
    """Dependencies with clean-up, threads, bodies, background tasks and streams, through a real client."""
    app = FastAPI()
    log: list[str] = []

    async def resource() -> AsyncIterator[str]:
        yield "resource"
        log.append("clean")

    @app.post("/sync")
    def sync(value: int = Body(embed=True), thing: str = Depends(resource)) -> dict[str, Any]:
        return {"value": value, "thing": thing}

    @app.get("/background")
    async def background(tasks: BackgroundTasks) -> dict[str, Any]:
        tasks.add_task(log.append, "background")
        return {}

    @app.get("/stream")
    def stream() -> StreamingResponse:
        return StreamingResponse(iter(["a", "b"]))

    @app.get("/boom")
    def boom() -> None:
        raise ValueError("boom")

    async def dispatch(request: Request, call_next: Any) -> Response:
        await request.body()
        response: Response = await call_next(request)
        response.headers["x-done"] = "1"
        return response

    app.add_middleware(layer, dispatch=dispatch)
    with TestClient(app) as client:
        assert client.post("/sync", content=json.dumps({"value": 3})).status_code == 422  # no content type
        response = client.post("/sync", json={"value": 3})
        assert (response.json(), response.headers["x-done"]) == ({"value": 3, "thing": "resource"}, "1")
        assert client.get("/background").json() == {}
        assert client.get("/stream").text == "ab"
        assert client.get("/none").headers["x-done"] == "1"
        with pytest.raises(ValueError, match="boom"):
            client.get("/boom")
    assert log == ["clean", "background"]

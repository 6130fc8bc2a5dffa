"""What an application answers reaches a client alike by the direct door, by ASGI, and from FastAPI."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache
from http.client import HTTPResponse, IncompleteRead
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import fastapi
import pytest
from hypothesis import example, given, settings, strategies as st
from starlette import responses as starlette_responses
from starlette.background import BackgroundTask
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

import slipstream
from slipstream.server import exchange
from tests.server.wire import Connection, configured

log: list[str] = []


class Loud(PlainTextResponse):
    """A class that sends itself in a way of its own."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.headers["x-loud"] = "yes"
        await super().__call__(scope, receive, send)


class Shouted(HTMLResponse):
    """A class that only renders in a way of its own."""

    def render(self, content: Any) -> bytes:
        return bytes(super().render(content)).upper()


class Viewed(Response):
    """A class whose body is no bytes."""

    def render(self, content: Any) -> memoryview:
        return memoryview(bytes(super().render(content)))


async def note(what: str) -> None:
    log.append(what)


async def pieces(body: str) -> AsyncIterator[str]:
    yield body
    yield "more"


Drawn = dict[str, Any]
"""What an endpoint is to answer."""


drawn: Drawn = {}
"""What is to be answered now."""


def made() -> Response:
    """Make the drawn response."""
    options: dict[str, Any] = {"status_code": drawn["status"], "headers": drawn["headers"]}
    if drawn["background"]:
        options["background"] = BackgroundTask(note, "background")
    kind, body = drawn["kind"], drawn["body"]
    if kind is StreamingResponse:
        body = pieces(body)
    elif kind is RedirectResponse:
        body = f"/to?{body[:9]}"
    elif kind is FileResponse:
        body = Path(__file__).with_name("wire.py")
    response: Response = kind(body, **options)
    for name, value in drawn["cookies"]:
        response.set_cookie(name, value, httponly=True)
    for name, value in drawn["raw"]:
        response.raw_headers.append((name, value))
    return response


@cache
def built(web: ModuleType) -> Any:
    """Make an application that answers as drawn, in each of the ways to answer."""
    app = web.FastAPI()

    async def opened() -> AsyncIterator[None]:
        log.append("opened")
        yield
        log.append("closed")

    def raising() -> None:
        raise HTTPException(drawn["status"], drawn["body"], drawn["headers"])

    class Own(Exception):
        pass

    @app.exception_handler(Own)
    async def handle(request: Any, exc: Own) -> Response:
        log.append(request.url.path)
        return made()

    async def returned() -> Any:
        return made()

    async def injected(response: web.Response) -> Any:
        response.headers.raw.extend((*MutableHeaders(drawn["headers"]).raw, *drawn["raw"]))
        for name, value in drawn["cookies"]:
            response.set_cookie(name, value)
        response.status_code = drawn["status"]
        return {"body": drawn["body"]}

    async def tasked(background: web.BackgroundTasks) -> Any:
        background.add_task(note, "injected")
        return made()

    async def raised() -> None:
        raising()

    async def handled() -> None:
        raise Own

    async def classed() -> Any:
        return drawn["body"]

    async def invalid(number: int) -> None:
        pass

    for endpoint in (returned, injected, tasked, raised, handled):
        app.api_route(f"/{endpoint.__name__}", methods=["GET", "HEAD"])(endpoint)
        inside = [web.Depends(opened)]
        app.api_route(f"/open/{endpoint.__name__}", methods=["GET", "HEAD"], dependencies=inside)(endpoint)
    app.get("/next")(invalid)
    app.api_route("/classed", methods=["GET", "HEAD"], response_class=PlainTextResponse)(classed)
    return app


PATHS = [
    f"{place}/{name}" for place in ("", "/open") for name in ("returned", "injected", "tasked", "raised", "handled")
]
TEXTS = st.sampled_from(["", "hello", "gr\xfc\xdfe \u20ac", "a&<b>\n", "x" * 70_000])
KINDS = [
    Response, PlainTextResponse, HTMLResponse, JSONResponse, RedirectResponse, StreamingResponse, FileResponse, Loud,
    Shouted, Viewed,
]  # fmt: skip
HEADERS = [
    ("x-a", "b"), ("X-Capital", "C d"), ("x-latin", "\xe9\x85"), ("x-tab", "a\tb"), ("content-type", "text/x"),
    ("connection", "close"), ("connection", "keep-alive"), ("transfer-encoding", "chunked"), ("content-length", "5"),
    ("content-length", "05"), ("content-length", "0"), ("date", "today"), ("x-bad", "a\r\nevil: b"), ("x bad", "a"),
    ("", "nameless"), ("x-empty", ""), ("x-nul", "\0"), ("location", "/elsewhere"),
]  # fmt: skip
RAW = [
    (b"set-cookie", b"raw=1"), (b"X-Raw", b"1"), (b"content-length", b"5"), (b"Content-Length", b"5"),
    (b"connection", b"close"), (b"x-raw", b"\xff"), (b"x-raw\n", b"1"),
]  # fmt: skip


@st.composite
def answers(draw: Any) -> Drawn:
    """Draw a response, the request for it, and where it is made."""
    return {
        "kind": draw(st.sampled_from(KINDS)),
        "status": draw(st.sampled_from([200, 200, 201, 204, 205, 301, 304, 307, 400, 404, 418, 500, 599, 600])),
        "headers": dict(draw(st.lists(st.sampled_from(HEADERS), max_size=2))),
        "cookies": draw(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["", "v", 'q"; x'])), max_size=2)),
        "raw": draw(st.lists(st.sampled_from(RAW), max_size=1)),
        "body": draw(TEXTS),
        "background": draw(st.booleans()),
        "method": draw(st.sampled_from(["GET", "GET", "HEAD"])),
        "version": draw(st.sampled_from(["1.1", "1.1", "1.0"])),
        "path": draw(st.sampled_from([*PATHS, "/classed"])),
    }


def around(app: Any) -> Any:
    """Put an ASGI function around an application, which then has no direct door."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return serve


async def asked(app: Any) -> tuple[bytes, str, list[str]]:
    """Return what the server writes for a request and the one after it, what becomes of the connection, and the log."""
    log.clear()
    line = f"{drawn['method']} {drawn['path']} HTTP/{drawn['version']}\r\nhost: a\r\n\r\n"
    connection = Connection(configured(app))
    await connection.feed(line.encode() + b"GET /next?number=x HTTP/1.1\r\nhost: a\r\n\r\n")
    while tasks := connection.state.tasks:
        await asyncio.wait(tuple(tasks))
        await connection.settle()
    fate = connection.fate
    connection.end()
    await connection.settle()
    return connection.transport.written, fate, log.copy()


def read(written: bytes, method: str) -> list[tuple[int, list[tuple[str, str]], bytes]]:
    """Read responses as the standard library's client does, the first to a method: status, sorted headers, content."""
    file = io.BytesIO(written)
    connection = SimpleNamespace(makefile=lambda mode: file)
    found = []
    while file.tell() < len(written):
        response = HTTPResponse(connection, method=method)  # type: ignore[arg-type]  # as much of a socket as it uses
        response.begin()
        response._close_conn = lambda: None  # type: ignore[attr-defined]  # the next response is in the same file
        try:
            content = response.read()
        except IncompleteRead as exc:
            content = exc.partial
        found.append((response.status, sorted(response.getheaders()), content))
        method = "GET"
    return found


@given(answers())
@example({
    "kind": PlainTextResponse, "status": 200, "headers": {"x-a": "b"}, "cookies": [("a", "v"), ("b", "")], "raw": [],
    "body": "hello", "background": False, "method": "GET", "version": "1.1", "path": "/returned",
})  # fmt: skip
@settings(deadline=None, max_examples=150)
def test_an_answer_is_the_same_by_every_way(answer: Drawn) -> None:
    """Status, headers in their order, content, what is done when, and the next answer of the connection."""
    drawn.update(answer)
    ours, theirs = built(slipstream), built(fastapi)

    direct, asgi, of_fastapi = (asyncio.run(asked(app)) for app in (ours, around(ours), theirs))

    assert read(direct[0], answer["method"]) == read(asgi[0], answer["method"])
    assert direct[1:] == asgi[1:]
    if answer["path"].endswith(("returned", "injected", "tasked", "handled")):
        first = len(direct[0]) - len(direct[0].partition(b"HTTP/1.1 422")[2])
        assert direct[0][:first] == asgi[0][:first]  # the order of headers too
    # FastAPI's 205 has content, against RFC 9110, 15.3.6; and of two sets of tasks it runs one.
    if answer["status"] != 205 and not (answer["background"] and answer["path"].endswith("tasked")):
        assert read(direct[0], answer["method"]) == read(of_fastapi[0], answer["method"])
        assert direct[1:] == of_fastapi[1:]
    assert b"evil" not in direct[0].partition(b"\r\n\r\n")[0]


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Note which way responses go."""
    ways: list[str] = []
    send, reply = exchange.Exchange.send, exchange.Exchange.reply

    async def noted_send(self: Any, message: Any) -> None:
        ways.append("send")
        await send(self, message)

    def noted_reply(self: Any, *args: Any) -> bool:
        taken = reply(self, *args)
        ways.extend(["reply"] if taken else [])
        return taken

    monkeypatch.setattr(exchange.Exchange, "send", noted_send)
    monkeypatch.setattr(exchange.Exchange, "reply", noted_reply)
    yield ways


PLAIN: Drawn = {
    "kind": PlainTextResponse, "status": 200, "headers": {}, "cookies": [("a", "b")], "raw": [], "body": "hello",
    "background": False, "method": "GET", "version": "1.1",
}  # fmt: skip


@pytest.mark.parametrize("kind", [Response, PlainTextResponse, HTMLResponse, JSONResponse, RedirectResponse, Shouted])
@pytest.mark.parametrize("path", [path for path in PATHS if "tasked" not in path])
def test_whole_answers_need_no_messages(kind: Any, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They cost about what a dict does."""
    drawn.update(PLAIN, kind=kind, path=path)

    with counted(monkeypatch) as ways:
        asyncio.run(asked(built(slipstream)))

    assert ways == ["reply", "reply"]


@pytest.mark.parametrize(("cls", "calls"), [(Response, 2), (PlainTextResponse, 1)])
def test_a_call_that_a_tool_has_put_into_a_class_is_called(
    cls: Any, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Profilers and tracers do so, at any time; the second response is the JSON of a refused request."""
    drawn.update(PLAIN, path="/returned")
    app = built(slipstream)
    asyncio.run(asked(app))
    original = starlette_responses.Response.__call__

    async def traced(self: Any, scope: Any, receive: Any, send: Any) -> None:
        log.append("traced")
        await original(self, scope, receive, send)

    monkeypatch.setattr(cls, "__call__", traced)
    written, _, seen = asyncio.run(asked(app))

    assert seen == ["traced"] * calls
    assert read(written, "GET")[0][2] == b"hello"


@pytest.mark.parametrize("path", ["/raised", "/next?number=x", "/x"])
def test_what_a_tool_has_put_into_jsonresponse_makes_answers_to_errors(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are written without such an object only while it would be Starlette's own."""
    drawn.update(PLAIN, path=path, status=409)
    app = built(slipstream)
    before, _, _ = asyncio.run(asked(app))

    monkeypatch.setattr(JSONResponse, "render", lambda self, content: b"traced")
    written, _, _ = asyncio.run(asked(app))

    assert read(before, "GET")[0][2].startswith(b'{"detail":')
    assert read(written, "GET")[0][2] == b"traced"


def test_handlers_of_the_program_answer_what_it_has_them_for() -> None:
    """For a class, and for a status; also if they are registered late."""
    drawn.update(PLAIN, path="/raised", status=409)
    app = built.__wrapped__(slipstream)
    asyncio.run(asked(app))

    async def handle(request: Any, exc: Any) -> Response:
        return PlainTextResponse(f"{request.url.path} {exc}", 418)

    app.exception_handler(409)(handle)
    by_status, _, _ = asyncio.run(asked(app))
    app.exception_handler(slipstream.exceptions.RequestValidationError)(handle)
    by_class, _, _ = asyncio.run(asked(app))

    assert [status for status, _, _ in read(by_status, "GET")] == [418, 422]
    assert read(by_status, "GET")[0][2] == b"/raised 409: hello"
    assert [status for status, _, _ in read(by_class, "GET")] == [418, 418]

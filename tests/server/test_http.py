"""Our protocol beside uvicorn's own: real sockets, the same application, the same answers."""

import asyncio
import logging
import re
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
import uvicorn
from pydantic import BaseModel
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from slipstream import BackgroundTasks, Body, Depends, FastAPI, Header, Request, Response
from slipstream.responses import PlainTextResponse, StreamingResponse
from slipstream.server.http import HTTPProtocol
from slipstream.server.service import Service

pytestmark = pytest.mark.anyio

LARGE = "x" * 300_000
log: list[str] = []


class Item(BaseModel):
    name: str
    price: float = 1.5


def application(**options: Any) -> FastAPI:
    """One operation of each kind."""
    app = FastAPI(**options)

    async def session() -> AsyncIterator[str]:
        try:
            yield "session"
        finally:
            log.append("closed")

    async def after() -> None:
        log.append("after")

    @app.get("/plain")
    async def plain() -> dict[str, str]:
        return {"hello": "world"}

    @app.head("/plain")
    async def plain_head() -> dict[str, str]:
        return {"hello": "world"}

    @app.get("/items/{item_id}")
    async def read(item_id: int, session: Annotated[str, Depends(session)], x_token: Annotated[str, Header()]) -> Any:
        return {"id": item_id, "token": x_token, "session": session}

    @app.post("/items", status_code=201)
    async def create(item: Item) -> Item:
        return item

    @app.post("/again")
    async def again(request: Request, item: Annotated[dict[str, Any], Body()]) -> Any:
        return [item, (await request.body()).decode()]

    @app.put("/raw")
    async def raw(request: Request) -> Any:
        return len(await request.body())

    @app.get("/injected")
    async def injected(response: Response, tasks: BackgroundTasks) -> dict[str, int]:
        response.headers["x-more"] = "1"
        response.set_cookie("a", "b")
        tasks.add_task(after)
        return {"a": 1}

    @app.get("/later")
    async def later(tasks: BackgroundTasks) -> dict[str, int]:
        tasks.add_task(after)
        return {"a": 1}

    @app.get("/bad-header")
    async def bad_header(response: Response) -> dict[str, int]:
        response.headers["x-more"] = "1\r\nx-evil: 1"
        return {"a": 1}

    @app.delete("/items", status_code=204)
    async def nothing() -> None: ...

    @app.get("/large")
    async def large() -> str:
        return LARGE

    @app.get("/text")
    async def text() -> PlainTextResponse:
        return PlainTextResponse("text")

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"a"
            yield b"b"

        return StreamingResponse(chunks())

    @app.get("/fails")
    async def fails() -> None:
        raise LookupError("trouble")

    @app.get("/client")
    async def client(request: Request) -> Any:
        assert request.client is not None
        return [request.client.host, request.url.scheme, request.scope["root_path"]]

    return app


@pytest.fixture(autouse=True)
def levels() -> Iterator[None]:
    """uvicorn sets the levels of its loggers for the whole process."""
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "uvicorn.access", "uvicorn.asgi")]
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


@asynccontextmanager
async def served(app: Any, protocol: Any = HTTPProtocol, **options: Any) -> AsyncGenerator[int]:
    """Serve on a free port; yield the port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        config = uvicorn.Config(
            app, http=protocol, **{"log_config": None, "lifespan": "off", "ws": "none", "access_log": False, **options}
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve([listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await task


async def exchange(port: int, *parts: bytes) -> bytes:
    """Send, letting the server see each part by itself; read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        for _ in range(20):
            await asyncio.sleep(0)
    received = await reader.read()
    writer.close()
    await writer.wait_closed()
    return received


def request(line: str, body: bytes = b"", *headers: str, closes: bool = True) -> bytes:
    """Write a request of HTTP/1.1."""
    head = [f"{line} HTTP/1.1", "Host: testserver", *headers]
    if body:
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    if closes:
        head.append("Connection: close")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def comparable(received: bytes) -> list[Any]:
    """Take answers apart; the order of headers may differ, and the date."""
    found: list[Any] = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        status, *headers = head.split(b"\r\n")
        sizes = [int(header.split(b":")[1]) for header in headers if header.startswith(b"content-length")]
        kept = sorted(header for header in headers if not header.startswith(b"date:"))
        assert len(sizes) < 2
        size = sizes[0] if sizes else 0 if status == b"HTTP/1.1 100 Continue" else len(received)
        found.append((status, kept, received[:size]))
        received = received[size:]
    return found


CASES = {
    "plain": [request("GET /plain")],
    "query": [request("GET /plain?a=1&b")],
    "http 1.0": [b"GET /plain HTTP/1.0\r\n\r\n"],
    "kept alive": [request("GET /plain", closes=False), request("GET /plain")],
    "pipelined": [request("GET /plain", closes=False) * 3 + request("POST /items", b'{"name": "a"}')],
    "path, header, yield": [request("GET /items/3", b"", "X-Token: t")],
    "wrong": [request("GET /items/x")],
    "model": [request("POST /items", b'{"name": "a"}')],
    "model, wrong": [request("POST /items", b'{"name": 1}')],
    "model, empty": [request("POST /items")],
    "model, no JSON": [request("POST /items", b"{")],
    "body comes late": [request("POST /items", b'{"name": "a"}')[:-5], b'"a"} '[:4] + b" "],
    "body in chunks": [
        request("POST /items", b"", "Transfer-Encoding: chunked", "Content-Type: application/json"),
        b'5\r\n{"nam\r\n8\r\ne": "ab"}\r\n0\r\n\r\n',
    ],
    "body in chunks at once": [
        request("POST /items", b"", "Transfer-Encoding: chunked", "Content-Type: application/json")
        + b'5\r\n{"nam\r\n8\r\ne": "ab"}\r\n0\r\n\r\n',
    ],
    "expect": [request("POST /items", b'{"name": "a"}', "Expect: 100-continue")[:-13], b'{"name": "a"}'],
    "body twice": [request("POST /again", b'{"name": "a"}')],
    "raw body": [request("PUT /raw", b"123")],
    "large body": [request("PUT /raw", b"1" * 200_000)],
    "injected response": [request("GET /injected")],
    "background task": [request("GET /later")],
    "no content": [request("DELETE /items")],
    "large answer": [request("GET /large")],
    "large answers": [request("GET /large", closes=False) * 2 + request("GET /plain")],
    "response object": [request("GET /text")],
    "stream": [request("GET /stream")],
    "exception": [request("GET /fails")],
    "not found": [request("GET /nowhere")],
    "not allowed": [request("PATCH /plain")],
    "slash": [request("GET /plain/")],
    "escaped": [request("GET /pl%61in")],
    "forwarded": [request("GET /client", b"", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https")],
    "invalid": [b"GET\r\n\r\n"],
}


@pytest.mark.parametrize("case", CASES)
async def test_answers_are_those_of_uvicorns_protocol(case: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever way a request takes; and what is done after it is done."""
    found = []
    for protocol in (HttpToolsProtocol, HTTPProtocol):
        log.clear()
        async with served(application(), protocol) as port:
            received = await exchange(port, *CASES[case])
        found.append((comparable(received), log.copy()))

    theirs, ours = found
    assert ours == theirs
    assert theirs[0] != []


async def test_a_header_that_is_none_is_never_written() -> None:
    """What a client sent may have got into it."""
    async with served(application()) as port:
        received = await exchange(port, request("GET /bad-header"))

    assert received.startswith(b"HTTP/1.1 500 Internal Server Error")
    assert b"evil" not in received


async def test_a_body_that_is_there_is_not_asked_for() -> None:
    """RFC 9110, 10.1.1: who has the content may leave out the 100."""
    async with served(application()) as port:
        received = await exchange(port, request("POST /items", b'{"name": "a"}', "Expect: 100-continue"))

    assert received.startswith(b"HTTP/1.1 201 Created")


async def test_head_has_the_length_and_no_content() -> None:
    """A parser knows by the method that nothing follows."""
    async with served(application()) as port:
        received = await exchange(port, request("HEAD /plain"))

    assert b"content-length: 17\r\n" in received
    assert received.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "options",
    [{"root_path": "/api"}, {"headers": [("x-by", "us"), ("server", "mine")]}, {"headers": [("connection", "close")]},
     {"proxy_headers": False}, {"server_header": False, "date_header": False}, {"limit_concurrency": 1},
     {"log_level": "trace"}],
    ids=["root path", "headers", "closing", "no proxy", "no headers", "limited", "traced"],
)  # fmt: skip
async def test_options_of_uvicorn_hold(options: dict[str, Any]) -> None:
    """They are read by uvicorn, whose protocol ours is."""
    asked = request("GET /client", b"", "X-Forwarded-For: 1.2.3.4")
    found = []
    for protocol in (HttpToolsProtocol, HTTPProtocol):
        async with served(application(), protocol, **options) as port:
            found.append(comparable((await exchange(port, asked)).replace(b"retry-after: 1\r\n", b"")))

    assert found[0] == found[1]


async def test_the_access_log_is_uvicorns(caplog: pytest.LogCaptureFixture) -> None:
    """People search it."""
    lines = []
    for protocol in (HttpToolsProtocol, HTTPProtocol):
        caplog.clear()
        with caplog.at_level(logging.INFO, "uvicorn.access"):
            async with served(application(), protocol, access_log=True) as port:
                await exchange(port, request("GET /plain?a=1", closes=False) + request("POST /items", b"{}"))
        lines.append([re.sub(r":\d+", "", line.getMessage()) for line in caplog.records if "access" in line.name])

    assert lines[0] == lines[1]
    assert lines[0] == ['127.0.0.1 - "GET /plain?a=1 HTTP/1.1" 200', '127.0.0.1 - "POST /items HTTP/1.1" 422']


class Spy(HTTPProtocol):
    """Notes what is written, and which connections there are."""

    writes: list[bytes]
    made: list[HTTPProtocol]

    def connection_made(self, transport: Any) -> None:
        Spy.made.append(self)
        write = transport.write

        class Transport:
            def __getattr__(self, name: str) -> Any:
                return getattr(transport, name)

            def write(self, data: bytes) -> None:
                Spy.writes.append(data)
                write(data)

            def writelines(self, parts: Iterable[bytes]) -> None:
                Spy.writes += parts
                transport.writelines(parts)

        super().connection_made(Transport())  # type: ignore[arg-type]  # as much of one as is used


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ("GET /plain", 1),
        ("GET /later", 1),
        ("GET /items/x", 1),
        ("GET /text", 1),
        ("GET /stream", 1),
        ("GET /large", 2),
    ],
)
async def test_an_answer_in_one_piece_is_written_at_once(asked: str, count: int) -> None:
    """One system call less; what is long is not copied for it."""
    Spy.writes, Spy.made = [], []
    async with served(application(), Spy) as port:
        await exchange(port, request(asked))

    assert len(Spy.writes) == count


async def test_a_client_that_has_left_is_not_answered() -> None:
    """What was opened for it is closed all the same."""
    log.clear()
    release = asyncio.Event()
    reached = asyncio.Event()
    app = application()

    @app.get("/slow")
    async def slow() -> dict[str, int]:
        reached.set()
        await release.wait()
        log.append("slow")
        return {"a": 1}

    Spy.writes, Spy.made = [], []
    async with served(app, Spy) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("GET /slow", closes=False))
        await reached.wait()
        # Without this, it might only have nothing more to say.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        async with asyncio.timeout(10):
            while not Spy.made[0]._is_over:
                await asyncio.sleep(0)
        release.set()

    assert log == ["slow"]
    assert Spy.writes == []


async def test_only_what_has_a_direct_door_is_served_by_it() -> None:
    """A class that serves in its own way, and whatever is put around an application, is asked as ASGI says."""

    class Own(FastAPI):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await super().__call__(scope, receive, send)

    async def around(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    app = FastAPI()

    assert door_of(app) == app.serve_direct
    assert door_of(Own()) is None
    assert door_of(around) is None


def door_of(app: Any) -> Any:
    """Ask a protocol by which door it serves an application."""
    config = uvicorn.Config(app, http=HTTPProtocol, ws="none", log_config=None)
    config.load()
    return Service(config, ServerState(), {}, asyncio.get_event_loop()).direct_door()


async def test_an_application_whose_class_has_another_call_by_now_has_no_direct_door(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """New Relic and its like put themselves there."""
    own = FastAPI.__call__

    async def watched(self: Any, scope: Any, receive: Any, send: Any) -> None:
        await own(self, scope, receive, send)

    monkeypatch.setattr(FastAPI, "__call__", watched)

    assert door_of(FastAPI()) is None


async def test_middleware_is_not_passed_by() -> None:
    """With middleware the same protocol serves through it."""
    app = application()

    @app.middleware("http")
    async def sign(request: Request, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["x-signed"] = "yes"
        return response

    async with served(app) as port:
        received = await exchange(port, request("GET /plain"))

    assert b"x-signed: yes" in received

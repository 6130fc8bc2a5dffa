"""What becomes of connections: turns, ends, flow control, the server's shutdown, and other protocols."""

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import connect

from slipstream import APIRouter, Depends, FastAPI, Request, WebSocket
from slipstream.limits import Limits
from slipstream.responses import PlainTextResponse, StreamingResponse
from slipstream.server.service import MOST_IN_PLACE
from slipstream.server.websockets import WebSocketProtocol
from tests.server.test_http import served
from tests.server.wire import Connection, configured, statuses

pytestmark = pytest.mark.anyio

variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)


def get(path: str = "/", *headers: str) -> bytes:
    """Write a request."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: a", *headers, "", ""]).encode()


class Application:
    """An application whose requests can be held up, and that notes what it sees."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.reached = asyncio.Event()
        self.seen: list[Any] = []
        self.app = app = FastAPI()

        @app.get("/")
        async def home() -> int:
            self.seen.append("home")
            return len(self.seen)

        @app.get("/slow")
        async def slow() -> str:
            self.seen.append("slow")
            self.reached.set()
            await self.release.wait()
            return "slow"

        @app.get("/variable")
        async def count() -> int:
            variable.set(variable.get() + 1)
            await asyncio.sleep(0)
            return variable.get()

        @app.get("/left")
        async def left(request: Request) -> PlainTextResponse:
            self.reached.set()
            while not await request.is_disconnected():
                await asyncio.sleep(0)
            self.seen.append("left")
            return PlainTextResponse("still here?")

        @app.get("/breaks")
        async def breaks() -> StreamingResponse:
            async def parts() -> AsyncIterator[bytes]:
                yield b"a"
                raise LookupError("trouble")

            return StreamingResponse(parts())

        @app.get("/first")
        async def first() -> StreamingResponse:
            async def parts() -> AsyncIterator[bytes]:
                yield b"first"
                self.reached.set()
                await self.release.wait()
                yield b"second"

            return StreamingResponse(parts())

        @app.get("/many")
        async def many() -> StreamingResponse:
            async def parts() -> AsyncIterator[bytes]:
                for number in range(1000):
                    self.seen.append(number)
                    yield b"x" * 1000

            return StreamingResponse(parts())

        @app.websocket("/echo")
        async def echo(websocket: WebSocket) -> None:
            await websocket.accept()
            async for text in websocket.iter_text():
                await websocket.send_text(text)


@pytest.fixture
async def application() -> Application:
    """Make it where its events belong."""
    return Application()


async def test_requests_of_a_connection_are_served_in_turn(application: Application) -> None:
    """The order of what they do is the client's."""
    connection = Connection(configured(application.app))

    await connection.feed(get("/slow") + get() * 3)
    assert application.seen == ["slow"]
    application.release.set()
    await connection.settle()

    assert application.seen == ["slow", "home", "home", "home"]
    assert statuses(connection.transport.written) == [200] * 4


async def test_no_more_is_read_than_can_be_kept(application: Application) -> None:
    """A client that sends on while its first request is served."""
    connection = Connection(configured(application.app))

    await connection.feed(get("/slow"))
    for _ in range(20):
        if connection.transport.is_paused:
            break
        await connection.feed(get() * 1000)
    assert connection.transport.is_paused
    application.release.set()
    for _ in range(30_000):
        await asyncio.sleep(0)
        if not connection.transport.is_paused:
            break
    await connection.settle()

    assert not connection.transport.is_paused
    assert statuses(connection.transport.written) == [200] * (1 + len(application.seen) - 1)


async def test_others_get_their_turn_in_a_crowd(application: Application) -> None:
    """Many requests that arrive together do not keep the loop."""
    config = configured(application.app)
    first = Connection(config)
    connections = [first, *(Connection(config, first.state) for _ in range(199))]
    turns: list[int] = []
    loop = asyncio.get_running_loop()
    await first.feed(get())
    served_at_once = []

    def arrive() -> None:
        loop.call_soon(lambda: turns.append(len(application.seen)))
        for connection in connections:
            connection.protocol.data_received(get())
        served_at_once.append(len(application.seen) - 1)

    loop.call_soon(arrive)
    for connection in connections:
        await connection.settle()

    assert served_at_once[0] <= MOST_IN_PLACE
    assert turns[0] <= 1 + MOST_IN_PLACE
    assert len(application.seen) == 201
    assert all(statuses(connection.transport.written)[-1] == 200 for connection in connections)


async def test_context_variables_are_a_requests_own(application: Application) -> None:
    """On one connection too."""
    connection = Connection(configured(application.app))

    await connection.feed(get("/variable"), get("/variable") * 2)

    assert connection.transport.written.count(b"\r\n\r\n1") == 3


async def test_a_client_that_closes_its_sending_side_is_answered(application: Application) -> None:
    """As `nc -N` does; RFC 9112, 9.6."""
    async with served(application.app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get("/slow"))
        writer.write_eof()
        await application.reached.wait()
        application.release.set()
        received = await reader.read()
        writer.close()
        await writer.wait_closed()

    assert statuses(received) == [200]


async def test_an_application_is_told_that_its_client_has_left(application: Application) -> None:
    """`is_disconnected` is true then; whoever only closed the sending side gets its answer."""
    async with served(application.app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get("/left"))
        await application.reached.wait()
        assert application.seen == []
        writer.write_eof()
        received = await reader.read()
        writer.close()
        await writer.wait_closed()

    assert application.seen == ["left"]
    assert received.endswith(b"still here?")


async def test_a_response_without_an_end_is_cut(application: Application, caplog: pytest.LogCaptureFixture) -> None:
    """The client must not take it for a whole one."""
    with caplog.at_level(logging.CRITICAL, "uvicorn.error"):
        connection = Connection(configured(application.app))
        await connection.feed(get("/breaks") + get())

    assert connection.fate == "closed"
    assert connection.transport.written.endswith(b"1\r\na\r\n")


async def test_what_is_sent_arrives_before_the_next_wait(application: Application) -> None:
    """The first event of a stream must not stay with the server until the second."""
    connection = Connection(configured(application.app))

    await connection.feed(get("/first"))
    await application.reached.wait()
    await connection.settle()
    assert connection.transport.written.endswith(b"5\r\nfirst\r\n")
    application.release.set()
    await connection.settle()

    assert connection.transport.written.endswith(b"6\r\nsecond\r\n0\r\n\r\n")


async def test_a_stream_waits_for_its_client(application: Application) -> None:
    """What it does not take is not made."""
    connection = Connection(configured(application.app))

    await connection.feed(get("/first"))
    await application.reached.wait()
    connection.protocol.pause_writing()
    application.release.set()
    await connection.settle()
    assert b"second" not in connection.transport.written
    connection.protocol.resume_writing()
    await connection.settle()

    assert b"second" in connection.transport.written


async def test_small_pieces_of_one_turn_are_joined(application: Application) -> None:
    """A system call for each would cost more than the pieces."""
    connection = Connection(configured(application.app))
    writes = []
    write = connection.transport.write
    connection.transport.write = lambda data: (writes.append(len(data)), write(data))[1]  # type: ignore[method-assign]

    await connection.feed(get("/many"))
    while not connection.transport.written.endswith(b"0\r\n\r\n"):
        await asyncio.sleep(0)

    assert len(writes) < 100


async def test_the_end_of_a_connection_ends_its_stream(application: Application) -> None:
    """Nobody reads it any more."""
    connection = Connection(configured(application.app))

    await connection.feed(get("/first"))
    await application.reached.wait()
    connection.end()
    await connection.settle()

    assert connection.state.tasks == set()
    assert connection.state.connections == set()


async def test_a_shutdown_answers_what_is_under_way_and_says_close(application: Application) -> None:
    """What was parsed is served; idle connections end at once."""
    config = configured(application.app)
    busy = Connection(config)
    idle = Connection(config, busy.state)
    await idle.feed(get())
    await busy.feed(get("/slow") + get())

    for connection in (busy, idle):
        connection.protocol.shutdown()
    assert (busy.fate, idle.fate) == ("open", "closed")
    application.release.set()
    await busy.settle()

    assert busy.fate == "closed"
    assert statuses(busy.transport.written)[0] == 200
    assert busy.transport.written.count(b"connection: close\r\n") == 1


async def test_a_request_that_has_half_come_is_served_before_the_end(application: Application) -> None:
    """Its head has been accepted."""
    connection = Connection(configured(application.app))
    await connection.feed(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na")

    connection.protocol.shutdown()
    await connection.feed(b"bc")

    assert statuses(connection.transport.written) == [405]
    assert connection.fate == "closed"


async def test_a_websocket_is_handed_over_with_what_has_come_behind_its_head(application: Application) -> None:
    """A client may send its first message without waiting."""
    key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
    upgrade = get("/echo", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", key)
    frame = b"\x81\x82\0\0\0\0hi"

    for cut in (None, 20, len(upgrade), len(upgrade) + 3):
        async with served(application.app, ws=WebSocketProtocol) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            whole = get() + upgrade + frame
            for piece in (whole[:cut], whole[cut:] if cut else b""):
                writer.write(piece)
                await asyncio.sleep(0.01)
            if cut is None:
                await reader.readuntil(b"\r\n\r\n")
            received = await reader.readuntil(b"\x81\x02hi")
            writer.close()
            await writer.wait_closed()

        assert b"101 Switching Protocols" in received, cut


async def test_websockets_work_through_the_protocol(application: Application) -> None:
    """A usual client, beside requests."""
    async with (
        served(application.app, ws=WebSocketProtocol) as port,
        connect(f"ws://127.0.0.1:{port}/echo", proxy=None) as client,
    ):
        await client.send("a")
        assert await client.recv() == "a"


async def starts_only(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})


async def sends_too_much(scope: Any, receive: Any, send: Any) -> None:
    await starts_only(scope, receive, send)
    await send({"type": "http.response.body", "body": b"abcd"})


async def sends_too_little(scope: Any, receive: Any, send: Any) -> None:
    await starts_only(scope, receive, send)
    await send({"type": "http.response.body", "body": b"a"})


async def answers_twice(scope: Any, receive: Any, send: Any) -> None:
    await starts_only(scope, receive, send)
    await send({"type": "http.response.body", "body": b"abc"})
    await send({"type": "http.response.body", "body": b"abc"})


async def answers_nothing(scope: Any, receive: Any, send: Any) -> None:
    """Return."""


async def sends_a_body_first(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.body", "body": b"abc"})


async def returns_something(scope: Any, receive: Any, send: Any) -> int:
    return 1


@pytest.mark.parametrize(
    ("app", "answers", "fate"),
    [
        (starts_only, b"\r\n\r\n", "closed"),
        (sends_too_much, b"\r\n\r\n", "closed"),
        (sends_too_little, b"\r\n\r\na", "closed"),
        (answers_twice, b"abc", "open"),
        (answers_nothing, b"Internal Server Error", "open"),
        (sends_a_body_first, b"Internal Server Error", "open"),
        (returns_something, b"Internal Server Error", "open"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_an_application_that_breaks_the_rules_breaks_its_own_response(
    app: Any, answers: bytes, fate: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client sees a whole response, or one that is cut; the log says why."""
    for name in ("uvicorn", "uvicorn.error"):  # servers of other tests may have changed them
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
        monkeypatch.setattr(logging.getLogger(name), "disabled", False)
    connection = Connection(configured(app))

    with caplog.at_level(logging.ERROR, "uvicorn.error"):
        await connection.feed(get())

    assert connection.transport.written.endswith(answers)
    assert connection.fate == fate
    assert any(record.name == "uvicorn.error" for record in caplog.records)


async def test_an_application_may_raise_at_once_or_return_any_awaitable(caplog: pytest.LogCaptureFixture) -> None:
    """ASGI says that it is awaited, no more."""

    def raises(scope: Any, receive: Any, send: Any) -> Any:
        raise LookupError("trouble")

    def returns_a_task(scope: Any, receive: Any, send: Any) -> Any:
        return asyncio.ensure_future(answers_twice(scope, receive, send))

    for app, answer in ((raises, b"Internal Server Error"), (returns_a_task, b"abc")):
        connection = Connection(configured(app, interface="asgi3"))
        await connection.feed(get())
        assert connection.transport.written.endswith(answer)


LEVELS = ["application", "router", "route"]


def leaving(policy: str, level: str, seen: list[str], reached: asyncio.Event, release: asyncio.Event) -> FastAPI:
    """Make an application that has a policy at one level."""
    limits = {each: Limits(on_disconnect=policy) if each == level else None for each in LEVELS}
    app, router = FastAPI(limits=limits["application"]), APIRouter(limits=limits["router"])

    async def closing() -> AsyncIterator[None]:
        try:
            yield
        finally:
            seen.append("closed")

    @router.get("/waits", limits=limits["route"], dependencies=[Depends(closing)])
    async def waits() -> int:
        reached.set()
        try:
            await release.wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        seen.append("done")
        return 1

    @router.get("/asks", limits=limits["route"])
    async def asks(request: Request) -> int:
        reached.set()
        await release.wait()
        await request.body()
        seen.append(f"left: {await request.is_disconnected()}")
        return 1

    app.include_router(router)
    return app


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("path", "policy", "found"),
    [
        ("/waits", "cancel", ["cancelled", "closed"]),
        ("/waits", "tell", ["done", "closed"]),
        ("/waits", "ignore", ["done", "closed"]),
        ("/asks", "cancel", []),
        ("/asks", "tell", ["left: True"]),
        ("/asks", "ignore", ["left: False"]),
    ],
)
@pytest.mark.parametrize("is_sure", [True, False], ids=["lost", "end of sending"])
async def test_a_handler_whose_client_leaves_is_cancelled_told_or_neither(
    path: str, policy: str, found: list[str], level: str, *, is_sure: bool
) -> None:
    """By choice of application, router or route; what was opened is closed."""
    seen: list[str] = []
    reached, release = asyncio.Event(), asyncio.Event()
    connection = Connection(configured(leaving(policy, level, seen, reached, release)))
    await connection.feed(get(path))
    await reached.wait()

    if is_sure or not connection.protocol.eof_received():
        connection.end()
    await connection.settle()
    release.set()
    await connection.settle()

    assert seen == found
    assert connection.state.tasks == set()

"""WebSockets over raw sockets: handshakes, close codes, limits and time."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from slipstream import FastAPI, WebSocket
from slipstream._sockets.frames import CLOSE, PING, PONG, mask
from slipstream.server import metrics
from slipstream.server.http import HTTPProtocol
from slipstream.server.limits import VARIABLE
from slipstream.server.websockets import WebSocketProtocol
from tests.server.test_limits import Clock, clock
from tests.server.wire import Connection, configured

pytestmark = pytest.mark.anyio
__all__ = ["clock"]

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = ("Host: a", "Connection: keep-alive, Upgrade", "Upgrade: WebSocket", "Sec-WebSocket-Version: 13", KEY)


def handshake(path: str = "/echo", *more: str, method: str = "GET", lines: tuple[str, ...] = UPGRADE) -> bytes:
    """Write the request of a client."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, *more, "", ""]).encode("latin-1")


def framed(payload: bytes, first: int = 0x81, *, masked: bool = True) -> bytes:
    """Write a frame of a client, of less than 64 KiB."""
    size, key = len(payload), b"\x01\x02\x03\x04" if masked else b""
    bit = 0x80 if masked else 0
    head = bytes((first, bit | size)) if size < 126 else bytes((first, bit | 126)) + size.to_bytes(2)
    return head + key + (mask(payload, key) if masked else payload)


def closing(code: int, reason: bytes = b"") -> bytes:
    """Write a client's close frame."""
    return framed(code.to_bytes(2) + reason, 0x88)


class Application:
    """An application, and what its handlers have seen."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.release = asyncio.Event()
        self.app = app = FastAPI()

        @app.get("/")
        async def home() -> str:
            return "home"

        @app.websocket("/echo")
        async def echo(websocket: WebSocket) -> None:
            self.seen.append(dict(websocket.scope))
            await websocket.accept()
            while (event := await websocket.receive())["type"] == "websocket.receive":
                if (text := event.get("text")) is not None:
                    await websocket.send_text(text)
                else:
                    await websocket.send_bytes(event["bytes"])
            self.seen.append((event["code"], event["reason"]))

        @app.websocket("/raises")
        async def raises(websocket: WebSocket) -> None:
            await websocket.accept()
            raise LookupError("trouble")

        @app.websocket("/raises-before")
        async def raises_before(websocket: WebSocket) -> None:
            raise LookupError("trouble")

        @app.websocket("/returns")
        async def returns(websocket: WebSocket) -> None:
            await websocket.accept()

        @app.websocket("/nothing")
        async def nothing(websocket: WebSocket) -> None: ...

        @app.websocket("/refuses")
        async def refuses(websocket: WebSocket) -> None:
            await websocket.close(4000)

        @app.websocket("/waits")
        async def waits(websocket: WebSocket) -> None:
            await self.release.wait()
            await websocket.accept()

        @app.websocket("/holds")
        async def holds(websocket: WebSocket) -> None:
            await websocket.accept()
            await self.release.wait()


def connected(app: Any, *, limits: dict[str, Any] | None = None, **options: Any) -> Connection:
    """Connect at a transport that is none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, json.dumps({"limits": limits or {}}))
        return Connection(configured(app, ws=WebSocketProtocol, **options))


def frames_in(written: bytes) -> list[tuple[int, bytes]]:
    """Take apart what a server has written behind the head: opcodes and payloads."""
    _, _, rest = written.partition(b"\r\n\r\n")
    found = []
    while rest:
        size, start = rest[1], 2
        if size == 126:
            size, start = int.from_bytes(rest[2:4]), 4
        found.append((rest[0] & 15, rest[start : start + size]))
        rest = rest[start + size :]
    return found


def close_code(written: bytes) -> int:
    """Return the code of the close frame, which has to be the last that was written."""
    opcode, payload = frames_in(written)[-1]
    assert opcode == CLOSE
    return int.from_bytes(payload[:2])


def status(written: bytes) -> int:
    return int(written.split(b" ", 2)[1])


@asynccontextmanager
async def served(app: Any, **options: Any) -> AsyncIterator[int]:
    """Serve by sockets."""
    given = {"lifespan": "off", "log_config": None, "access_log": False, "timeout_graceful_shutdown": 5}
    config = uvicorn.Config(
        app,
        port=0,
        http=HTTPProtocol,
        ws=WebSocketProtocol,  # type: ignore[arg-type]  # any class will do
        **{**given, **options},
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def sent(port: int, *pieces: bytes) -> bytes:
    """Send, and return what comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(20):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        received = await reader.read(-1)
    writer.close()
    return received


# --- handshakes ------------------------------------------------------------------------------------------------------

HANDSHAKES = {
    "a line too long": (handshake("/echo?" + "x" * 9000), 414),
    "a header too long": (handshake("/echo", "Cookie: " + "x" * 9000), 431),
    "a protocol too long": (handshake("/echo", "Sec-WebSocket-Protocol: " + "x" * 9000), 431),
    "too many headers": (handshake("/echo", *(f"x-{n}: y" for n in range(200))), 431),
    "a line of a megabyte": (handshake("/echo?" + "x" * (1 << 20)), 414),
    "no version": (handshake(lines=(*UPGRADE[:3], KEY)), 400),
    "another version": (handshake(lines=(*UPGRADE[:3], "Sec-WebSocket-Version: 8", KEY)), 426),
    "no key": (handshake(lines=UPGRADE[:4]), 400),
    "a short key": (handshake(lines=(*UPGRADE[:4], "Sec-WebSocket-Key: AAAA")), 400),
    "a body": (handshake("/echo", "Content-Length: 3") + b"abc", 400),
    "no host": (handshake(lines=UPGRADE[1:]), 400),
    "no such path": (handshake("/none"), 403),
    "refused": (handshake("/refuses"), 403),
    "a handler that raises": (handshake("/raises-before"), 500),
    "a handler that does not answer": (handshake("/nothing"), 500),
}


@pytest.mark.parametrize("name", HANDSHAKES)
async def test_what_is_no_handshake_gets_an_answer_and_a_close(name: str) -> None:
    """A client that never hears must guess; over sockets, so that the answer is not taken back by a reset."""
    request, expected = HANDSHAKES[name]
    async with served(Application().app) as port:
        received = await sent(port, request)

    head, _, body = received.partition(b"\r\n\r\n")
    assert status(received) == expected
    assert b"\r\nconnection: close" in head.lower()
    assert f"content-length: {len(body)}".encode() in head.lower()
    if expected == 426:
        assert b"\r\nsec-websocket-version: 13" in head


async def test_a_head_may_be_cut_anywhere_and_frames_may_follow_at_once() -> None:
    """TCP may deliver them in any pieces."""
    stream = handshake() + framed(b"one") + framed(b"two")
    app = Application().app

    for at in range(1, len(stream), 3):
        connection = connected(app)
        await connection.feed(stream[:at], stream[at:])
        await connection.feed(closing(1000))
        written = connection.transport.written
        assert status(written) == 101, at
        assert frames_in(written) == [(1, b"one"), (1, b"two"), (CLOSE, b"\x03\xe8")], at
        connection.end()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_other_methods_and_versions_are_served_as_if_they_asked_for_nothing(version: str) -> None:
    """RFC 9110, section 7.8; a WebSocket is asked for by a GET of HTTP/1.1 alone."""
    connection = connected(Application().app)

    method = "GET" if version == "1.0" else "POST"
    await connection.feed(handshake("/", method=method).replace(b"HTTP/1.1", f"HTTP/{version}".encode()))

    assert status(connection.transport.written) == (200 if version == "1.0" else 405)


async def test_a_handshake_behind_requests_waits_for_their_answers() -> None:
    """Answers come in order."""
    connection = connected(Application().app)

    await connection.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + handshake() + framed(b"one"))

    first, _, rest = connection.transport.written.partition(b'"home"')
    assert (status(first), status(rest), frames_in(rest)) == (200, 101, [(1, b"one")])


async def test_an_application_that_does_not_answer_in_time_is_answered_for(clock: Clock) -> None:
    """A client should not wait for ever; what the application sends later is for nobody."""
    made = Application()
    connection = connected(made.app)
    await connection.feed(handshake("/waits"))

    await clock.pass_by(9)
    assert connection.fate == "open"
    await clock.pass_by(3)

    assert status(connection.transport.written) == 503
    assert b"retry-after" in connection.transport.written
    assert connection.fate == "closed"
    before = connection.transport.written
    made.release.set()
    await connection.settle()
    assert connection.transport.written == before


async def test_a_slow_head_is_ended() -> None:
    """As of any request; `test_limits.py` has the rest."""
    connection = connected(Application().app, limits={"head_time": 1})
    await connection.feed(handshake()[:40])

    async with asyncio.timeout(10):
        while connection.fate == "open":
            await asyncio.sleep(0.05)

    assert status(connection.transport.written) == 408


async def test_a_refusal_may_be_any_response() -> None:
    """ASGI's extension `websocket.http.response`, in one piece and in several."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        length = [(b"content-length", b"3")] if scope["path"] == "/length" else []
        await send({"type": "websocket.http.response.start", "status": 401, "headers": [(b"x", b"y"), *length]})
        if scope["path"] == "/pieces":
            await send({"type": "websocket.http.response.body", "body": b"ab", "more_body": True})
            await send({"type": "websocket.http.response.body", "body": b"c"})
        else:
            await send({"type": "websocket.http.response.body", "body": b"abc"})

    found = []
    for path in ("/", "/length", "/pieces"):
        connection = connected(app)
        await connection.feed(handshake(path))
        head, _, body = connection.transport.written.partition(b"\r\n\r\n")
        assert b"\r\nx: y" in head
        assert connection.fate == "closed"
        found.append((status(head), b"chunked" in head, head.count(b"content-length: 3"), body))

    assert found == [(401, False, 1, b"abc")] * 2 + [(401, True, 0, b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")]


# --- close codes -----------------------------------------------------------------------------------------------------

ENDS = {
    "a handler that raises": ("/raises", b"", 1011),
    "a handler that returns": ("/returns", b"", 1000),
    "text that is not UTF-8": ("/echo", framed(b"\xff\xfe"), 1007),
    "parts of text that is not UTF-8": ("/echo", framed(b"\xc3", 0x01) + framed(b"x", 0x80), 1007),
    "no mask": ("/echo", framed(b"x", masked=False), 1002),
    "a reserved bit": ("/echo", framed(b"x", 0xA1), 1002),
    "compressed, though it was not agreed on": ("/echo", framed(b"x", 0xC1), 1002),
    "an unknown opcode": ("/echo", framed(b"x", 0x83), 1002),
    "an unknown control frame": ("/echo", framed(b"x", 0x8B), 1002),
    "a long ping": ("/echo", framed(b"x" * 126, 0x89), 1002),
    "a ping in parts": ("/echo", framed(b"x", 0x09), 1002),
    "a continuation of nothing": ("/echo", framed(b"x", 0x80), 1002),
    "a message within a message": ("/echo", framed(b"x", 0x01) + framed(b"x"), 1002),
    "a message too long": ("/echo", framed(b"x" * 2000), 1009),
    "parts too long": ("/echo", framed(b"x" * 600, 0x01) + framed(b"x" * 600, 0x80), 1009),
    "a length of 2**63": ("/echo", b"\x82\xff\x80" + b"\0" * 7, 1009),
    "a close of one byte": ("/echo", framed(b"x", 0x88), 1002),
    "a close with a code of no meaning": ("/echo", closing(999), 1002),
    "a close with a code that is not sent": ("/echo", closing(1006), 1002),
    "a close with a reason that is not UTF-8": ("/echo", closing(1000, b"\xff"), 1007),
    "a close": ("/echo", closing(4321, b"why"), 4321),
}


@pytest.mark.parametrize("name", ENDS)
async def test_each_end_has_its_code(name: str) -> None:
    """RFC 6455, section 7.4.1."""
    path, stream, code = ENDS[name]
    connection = connected(Application().app, ws_max_size=1000)

    await connection.feed(handshake(path))
    await connection.feed(stream)

    assert close_code(connection.transport.written) == code


async def test_a_close_without_a_code_gets_one_without() -> None:
    """And the application is told 1005 (RFC 6455, section 7.1.5)."""
    made = Application()
    connection = connected(made.app)

    await connection.feed(handshake(), framed(b"", 0x88))

    assert frames_in(connection.transport.written) == [(CLOSE, b"")]
    assert made.seen[1:] == [(1005, "")]
    assert connection.fate == "closed"


async def test_what_breaks_the_protocol_can_read_why_over_sockets() -> None:
    """Though much more of it is under way: closing over unread bytes would take the close frame back."""
    async with served(Application().app, ws_max_size=1000) as port:
        received = await sent(port, handshake(), b"\x82\xff" + (1 << 19).to_bytes(8) + b"x" * (1 << 19))

    assert close_code(received) == 1009


async def test_the_server_tells_all_when_it_stops() -> None:
    """1012, spread over time, and waits for their answers."""
    made, received = Application(), []

    async def client(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(handshake())
        head = await reader.readuntil(b"\r\n\r\n")
        opened.release()
        frame = await reader.readexactly(4)
        writer.write(closing(1012))
        assert await reader.read() == b""
        received.append(close_code(head + frame))
        writer.close()

    opened = asyncio.Semaphore(0)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group, served(made.app) as port:
        for _ in range(20):
            group.create_task(client(port))
        for _ in range(20):
            await opened.acquire()
        assert metrics()["websockets"] >= 20

    assert received == [1012] * 20
    assert made.seen.count((1012, "")) == 20


async def test_a_stop_answers_handshakes_that_are_open() -> None:
    """503 with a Retry-After, since nobody will answer them."""
    connection = connected(Application().app)
    await connection.feed(handshake("/waits"))

    connection.transport.protocol.shutdown()

    assert status(connection.transport.written) == 503
    assert connection.fate == "closed"


async def test_sockets_are_connections_for_the_limits() -> None:
    """One more gets a 503, as any connection does, until one has ended."""
    app = Application().app
    first = connected(app, limits={"connections": 1})
    await first.feed(handshake())

    def another() -> Connection:
        config = first.protocol.service.config
        return Connection(config, first.state)

    assert metrics()["websockets"] >= 1
    assert status(another().transport.written) == 503
    first.end()
    assert another().fate == "open"


async def test_a_handshake_beyond_the_limit_of_requests_gets_a_503() -> None:
    """As a request does."""
    made = Application()
    connection = connected(made.app, limit_concurrency=1)

    await connection.feed(handshake())

    assert status(connection.transport.written) == 503


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("origin", "expected"), [("https://a.example", 101), ("https://b.example", 403), ("", 101)])
async def test_origins_are_checked_before_the_application_is_asked(origin: str, expected: int) -> None:
    """With or without cookies."""
    made = Application()
    connection = connected(made.app, limits={"websocket_origins": ["https://a.example"]})

    await connection.feed(handshake("/echo", *([f"Origin: {origin}"] if origin else [])))

    assert status(connection.transport.written) == expected
    assert len(made.seen) == (expected == 101)


@pytest.mark.parametrize(("said", "scheme"), [("https", "wss"), ("wss", "wss"), ("http", "ws"), ("ftp", "ws")])
async def test_a_trusted_proxy_says_client_and_scheme(said: str, scheme: str) -> None:
    """As for HTTP."""
    made = Application()
    connection = connected(made.app, proxy_headers=True, forwarded_allow_ips="127.0.0.1")

    await connection.feed(handshake("/echo?a=%20", f"X-Forwarded-Proto: {said}", "X-Forwarded-For: 1.2.3.4"))

    scope = made.seen[0]
    assert (scope["scheme"], scope["client"], scope["query_string"]) == (scheme, ("1.2.3.4", 0), b"a=%20")
    assert "method" not in scope


async def test_pings_are_sent_and_their_pongs_awaited(clock: Clock) -> None:
    """A client that is gone without a word is found."""
    made = Application()
    connection = connected(made.app, ws_ping_interval=20, ws_ping_timeout=5)
    await connection.feed(handshake())

    await clock.pass_by(22)
    ((opcode, payload),) = frames_in(connection.transport.written)
    assert opcode == PING
    await connection.feed(framed(b"late", 0x8A), framed(payload, 0x8A))
    await clock.pass_by(22)
    assert [each for each, _ in frames_in(connection.transport.written)] == [PING, PING]
    await clock.pass_by(7)

    assert close_code(connection.transport.written) == 1011
    assert connection.fate == "closed"
    await connection.settle()
    assert made.seen[1:] == [(1011, "keepalive ping timeout")]


@pytest.mark.parametrize("interval", [None, 0])
async def test_there_need_be_no_pings(interval: float | None, clock: Clock) -> None:
    """`--ws-ping-interval 0`."""
    connection = connected(Application().app, ws_ping_interval=interval)
    await connection.feed(handshake())

    await clock.pass_by(100)

    assert frames_in(connection.transport.written) == []
    assert connection.fate == "open"


async def test_pings_are_answered() -> None:
    """Also within a message that comes in parts."""
    connection = connected(Application().app)

    await connection.feed(handshake(), framed(b"a", 0x01), framed(b"hi", 0x89), framed(b"b", 0x80))

    assert frames_in(connection.transport.written) == [(PONG, b"hi"), (1, b"ab")]


async def test_a_client_that_never_answers_a_close_is_cut(clock: Clock) -> None:
    """Or it would hold the connection for ever."""
    connection = connected(Application().app)
    await connection.feed(handshake("/returns"))
    assert connection.fate == "open"

    await clock.pass_by(12)

    assert connection.transport.is_aborted


async def test_a_client_that_takes_nothing_is_cut(clock: Clock) -> None:
    """`write_time`, as for HTTP."""
    connection = connected(Application().app)
    await connection.feed(handshake())
    connection.transport.buffered = 100_000

    await clock.pass_by(13)

    assert connection.transport.is_aborted


# --- the application's side ------------------------------------------------------------------------------------------


def calling(*events: dict[str, Any]) -> tuple[Any, list[str]]:
    """Make an application that sends events, and keep what sending them raises."""
    raised: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        for event in events:
            try:
                await send(event)
            except Exception as error:
                raised.append(f"{type(error).__name__}: {error}")

    return app, raised


ACCEPT = {"type": "websocket.accept"}
SEND = {"type": "websocket.send", "text": "text"}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([SEND], ["RuntimeError: Expected ASGI message 'websocket.accept'"]),
        ([ACCEPT, ACCEPT], ["RuntimeError: Expected ASGI message 'websocket.send'"]),
        ([ACCEPT, {"type": "websocket.send"}, {**SEND, "text": None, "bytes": None}], []),
        (
            [ACCEPT, {"type": "websocket.close"}, SEND],
            ["RuntimeError: Unexpected ASGI message 'websocket.send', after sending 'websocket.close'."],
        ),
        ([{"type": "websocket.close"}, SEND], ["ClientGone: "]),
        (
            [{"type": "websocket.http.response.start", "status": 401}, SEND],
            ["RuntimeError: Expected ASGI message 'websocket.http.response.body'"],
        ),
        ([{**ACCEPT, "headers": [(b"x", b"a\r\nb: c")]}], ["RuntimeError: Invalid HTTP header value."]),
    ],
)
async def test_events_out_of_order_are_errors_of_the_application(
    events: list[dict[str, Any]], expected: list[str]
) -> None:
    """As ASGI's specification has the order."""
    app, raised = calling(*events)
    connection = connected(app)

    await connection.feed(handshake())

    assert [said[: len(each)] for said, each in zip(raised, expected, strict=True)] == expected


async def test_a_sender_waits_while_the_client_takes_nothing() -> None:
    """And is told when the client has left meanwhile, without an error in the log."""
    full = connected(Application().app)
    await full.feed(handshake())
    full.transport.protocol.pause_writing()
    await full.feed(framed(b"one"))
    assert frames_in(full.transport.written) == []
    full.transport.protocol.resume_writing()
    await full.settle()
    assert frames_in(full.transport.written) == [(1, b"one")]
    full.transport.protocol.pause_writing()
    await full.feed(framed(b"two"))
    full.end()
    await full.settle()
    assert frames_in(full.transport.written) == [(1, b"one")]


async def test_pings_of_a_client_that_takes_nothing_are_not_answered() -> None:
    """Or their answers would fill the memory."""
    connection = connected(Application().app)
    await connection.feed(handshake())
    connection.transport.protocol.pause_writing()

    await connection.feed(framed(b"hi", 0x89) * 1000)

    assert frames_in(connection.transport.written) == []


async def test_what_comes_before_the_answer_is_bounded() -> None:
    """And is there when the application has accepted."""
    made = Application()
    connection = connected(made.app)
    await connection.feed(handshake("/waits"))

    for _ in range(2):
        await connection.feed(framed(b"x" * 60_000))
    assert connection.transport.is_paused
    made.release.set()
    await connection.settle()

    assert not connection.transport.is_paused
    assert close_code(connection.transport.written) == 1000


async def test_a_handler_that_the_server_cancels_closes_with_1012() -> None:
    """When its time to stop is over."""
    connection = connected(Application().app)
    await connection.feed(handshake("/holds"))

    for task in connection.state.tasks:
        task.cancel()
    await connection.settle()

    assert close_code(connection.transport.written) == 1012


async def test_dropped_bytes_are_bounded() -> None:
    """Of a client that has broken the protocol, and goes on."""
    connection = connected(Application().app)
    await connection.feed(handshake(), framed(b"\xff"))
    assert not connection.transport.is_aborted

    for _ in range(20):
        await connection.feed(bytes(60_000))

    assert connection.transport.is_aborted

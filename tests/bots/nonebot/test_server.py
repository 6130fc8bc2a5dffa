"""What handlers of NoneBot's are given by our server, and what becomes of their answers."""

import asyncio
import contextvars
import json
from typing import Any

import pytest
from nonebot.drivers import URL, HTTPServerSetup, HTTPVersion, Request, Response, WebSocketServerSetup
from nonebot.exception import WebSocketClosed
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from slipstream import Depends
from slipstream.bots.nonebot import Driver
from slipstream.bots.nonebot.websockets import WebSocketEndpoint
from slipstream.server.websockets import WebSocketProtocol
from slipstream.testclient import TestClient
from tests.loops import run
from tests.peers import served

from .conftest import Make
from .support import connect

FAST = {"ws": WebSocketProtocol, "ws_per_message_deflate": False}
SERVERS = pytest.mark.parametrize(
    "options", [FAST, {"ws": WebSocketProtocol}, {}], ids=["ours", "ours, deflate", "uvicorn's"]
)


class Seen:
    """A handler that keeps what it was given."""

    def __init__(self, answer: Response | None = None) -> None:
        self.requests: list[Request] = []
        self.answer = answer or Response(200, content="ok")

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        return self.answer


def serve_http(driver: Driver, path: str, method: str, handler: Any) -> None:
    """Set up an HTTP handler."""
    driver.setup_http_server(HTTPServerSetup(URL(path), method, f"{method} {path}", handler))


def serve_ws(driver: Driver, path: str, handler: Any) -> None:
    """Set up a WebSocket handler."""
    driver.setup_websocket_server(WebSocketServerSetup(URL(path), f"ws {path}", handler))


def test_a_handler_sees_the_whole_request(driver: Driver) -> None:
    """Adapters check signatures over the bytes, and read any header."""
    seen = Seen()
    serve_http(driver, "/hook", "POST", seen)

    with TestClient(driver.asgi, base_url="http://bot.example:8080") as client:
        client.cookies.set("session", "s1")
        client.post("/hook?a=1&a=2", content=b"\xff\x00", headers=[("X-Twice", "1"), ("X-Twice", "2")])

    request = seen.requests[0]
    assert (request.method, str(request.url)) == ("POST", "http://bot.example:8080/hook?a=1&a=2")
    assert request.headers.getall("x-twice") == ["1", "2"]
    assert request.cookies["session"] == "s1"
    assert request.content == b"\xff\x00"
    assert (request.json, request.data, request.files) == (None, {}, None)
    assert request.version is HTTPVersion.H11


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None])
def test_json_is_read_whatever_its_type(driver: Driver, content_type: str | None) -> None:
    """Platforms are careless with types."""
    seen = Seen()
    serve_http(driver, "/hook", "POST", seen)

    with TestClient(driver.asgi) as client:
        client.post("/hook", content=b'{"a": 1}', headers={"content-type": content_type} if content_type else {})

    assert seen.requests[0].json == {"a": 1}


def test_a_deeply_nested_body_is_no_json(driver: Driver) -> None:
    """A peer must not bring the bot down with brackets."""
    seen = Seen()
    serve_http(driver, "/hook", "POST", seen)

    with TestClient(driver.asgi) as client:
        client.post("/hook", content=b"[" * 100_000)

    assert seen.requests[0].json is None


def test_forms_and_files_are_read(driver: Driver) -> None:
    """A file stays readable after the answer, for the tasks that a handler starts."""
    seen = Seen()
    serve_http(driver, "/hook", "POST", seen)

    with TestClient(driver.asgi) as client:
        client.post("/hook", data={"a": "1"}, files={"f": ("f.txt", b"content", "text/plain")})
        client.post("/hook", data={"a": "2"})
        client.post("/hook", content=b"--", headers={"content-type": "multipart/form-data; boundary=x"})

    first, second, broken = seen.requests
    assert first.data == {"a": "1"}
    assert first.files is not None
    name, (filename, file, content_type) = first.files[0]
    assert (name, filename, content_type) == ("f", "f.txt", "text/plain")
    assert not isinstance(file, bytes)
    assert file.read() == b"content"
    assert second.data == {"a": "2"}
    assert broken.content == b"--"


def test_an_answer_keeps_its_status_its_headers_and_its_body(driver: Driver) -> None:
    """Two cookies are two headers."""
    headers = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Type", "text/x-own")]
    serve_http(driver, "/hook", "GET", Seen(Response(418, headers=headers, content=b"\x00tea")))
    serve_http(driver, "/empty", "GET", Seen(Response(204)))

    with TestClient(driver.asgi) as client:
        answer, empty = client.get("/hook"), client.get("/empty")

    assert (answer.status_code, answer.content) == (418, b"\x00tea")
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert answer.headers.get_list("content-type") == ["text/x-own"]
    assert answer.headers["content-length"] == "4"
    assert (empty.status_code, empty.content) == (204, b"")


def test_a_line_break_in_a_header_is_refused(driver: Driver) -> None:
    """What a peer sends and a handler echoes must not become headers of its own."""
    serve_http(driver, "/hook", "GET", Seen(Response(200, headers={"X-Echo": "a\r\nSet-Cookie: b=1"})))

    with TestClient(driver.asgi, raise_server_exceptions=False) as client:
        answer = client.get("/hook")

    assert answer.status_code == 500
    assert "set-cookie" not in answer.headers


def test_paths_with_and_without_a_slash_are_two_and_one_path_serves_both_kinds(driver: Driver) -> None:
    """OneBot's adapter registers all of these."""
    bare, slashed, put = Seen(Response(200, content="bare")), Seen(Response(200, content="slashed")), Seen()
    serve_http(driver, "/x", "POST", bare)
    serve_http(driver, "/x/", "POST", slashed)
    serve_http(driver, "/x", "PUT", put)

    async def handler(link: Any) -> None:
        await link.accept()
        await link.send("both")

    serve_ws(driver, "/x", handler)

    with TestClient(driver.asgi) as client:
        assert client.post("/x").text == "bare"
        assert client.post("/x/").text == "slashed"
        assert client.put("/x").text == "ok"
        assert client.get("/x").status_code == 405
        assert client.post("/y").status_code == 404
        with client.websocket_connect("/x") as link:
            assert link.receive_text() == "both"


def test_a_handler_can_be_added_while_the_server_runs(driver: Driver) -> None:
    """Adapters may learn of an account late."""
    with TestClient(driver.asgi) as client:
        assert client.post("/late").status_code == 404
        serve_http(driver, "/late", "POST", Seen())
        serve_ws(driver, "/late", lambda link: link.close())

        assert client.post("/late").status_code == 200


def test_adapter_routes_are_in_the_document_unless_the_setting_says_no(make: Make) -> None:
    """A method that OpenAPI has no word for stays out."""
    for wanted in (True, False):
        driver = make(fastapi_openapi_url="/openapi.json", fastapi_include_adapter_schema=wanted)
        serve_http(driver, "/hook", "POST", Seen())
        serve_http(driver, "/dav", "PROPFIND", Seen())

        with TestClient(driver.asgi) as client:
            paths = client.get("/openapi.json").json()["paths"]
            assert client.request("PROPFIND", "/dav").status_code == 200

        assert list(paths) == (["/hook"] if wanted else [])


def test_settings_reach_the_application(make: Make) -> None:
    """`fastapi_extra` is handed on; `type` is what the setting says."""
    driver = make(fastapi_extra={"title": "My bot"}, slipstream_type="fastapi", fastapi_openapi_url="/o.json")

    assert (driver.type, driver.server_app.title) == ("fastapi", "My bot")
    assert driver.asgi is driver.server_app


def test_hooks_run_in_order_and_the_task_group_is_there_first(driver: Driver) -> None:
    """Adapters start tasks in their hooks; shutdown goes backwards."""
    log: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            log.append("task cancelled")

    @driver.on_startup
    def _() -> None:
        log.append("start 1")

    @driver.on_startup
    async def _() -> None:
        driver.task_group.start_soon(forever)
        log.append("start 2")

    driver._lifespan.on_ready(lambda: log.append("ready"))
    driver.on_shutdown(lambda: log.append("stop 1"))
    driver.on_shutdown(lambda: log.append("stop 2"))

    for _round in range(2):
        with TestClient(driver.asgi):
            log.append("serving")

    once = ["start 1", "start 2", "ready", "serving", "stop 2", "stop 1", "task cancelled"]
    assert log == once * 2


def test_a_failing_start_ends_the_tasks_that_others_have_begun(driver: Driver) -> None:
    """The failure is what is seen, not what it leaves behind."""
    ended = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    @driver.on_startup
    async def _() -> None:
        driver.task_group.start_soon(forever)
        await asyncio.sleep(0)

    @driver.on_startup
    async def _() -> None:
        raise RuntimeError("no such account")

    with pytest.raises(RuntimeError, match="no such account"), TestClient(driver.asgi):
        pass

    assert ended == [True]


@SERVERS
def test_messages_of_both_kinds_go_both_ways(driver: Driver, options: dict[str, Any]) -> None:
    """In fragments too, and larger than one read."""
    big = "é" * 300_000

    async def handler(link: Any) -> None:
        assert link.request.headers["x-self-id"] == "1"
        await link.accept()
        for _ in range(4):
            await link.send(await link.receive())
        await link.send(await link.receive_text())
        await link.send(await link.receive_bytes())
        with pytest.raises(TypeError):
            await link.receive_text()
        with pytest.raises(TypeError):
            await link.receive_bytes()
        await link.close(4000, "done")

    serve_ws(driver, "/ws", handler)

    async def scenario() -> None:
        async with served(driver.asgi, **options) as port:
            url = f"ws://127.0.0.1:{port}/ws"
            async with connect(url, additional_headers={"X-Self-ID": "1"}, proxy=None) as link:
                for message in ("text", b"bytes", big, ""):
                    await link.send(message)
                    assert await link.recv() == message
                await link.send(["in ", "three ", "parts"])
                assert await link.recv() == "in three parts"
                await link.send([b"in ", b"two"])
                assert await link.recv() == b"in two"
                await link.send(b"not text")
                await link.send("not bytes")
                with pytest.raises(ConnectionClosed):
                    await link.recv()
                assert (link.close_code, link.close_reason) == (4000, "done")

    run(scenario())


@SERVERS
def test_the_end_says_code_and_reason_to_all_who_wait_and_ever_after(driver: Driver, options: dict[str, Any]) -> None:
    """A send to who has left says the same."""
    ends: asyncio.Queue[Any] = asyncio.Queue()

    async def handler(link: Any) -> None:
        await link.accept()
        await link.send("go")
        for act in (link.receive, link.receive, lambda: link.send("x"), lambda: link.send(b"x")):
            with pytest.raises(WebSocketClosed) as closed:
                await act()
            ends.put_nowait((closed.value.code, closed.value.reason))
        assert link.closed
        await link.close()

    serve_ws(driver, "/ws", handler)

    async def scenario() -> None:
        async with served(driver.asgi, **options) as port:
            async with connect(f"ws://127.0.0.1:{port}/ws", proxy=None) as link:
                assert await link.recv() == "go"
                await link.close(4321, "enough")
            assert [await ends.get() for _ in range(4)] == [(4321, "enough")] * 4

    run(scenario())


def test_a_peer_that_vanishes_leaves_1006(driver: Driver) -> None:
    """No close frame came, and nothing must say that one did."""
    ended: asyncio.Queue[Any] = asyncio.Queue()

    async def handler(link: Any) -> None:
        await link.accept()
        await link.send("go")

        async def wait() -> None:
            with pytest.raises(WebSocketClosed) as closed:
                await link.receive()
            ended.put_nowait(closed.value.code)

        async with asyncio.TaskGroup() as group:
            group.create_task(wait())
            group.create_task(wait())

    serve_ws(driver, "/ws", handler)

    async def scenario() -> None:
        async with served(driver.asgi, **FAST) as port:
            link = await connect(f"ws://127.0.0.1:{port}/ws", proxy=None)
            await link.recv()
            link.transport.abort()

            assert [await ended.get(), await ended.get()] == [1006, 1006]
            await link.wait_closed()

    run(scenario())


@SERVERS
def test_a_handler_that_closes_or_fails_before_it_accepts_refuses(driver: Driver, options: dict[str, Any]) -> None:
    """The peer sees an HTTP answer and no upgrade."""

    async def refuse(link: Any) -> None:
        await link.close(1008, "who are you")

    async def fail(link: Any) -> None:
        raise RuntimeError("broken")

    async def forget(link: Any) -> None:
        pass

    serve_ws(driver, "/refuse", refuse)
    serve_ws(driver, "/fail", fail)
    serve_ws(driver, "/forget", forget)

    async def scenario() -> None:
        async with served(driver.asgi, **options) as port:
            for path, status in (("refuse", 403), ("fail", 500), ("forget", 403), ("nowhere", 403)):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(f"ws://127.0.0.1:{port}/{path}", proxy=None)
                assert refused.value.response.status_code == status

    run(scenario())


@SERVERS
def test_a_handler_that_fails_later_ends_with_1011_and_one_that_returns_with_1000(
    driver: Driver, options: dict[str, Any]
) -> None:
    """The peer learns whose fault it was."""

    async def fail(link: Any) -> None:
        await link.accept()
        raise RuntimeError("broken")

    async def leave(link: Any) -> None:
        await link.accept()

    serve_ws(driver, "/fail", fail)
    serve_ws(driver, "/leave", leave)

    async def scenario() -> None:
        async with served(driver.asgi, **options) as port:
            for path, code in (("fail", 1011), ("leave", 1000)):
                async with connect(f"ws://127.0.0.1:{port}/{path}", proxy=None) as link:
                    await link.wait_closed()
                    assert link.close_code == code

    run(scenario())


def test_a_handler_is_cancelled_with_its_connection_and_sees_its_context(driver: Driver) -> None:
    """It has a task of its own, of which nobody else must know."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    seen: list[Any] = []

    async def handler(link: Any) -> None:
        seen.append(variable.get())
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def nothing(*_: Any) -> Any:
        raise AssertionError("the handler neither accepts nor closes")

    async def scenario() -> None:
        variable.set("set by a middleware")
        scope = {"type": "websocket", "path": "/ws", "query_string": b"", "headers": [(b"host", b"bot.example")]}
        serving = asyncio.create_task(WebSocketEndpoint(handler)(scope, nothing, nothing))
        while not seen:
            await asyncio.sleep(0)
        serving.cancel()
        await asyncio.wait([serving])
        assert serving.cancelled()

    run(scenario())
    assert seen == ["set by a middleware", "cancelled"]


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=True), 1007),
        (Frame(Opcode.TEXT, b"bare").serialize(mask=False), 1002),
        (b"\x82\xff" + (2**24 + 1).to_bytes(8) + b"mask", 1009),
        (b"\xc1\x80mask", 1002),
    ],
    ids=["not UTF-8", "not masked", "too long", "reserved bit"],
)
def test_what_breaks_the_protocol_ends_the_connection_with_its_code(driver: Driver, frame: bytes, code: int) -> None:
    """As the RFC has it, and as the library beneath would alone."""
    ended: asyncio.Queue[int] = asyncio.Queue()

    async def handler(link: Any) -> None:
        await link.accept()
        with pytest.raises(WebSocketClosed) as closed:
            await link.receive()
        ended.put_nowait(closed.value.code)

    serve_ws(driver, "/ws", handler)

    async def scenario() -> None:
        async with served(driver.asgi, **FAST) as port, connect(f"ws://127.0.0.1:{port}/ws", proxy=None) as link:
            link.transport.write(frame)
            await link.wait_closed()
            assert link.close_code == code
            assert await ended.get() == code

    run(scenario())


def test_a_flood_waits_in_the_socket_and_none_of_it_is_lost(driver: Driver) -> None:
    """Reading stops at a bound, so memory does."""
    begin = asyncio.Event()
    most = 0

    async def handler(link: Any) -> None:
        nonlocal most
        await link.accept()
        await begin.wait()
        for number in range(2000):
            most = max(most, len(link._wire.queue))
            assert json.loads(await link.receive())[0] == number
        await link.send("all")

    serve_ws(driver, "/ws", handler)

    async def scenario() -> None:
        options = {**FAST, "ws_max_queue": 16}
        async with served(driver.asgi, **options) as port, connect(f"ws://127.0.0.1:{port}/ws", proxy=None) as link:
            for number in range(2000):
                await link.send(json.dumps([number, "x" * 1000]))
                if number == 500:
                    begin.set()
            assert await link.recv() == "all"
            assert most < 500  # 16, and what one read of the socket brings

    run(scenario())


def test_dependencies_of_the_application_hold_for_handlers_too(make: Make) -> None:
    """They are how a user guards the whole server."""
    calls = []

    def guard() -> None:
        calls.append("guard")

    driver = make(fastapi_extra={"dependencies": [Depends(guard)]})
    serve_http(driver, "/x", "POST", Seen())

    async def handler(link: Any) -> None:
        await link.accept()
        await link.send(await link.receive())

    serve_ws(driver, "/x", handler)

    with TestClient(driver.asgi) as client:
        client.post("/x")
        with client.websocket_connect("/x") as link:
            link.send_bytes(b"round")
            assert link.receive_bytes() == b"round"

    assert calls == ["guard", "guard"]


def test_middleware_sees_every_message_all_the_same(driver: Driver) -> None:
    """The short way past ASGI is for when nobody stands there."""
    seen: list[str] = []

    class Counting:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def counted_receive() -> Any:
                message = await receive()
                seen.append(message["type"])
                return message

            async def counted_send(message: Any) -> None:
                seen.append(message["type"])
                await send(message)

            await self.app(scope, counted_receive, counted_send)

    async def handler(link: Any) -> None:
        await link.accept()
        await link.send(await link.receive())
        with pytest.raises(WebSocketClosed):
            await link.receive()
        with pytest.raises(WebSocketClosed):
            await link.send("late")

    driver.server_app.add_middleware(Counting)
    serve_ws(driver, "/ws", handler)

    async def scenario() -> None:
        options = {**FAST, "lifespan": "off"}
        async with served(driver.asgi, **options) as port, connect(f"ws://127.0.0.1:{port}/ws", proxy=None) as link:
            await link.send("hello")
            assert await link.recv() == "hello"

    run(scenario())
    names = [name.partition(".")[2] for name in seen]
    assert names == ["connect", "accept", "receive", "send", "disconnect"]


def test_a_peer_that_leaves_before_it_is_accepted_ends_the_handler(driver: Driver) -> None:
    """The handler is told, and nothing is left hanging."""

    async def scenario() -> None:
        told: list[Any] = []

        async def handler(link: Any) -> None:
            try:
                await link.accept()
            except WebSocketClosed as closed:
                told.append(closed.code)
                raise

        serve_ws(driver, "/ws", handler)
        events = iter([{"type": "websocket.disconnect", "code": 1006}])

        async def receive() -> Any:
            return next(events)

        async def send(message: Any) -> None:
            raise AssertionError(message)

        scope = {"type": "websocket", "path": "/ws", "headers": [], "query_string": b"", "server": ("x", 1)}
        await driver.asgi(scope, receive, send)

        assert told == [1006]

    run(scenario())

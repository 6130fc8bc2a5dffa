"""WebSockets of NoneBot's, opened by our client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from nonebot.drivers import Request, Timeout
from nonebot.exception import WebSocketClosed
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode

from slipstream.bots.nonebot import Config, Driver, websockets
from slipstream.bots.nonebot.websockets import connect_options
from tests.loops import run

from .conftest import Make
from .support import serve


@pytest.fixture(params=["ours", "the library's"], autouse=True)
def connection(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dial with connections of ours, and with the library's own, as where the library is another inside."""
    if request.param != "ours":
        monkeypatch.setattr(websockets, "connection_type", lambda: ClientConnection)


@contextlib.asynccontextmanager
async def peer(handler: Callable[[Any], Any], **options: Any) -> AsyncIterator[str]:
    """Serve WebSockets with a handler; yield the address."""
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/path"


async def parrot(link: Any) -> None:
    """Say back what is said."""
    async for message in link:
        await link.send(message)


@pytest.mark.parametrize("compression", [False, True])
def test_messages_of_both_kinds_go_both_ways(make: Make, compression: bool) -> None:
    """In fragments too, and larger than one read."""
    driver = make(slipstream_ws_compression=compression)
    big = "é" * 300_000

    async def parts(link: Any) -> None:
        await link.send(["in ", "three ", "parts"])
        await link.send([b"in ", b"two"])
        await parrot(link)

    async def scenario() -> None:
        async with peer(parts) as url, driver.websocket(Request("GET", url)) as link:
            assert await link.receive() == "in three parts"
            assert await link.receive_bytes() == b"in two"
            for message in ("text", b"bytes", big, b"", "", big.encode()):
                await link.send(message)
                assert await link.receive() == message
            await link.send("text")
            with pytest.raises(TypeError):
                await link.receive_bytes()
            await link.send(b"bytes")
            with pytest.raises(TypeError):
                await link.receive_text()
            assert not link.closed

    run(scenario())


def test_the_handshake_carries_what_the_request_says(driver: Driver) -> None:
    """One Host, one key, and the headers of the request beside them."""
    seen: list[Any] = []

    async def look(link: Any) -> None:
        seen.append(link.request)

    async def scenario() -> None:
        async with peer(look, subprotocols=["12.onebot"]) as url:
            headers = [
                ("X-Twice", "1"),
                ("X-Twice", "2"),
                ("Host", "elsewhere.example"),
                ("Sec-WebSocket-Protocol", "11.onebot, 12.onebot"),
                ("User-Agent", "Bot/1"),
            ]
            request = Request("GET", url, params={"q": "ü"}, headers=headers, cookies={"k": "v"})
            async with driver.websocket(request) as link:
                assert link.websocket.subprotocol == "12.onebot"  # type: ignore[attr-defined]
                with pytest.raises(NotImplementedError):
                    await link.accept()

    run(scenario())
    got = seen[0].headers
    assert seen[0].path == "/path?q=%C3%BC"
    assert got.get_all("X-Twice") == ["1", "2"]
    assert len(got.get_all("Host")) == 1
    assert got.get_all("User-Agent") == ["Bot/1"]
    assert got["Cookie"] == "k=v"


def test_a_refusal_is_an_exception(driver: Driver) -> None:
    """It says with which status."""

    def refuse(connection: Any, request: Any) -> Any:
        return connection.respond(401, "no")

    async def scenario() -> None:
        async with peer(parrot, process_request=refuse) as url:
            with pytest.raises(InvalidStatus) as refused:
                async with driver.websocket(Request("GET", url)):
                    pass
            assert refused.value.response.status_code == 401

    run(scenario())


@pytest.mark.parametrize("status", [302, 308])
def test_a_redirect_is_followed_and_carries_no_secrets_to_another_server(driver: Driver, status: int) -> None:
    """As links follow it: the other server may be anybody's."""
    asked: list[dict[str, str]] = []

    def note(connection: Any, request: Any) -> Any:
        asked.append(dict(request.headers.raw_items()))

    async def scenario() -> None:
        async with peer(parrot, process_request=note) as target:

            def redirect(connection: Any, request: Any) -> Any:
                note(connection, request)
                answer = connection.respond(status, "there")
                answer.headers["Location"] = target
                return answer

            headers = {"Authorization": "Bearer secret", "User-Agent": "Bot/1"}
            async with (
                peer(parrot, process_request=redirect) as url,
                driver.websocket(Request("GET", url, headers=headers, cookies={"k": "v"})) as link,
            ):
                await link.send("hello")
                assert await link.receive() == "hello"

    run(scenario())
    secrets = [{"Authorization", "Cookie", "User-Agent"} & headers.keys() for headers in asked]
    assert secrets == [{"Authorization", "Cookie", "User-Agent"}, {"User-Agent"}]


def test_the_end_says_code_and_reason_to_all_who_wait_and_ever_after(driver: Driver) -> None:
    """Messages that came before it are still there."""

    async def talk(link: Any) -> None:
        await link.recv()
        await link.send("one")
        await link.send("two")
        await link.close(4321, "enough")

    async def scenario() -> None:
        async with peer(talk) as url, driver.websocket(Request("GET", url)) as link:
            async with asyncio.TaskGroup() as group:
                waiting = [group.create_task(end_of(link)) for _ in range(2)]
                await link.send("go")
            assert [task.result() for task in waiting] == [(4321, "enough")] * 2
            assert link.closed
            for act in (link.receive, lambda: link.send("x"), lambda: link.send(b"x")):
                with pytest.raises(WebSocketClosed):
                    await act()
            await link.close()

    async def end_of(link: Any) -> Any:
        try:
            while True:
                await link.receive()
        except WebSocketClosed as closed:
            return closed.code, closed.reason

    run(scenario())


def test_a_peer_that_vanishes_leaves_1006(driver: Driver) -> None:
    """No close frame came."""

    async def vanish(link: Any) -> None:
        link.transport.abort()

    async def scenario() -> None:
        async with peer(vanish) as url, driver.websocket(Request("GET", url)) as link:
            with pytest.raises(WebSocketClosed) as closed:
                await link.receive()
            assert closed.value.code == 1006

    run(scenario())


@pytest.mark.parametrize("how", ["leaves", "fails", "is cancelled"])
def test_whoever_leaves_says_goodbye(driver: Driver, how: str) -> None:
    """A platform that is told need not wait for a time-out."""
    codes: asyncio.Queue[Any] = asyncio.Queue()

    async def note(link: Any) -> None:
        await link.wait_closed()
        codes.put_nowait(link.close_code)

    async def scenario() -> None:
        inside = asyncio.Event()

        async def use(url: str) -> None:
            async with driver.websocket(Request("GET", url)) as link:
                inside.set()
                if how == "fails":
                    raise RuntimeError("broken")
                if how == "is cancelled":
                    await link.receive()

        async with peer(note) as url:
            task = asyncio.create_task(use(url))
            await inside.wait()
            if how == "is cancelled":
                await asyncio.sleep(0)
                task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() is (how == "is cancelled")
            assert (not task.cancelled() and task.exception() is not None) is (how == "fails")
            assert await codes.get() == (1001 if how == "is cancelled" else 1000)

    run(scenario())


def test_a_deaf_peer_does_not_hold_up_who_is_cancelled(driver: Driver) -> None:
    """A second is enough for an answer; a second cancellation changes nothing."""

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from websockets.utils import accept_key

        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key"))
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: "
            + accept_key(key).encode()
            + b"\r\n\r\n"
            # the first message in one piece with the answer to the handshake
            + Frame(Opcode.TEXT, b"early").serialize(mask=False)
        )
        with contextlib.suppress(ConnectionError):
            while await reader.read(1000):
                pass
        writer.close()

    async def scenario() -> None:
        async with await asyncio.start_server(deaf, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            inside = asyncio.Event()

            async def use() -> None:
                async with driver.websocket(Request("GET", url)) as link:
                    assert await link.receive() == "early"
                    inside.set()
                    await link.receive()

            task = asyncio.create_task(use())
            await inside.wait()
            task.cancel()
            async with asyncio.timeout(5):
                await asyncio.wait([task])
            assert task.cancelled()

    run(scenario())


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=False), 1007),
        (Frame(Opcode.TEXT, b"masked").serialize(mask=True), 1002),
        (b"\x82\x7f" + (2**24 + 1).to_bytes(8), 1009),
    ],
    ids=["not UTF-8", "masked", "too long"],
)
def test_what_breaks_the_protocol_ends_the_connection_with_its_code(driver: Driver, frame: bytes, code: int) -> None:
    """As the RFC has it."""
    codes: asyncio.Queue[Any] = asyncio.Queue()

    async def breach(link: Any) -> None:
        link.transport.write(frame)
        await link.wait_closed()
        codes.put_nowait(link.close_code)

    async def scenario() -> None:
        async with peer(breach) as url, driver.websocket(Request("GET", url)) as link:
            with pytest.raises(WebSocketClosed) as closed:
                await link.receive()
            assert closed.value.code == code
            assert await codes.get() == code

    run(scenario())


def test_a_flood_waits_in_the_socket_and_none_of_it_is_lost(driver: Driver) -> None:
    """Reading stops at a bound, so memory does; and closing works with messages unread."""

    async def flood(link: Any) -> None:
        for number in range(3000):
            await link.send(f"{number} " + "x" * 500)

    async def scenario() -> None:
        async with peer(flood) as url:
            async with driver.websocket(Request("GET", url)) as link:
                for number in range(3000):
                    assert (await link.receive_text()).startswith(f"{number} ")
            impatient = Timeout(close=0.5)  # the library's own connection waits so long for an end behind the flood
            async with driver.websocket(Request("GET", url, timeout=impatient)) as link:
                await link.receive()

    run(scenario())


def test_a_cancelled_wait_loses_no_message(driver: Driver) -> None:
    """A time-out around `receive` is how adapters keep a heartbeat."""

    async def scenario() -> None:
        async with peer(parrot) as url, driver.websocket(Request("GET", url)) as link:
            for number in range(20):
                waiting = asyncio.create_task(link.receive())
                await asyncio.sleep(0)
                await link.send(str(number))
                waiting.cancel()
                await asyncio.wait([waiting])
                assert waiting.cancelled()
                assert await link.receive() == str(number)

    run(scenario())


@pytest.mark.parametrize(
    ("timeout", "opening", "closing"),
    [
        (None, None, None),
        (7.0, 7.0, 7.0),
        (Timeout(), 5.0, 10.0),
        (Timeout(connect=1.0, close=2.0), 1.0, 2.0),
        (Timeout(read=3.0), 3.0, 10.0),
        (Timeout(total=4.0, close=None), 4.0, None),
        (Timeout(connect=None), None, 10.0),
    ],
)
def test_times_are_those_of_the_request(timeout: Any, opening: Any, closing: Any) -> None:
    """Fields that are not set leave NoneBot's defaults."""
    options = connect_options(Request("GET", "http://x/", timeout=timeout), Config())

    assert (options["open_timeout"], options["close_timeout"]) == (opening, closing)
    assert options["uri"] == "ws://x/"


def test_fields_of_a_later_nonebot_are_taken_when_they_are_there() -> None:
    """`ping_interval` of the request, `ping` of its time-outs."""
    request: Any = Request("GET", "wss://x/", timeout=Timeout())
    before = connect_options(request, Config())
    request.ping_interval = None
    request.timeout.ping = 3.0
    after = connect_options(request, Config())

    assert (before["ping_interval"], before["ping_timeout"]) == (20.0, 20.0)
    assert (after["ping_interval"], after["ping_timeout"]) == (None, 3.0)


def test_a_proxy_is_asked_for_the_way(driver: Driver) -> None:
    """By CONNECT, as for any protocol that is not HTTP."""
    asked: list[str] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode().partition("\r\n")[0])
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def scenario() -> None:
        async with await asyncio.start_server(proxy, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(Exception, match="403"):
                async with driver.websocket(Request("GET", "ws://platform.example/x", proxy=url)):
                    pass

    run(scenario())
    assert asked == ["CONNECT platform.example:80 HTTP/1.1"]


def test_the_namespace_of_a_request_is_left_alone() -> None:
    """The options are made from the request, which may be used again."""
    request = Request("GET", "ws://x/", headers={"Sec-WebSocket-Protocol": "a"}, cookies={"k": "v"})
    before = SimpleNamespace(headers=list(request.headers.items()), cookies=len(request.cookies))

    connect_options(request, Config())

    assert before == SimpleNamespace(headers=list(request.headers.items()), cookies=len(request.cookies))

"""What a handler does while the bytes that woke it are still in hand, over real sockets, on either side and loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from nonebot.drivers import URL, Request, WebSocketServerSetup
from nonebot.exception import WebSocketClosed
from websockets.frames import Close, Frame, Opcode

from slipstream.bots.nonebot import Driver
from slipstream.server.websockets import WebSocketProtocol
from tests.loops import LOOPS, run
from tests.peers import served

from .conftest import Make
from .support import connect, serve

Handler = Callable[[Any], Awaitable[None]]
Peer = Callable[[Any], Awaitable[None]]
Play = Callable[[Handler, Peer], None]


@contextlib.asynccontextmanager
async def dialled(driver: Driver, handler: Handler, compression: bool) -> AsyncIterator[Any]:
    """Let a peer dial the driver; yield the peer's end."""

    async def accept(link: Any) -> None:
        await link.accept()
        await handler(link)

    driver.setup_websocket_server(WebSocketServerSetup(URL("/ws"), "ws", accept))
    options = {"ws": WebSocketProtocol, "ws_per_message_deflate": compression}
    async with served(driver.asgi, **options) as port, connect(f"ws://127.0.0.1:{port}/ws", proxy=None) as peer:
        yield peer


@contextlib.asynccontextmanager
async def dialling(driver: Driver, handler: Handler, compression: bool) -> AsyncIterator[Any]:
    """Let the driver dial a peer; yield the peer's end."""
    there: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def take(peer: Any) -> None:
        there.set_result(peer)
        await done.wait()

    async def dial(url: str) -> None:
        with contextlib.suppress(RuntimeError):  # the handler's own failure
            async with driver.websocket(Request("GET", url)) as link:
                await handler(link)

    async with serve(take, "127.0.0.1", 0) as server, asyncio.TaskGroup() as group:
        group.create_task(dial(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
        try:
            yield await there
        finally:
            done.set()


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def loop_kind(request: pytest.FixtureRequest) -> Any:
    """Make a loop."""
    return request.param


@pytest.fixture(params=[dialled, dialling], ids=["server", "client"])
def play(request: pytest.FixtureRequest, loop_kind: Any, make: Make) -> Any:
    """Run a handler on one side of a connection, and a peer on the other until it returns."""

    def on_loop(handler: Handler, act: Peer, compression: bool = False) -> None:
        async def scenario() -> None:
            driver = make(slipstream_ws_compression=compression)
            async with request.param(driver, handler, compression) as peer:
                await act(peer)

        run(scenario(), loop_kind)

    return on_loop


def frames(peer: Any, *messages: str | Close) -> bytes:
    """Return messages as one piece of bytes, for one write."""
    masked = peer.protocol.side.name == "CLIENT"
    out = b""
    for each in messages:
        is_text = isinstance(each, str)
        payload = each.encode() if isinstance(each, str) else each.serialize()
        out += Frame(Opcode.TEXT if is_text else Opcode.CLOSE, payload).serialize(mask=masked)
    return out


async def parrot(link: Any) -> None:
    """Say back what is said."""
    with contextlib.suppress(WebSocketClosed):
        while True:
            await link.send(await link.receive())


def test_messages_of_one_read_keep_their_order(play: Play) -> None:
    """And a frame in halves waits for its other half."""

    async def act(peer: Any) -> None:
        stream = frames(peer, *(str(number) for number in range(50)))
        peer.transport.write(stream[:-1])
        assert [await peer.recv() for _ in range(49)] == [str(number) for number in range(49)]
        peer.transport.write(stream[-1:])
        assert await peer.recv() == "49"

    play(parrot, act)


def test_a_handler_may_close_while_messages_are_in_hand(play: Play) -> None:
    """The rest of them is for nobody, and the peer's answer is still heard."""
    closed = []

    async def handler(link: Any) -> None:
        assert await link.receive() == "one"
        await link.close(4000, "enough")
        closed.append(link.closed)

    async def act(peer: Any) -> None:
        peer.transport.write(frames(peer, "one", *["more"] * 200))
        await peer.wait_closed()
        assert (peer.close_code, peer.close_reason) == (4000, "enough")

    play(handler, act)
    assert closed == [True]


def test_a_handler_may_fail_while_messages_are_in_hand(play: Play) -> None:
    """It ends this connection in the manner of its side, and nothing else."""

    async def handler(link: Any) -> None:
        await link.receive()
        raise RuntimeError("broken")

    async def act(peer: Any) -> None:
        peer.transport.write(frames(peer, "one", "two"))
        await peer.wait_closed()
        assert peer.close_code in (1000, 1011)

    play(handler, act)


def test_messages_before_a_close_in_the_same_read_are_had(play: Any) -> None:
    """With compression, too, where the library reads the whole of it at once."""

    for compression in (False, True):
        got: asyncio.Queue[Any] = asyncio.Queue()

        async def handler(link: Any, got: asyncio.Queue[Any] = got) -> None:
            try:
                while True:
                    got.put_nowait(await link.receive())
            except WebSocketClosed as closed:
                got.put_nowait((closed.code, closed.reason))

        async def act(peer: Any, got: asyncio.Queue[Any] = got) -> None:
            peer.transport.write(frames(peer, "one", "two", Close(4321, "bye")))
            assert [await got.get() for _ in range(3)] == ["one", "two", (4321, "bye")]
            await peer.wait_closed()

        play(handler, act, compression)


def test_plain_messages_take_the_short_way(play: Play) -> None:
    """The libraries would do as well, so that nothing else here would show that they must."""
    seen: list[Any] = []

    async def handler(link: Any) -> None:
        await link.receive()
        wire = link._wire
        seen.append((wire.transport.get_protocol() is wire, wire.send("written")))

    async def act(peer: Any) -> None:
        await peer.send("one")
        assert await peer.recv() == "written"

    play(handler, act)
    assert seen == [(True, True)]


def test_two_receivers_share_the_messages(play: Play) -> None:
    """Each message goes to one of them, also when one is cancelled in between."""
    got: list[Any] = []

    async def handler(link: Any) -> None:
        async def fetch() -> None:
            while True:
                got.append(await link.receive())
                await link.send("had")

        async def fetch_one() -> None:
            got.append(await link.receive())
            await link.send("had")

        tasks = [asyncio.create_task(fetch_one()), asyncio.create_task(fetch()), asyncio.create_task(link.receive())]
        await asyncio.sleep(0)
        tasks[2].cancel()
        await link.send("go")
        await asyncio.wait(tasks)
        assert isinstance(tasks[1].exception(), WebSocketClosed)

    async def act(peer: Any) -> None:
        assert await peer.recv() == "go"
        for number in range(20):
            peer.transport.write(frames(peer, str(number)))
            assert await peer.recv() == "had"
        await peer.close()

    play(handler, act)
    assert got == [str(number) for number in range(20)]


def test_a_handler_that_is_always_busy_lets_the_loop_go_round(play: Play) -> None:
    """It never has to wait for a message; others must come to their turn."""
    count = 3000
    ticks: list[int] = []

    async def handler(link: Any) -> None:
        async def tick() -> None:
            while True:
                ticks.append(1)
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        for _ in range(count):
            await link.receive()
        ticking.cancel()
        await link.send("all")

    async def act(peer: Any) -> None:
        peer.transport.write(frames(peer, *["x" * 1000] * count))
        assert await peer.recv() == "all"

    play(handler, act)
    assert len(ticks) > 3  # at least once a read of the socket


def test_a_message_never_comes_between_the_pieces_of_another(loop_kind: Any, make: Make) -> None:
    """The library's own connection is at hand as `websocket`, and can send in pieces."""

    async def handler(link: Any) -> None:
        begun = asyncio.Event()

        async def pieces() -> AsyncIterator[str]:
            yield "in "
            begun.set()
            await asyncio.sleep(0)
            yield "pieces"

        async with asyncio.TaskGroup() as group:
            group.create_task(link.websocket.send(pieces()))
            await begun.wait()
            group.create_task(link.send("whole"))
        await link.send("after")

    async def scenario() -> None:
        async with dialling(make(), handler, False) as peer:
            assert [await peer.recv() for _ in range(3)] == ["in pieces", "whole", "after"]

    run(scenario(), loop_kind)


def test_sends_wait_for_a_peer_that_takes_nothing(play: Play) -> None:
    """Memory must not fill with what a slow peer has not taken."""
    block = "x" * 1_000_000
    full = asyncio.Event()
    sent = 0

    async def handler(link: Any) -> None:
        nonlocal sent
        while not full.is_set():
            sending = asyncio.create_task(link.send(block))
            sent += 1
            await asyncio.sleep(0)
            if not sending.done():
                full.set()
            await sending
        with contextlib.suppress(WebSocketClosed):
            await link.receive()

    async def act(peer: Any) -> None:
        await full.wait()
        for _ in range(sent):
            assert await peer.recv() == block

    play(handler, act)

"""Our WebSocket protocol under uvicorn, beside uvicorn's own: peers and applications must see the same."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from slipstream import Depends, FastAPI, Query, WebSocket, WebSocketDisconnect, WebSocketException
from slipstream.server.websockets import WebSocketProtocol
from tests.loops import LOOPS, run
from tests.peers import served

KINDS: list[Any] = [WebSocketsSansIOProtocol, WebSocketProtocol]
app_log: list[Any] = []
app = FastAPI()


def number(n: Annotated[int, Query()] = 0) -> int:
    """Read a parameter of the query."""
    return n


@app.websocket("/echo")
async def echo(websocket: WebSocket, n: Annotated[int, Depends(number)]) -> None:
    """Send back each message, text as text."""
    await websocket.accept(
        headers=[(b"x-n", str(n).encode())], subprotocol=next(iter(websocket.scope["subprotocols"]), None)
    )
    try:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message["code"], message.get("reason"))
            if (text := message.get("text")) is not None:
                await websocket.send_text(text)
            else:
                await websocket.send_bytes(message["bytes"])
    except WebSocketDisconnect as left:
        app_log.append(("left", int(left.code), left.reason if left.code >= 3000 else "of no concern"))


@app.websocket("/json")
async def as_json(websocket: WebSocket) -> None:
    """Speak JSON in both kinds of frames, then close with a code."""
    await websocket.accept()
    await websocket.send_json({"got": await websocket.receive_json()})
    await websocket.send_json([1, "ü"], mode="binary")
    await websocket.close(4321, "done")
    with pytest.raises(RuntimeError):
        await websocket.send_text("late")
    app_log.append("could not send")


@app.websocket("/raises")
async def raises(websocket: WebSocket) -> None:
    """Fail after the handshake."""
    await websocket.accept()
    await websocket.receive_text()
    raise WebSocketException(4004, "no")


@app.websocket("/refuses")
async def refuses(websocket: WebSocket) -> None:
    """Refuse before the handshake."""
    await websocket.close()


async def end_of(client: ClientConnection) -> Any:
    """Read on until the connection ends; return what came, and how it ended."""
    came = []
    try:
        while True:
            came.append(await client.recv())
    except ConnectionClosed as closed:
        return came, closed.rcvd and (closed.rcvd.code, closed.rcvd.reason)


async def talk(url: str, compression: str | None) -> AsyncIterator[Any]:
    """Play all sorts of conversations; yield what the peer sees."""
    options: Any = {"compression": compression, "proxy": None, "ping_interval": None}
    async with connect(f"{url}/echo?n=3", subprotocols=["echo"], **options) as client:  # type: ignore[list-item]
        assert client.response is not None
        yield (
            client.response.headers["x-n"],
            client.subprotocol,
            client.response.headers.get("sec-websocket-extensions"),
        )
        for message in ("text ü", b"\xff", "", b"", ["in ", "parts"], "x" * 70_000, b"y" * 200_000):
            await client.send(message)
            yield await client.recv()
        for _ in range(40):
            await client.send("many")
        yield [await client.recv() for _ in range(40)]
        await (await client.ping(b"hi"))
        await client.close(4000, "bye")
    async with connect(f"{url}/echo", **options) as client:
        await client.send("then gone")
        yield await client.recv()
        client.transport.abort()
    async with connect(f"{url}/json", **options) as client:
        await client.send('{"a": 1}')
        yield await end_of(client)
    async with connect(f"{url}/raises", **options) as client:
        await client.send("now")
        yield await end_of(client)
    for path in ("/refuses", "/nowhere", "/echo?n=x"):
        with pytest.raises(InvalidStatus) as refused:
            await connect(url + path, **options)
        yield path, refused.value.response.status_code
    for broken in (
        Frame(Opcode.TEXT, b"\xff").serialize(mask=True),
        Frame(Opcode.TEXT, b"not masked").serialize(mask=False),
        Frame(Opcode.BINARY, b"").serialize(mask=True).replace(b"\x82", b"\xf2", 1),
        Frame(Opcode.CONT, b"of nothing").serialize(mask=True),
        b"\x82\xff" + (2**40).to_bytes(8),
    ):
        async with connect(f"{url}/echo", **options) as client:
            client.transport.write(broken)
            came, end = await end_of(client)
            yield came, end and end[0]


@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("asked", [None, "deflate"], ids=["plain", "compression asked for"])
@pytest.mark.parametrize("deflate", [False, True], ids=["", "compression allowed"])
def test_peers_and_applications_see_the_same(deflate: bool, asked: str | None, loop: Any) -> None:
    """Whatever a peer sends, and however either side ends it; but that a lost connection is a 1006.

    RFC 6455, section 7.1.5, has 1006 where no close frame came; this protocol of uvicorn's says 1005, its others 1006.
    """
    seen: list[list[Any]] = []

    async def scenario() -> None:
        for kind in KINDS:
            app_log.clear()
            async with served(app, ws=kind, ws_per_message_deflate=deflate) as port:
                found = [each async for each in talk(f"ws://127.0.0.1:{port}", asked)]
            seen.append([*found, *sorted(str(each).replace("1005", "1006") for each in app_log)])

    run(scenario(), loop)
    assert seen[1] == seen[0]
    assert len(seen[0]) > 20
    assert app_log.count(("left", 1006, "of no concern")) == 1


def test_plain_messages_take_the_short_way() -> None:
    """uvicorn's way would do as well, so that nothing else here would show that they must."""
    sockets: list[Any] = []

    class Noting(WebSocketProtocol):
        @staticmethod
        def take_over(*given: Any) -> Any:
            taken = WebSocketProtocol.take_over(*given)
            sockets.append(taken[0])
            return taken

    async def scenario(deflate: bool) -> bool:
        async with (
            served(app, ws=Noting, ws_per_message_deflate=deflate) as port,
            connect(f"ws://127.0.0.1:{port}/echo", proxy=None) as client,
        ):
            await client.send("hello")
            assert await client.recv() == "hello"
            (socket,) = sockets
            sockets.clear()
            return socket.transport.get_protocol() is socket and bool(socket.is_open)

    async def both() -> None:
        assert await scenario(deflate=False)
        assert await scenario(deflate=True)

    run(both())

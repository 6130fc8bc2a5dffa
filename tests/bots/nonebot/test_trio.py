"""The driver on the other event loop: whatever serves under trio finds it working there.

NoneBot's own tests cannot ask this of any driver: the client that they reach a server by is asyncio's.
"""

import socket
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.request import Request as Asking, urlopen

import trio
from hypercorn.config import Config
from hypercorn.trio import serve
from nonebot.drivers import URL, HTTPServerSetup, Request, Response, WebSocket, WebSocketServerSetup
from nonebot.exception import WebSocketClosed
from websockets.sync.client import connect

from slipstream.bots.nonebot import Driver

from .support import PATIENCE_S


def served(driver: Driver, peer: Callable[[int], Awaitable[None]]) -> None:
    """Serve the driver by a server that runs on trio, until the peer has done."""

    async def scenario() -> None:
        with trio.fail_after(PATIENCE_S), socket.create_server(("127.0.0.1", 0)) as listening:
            port, done = listening.getsockname()[1], trio.Event()
            config = Config.from_mapping(bind=[f"fd://{listening.detach()}"], errorlog=None, graceful_timeout=1)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(lambda: serve(driver.asgi, config, shutdown_trigger=done.wait))  # type: ignore[arg-type]  # its own types of ASGI
                await peer(port)
                done.set()

    trio.run(scenario)


def test_events_are_taken_by_http_under_trio(driver: Driver) -> None:
    """With the hooks of start and end around, all on one loop."""
    story: list[Any] = []

    @driver.on_startup
    async def start() -> None:
        story.append("start")

    @driver.on_shutdown
    async def end() -> None:
        story.append("end")

    async def handle(request: Request) -> Response:
        await trio.lowlevel.checkpoint()
        story.append(request.content)
        return Response(200, content="taken")

    async def peer(port: int) -> None:
        def ask() -> bytes:
            with urlopen(Asking(f"http://127.0.0.1:{port}/event", b"an event")) as answer:
                return bytes(answer.read())

        story.append(await trio.to_thread.run_sync(ask))

    driver.setup_http_server(HTTPServerSetup(URL("/event"), "POST", "event", handle))

    served(driver, peer)

    assert story == ["start", b"an event", b"taken", "end"]


def test_a_websocket_is_held_under_trio_and_used_from_another_task(driver: Driver) -> None:
    """Text, binary, and the end; this server tells no code with it."""
    ends: list[WebSocketClosed] = []

    async def handle(websocket: WebSocket) -> None:
        await websocket.accept()
        assert await websocket.receive() == "ping"
        driver.task_group.start_soon(websocket.send, "from another task")
        assert await websocket.receive_bytes() == b"ping"
        await websocket.send(b"pong")
        try:
            await websocket.receive()
        except WebSocketClosed as closed:
            ends.append(closed)

    async def peer(port: int) -> None:
        def talk() -> list[Any]:
            with connect(f"ws://127.0.0.1:{port}/ws", proxy=None) as link:
                link.send("ping")
                heard = [link.recv()]
                link.send(b"ping")
                return [*heard, link.recv()]

        assert await trio.to_thread.run_sync(talk) == ["from another task", b"pong"]

    driver.setup_websocket_server(WebSocketServerSetup(URL("/ws"), "ws", handle))

    served(driver, peer)

    assert len(ends) == 1

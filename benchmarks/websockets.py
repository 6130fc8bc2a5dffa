"""What does a WebSocket message cost a whole server? An echo, beside others on uvicorn, in turn.

    python -m benchmarks.websockets

Each candidate serves in a process of its own with one worker (uvloop, no access log) on a free port of this machine; 16
connections send it texts, one at a time each, and count what comes back. Its process tells how much CPU time, user and
system, a message and its echo took.
"""

import argparse
import asyncio
import importlib
import statistics
from contextlib import ExitStack
from typing import Any

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks import report
from benchmarks.processes import started
from benchmarks.servers import serve
from slipstream.server import ws_protocol

CANDIDATES = {
    "fastapi": "fastapi",
    "starlette": "starlette",
    "raw": "",
    "slipstream": "slipstream",
    "direct": "slipstream",
}
"""Where the application comes from. "direct" is what `slipstream run` serves with; the others have uvicorn's own."""

GOALS = {"fastapi": 1.1, "raw": 1 / 1.05}
"""Times cheaper than each; of `slipstream run`."""

CONNECTIONS = 16
TEXT = b'{"type": "message", "from": "somebody", "text": "a text of ordinary length"}'


def build(package: str) -> Any:
    """Make an application that echoes texts."""
    if not package:
        return raw
    if package == "starlette":
        from starlette.applications import Starlette
        from starlette.routing import WebSocketRoute

        return Starlette(routes=[WebSocketRoute("/", echo)])
    framework = importlib.import_module(package)
    app = framework.FastAPI()
    echo.__annotations__["websocket"] = framework.WebSocket
    app.websocket("/")(echo)
    return app


async def echo(websocket: Any) -> None:
    """Send back each text."""
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


async def raw(scope: Any, receive: Any, send: Any) -> None:
    """Do the same by hand."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


class Peer(WSListener):
    """Sends a text, and the next when it has come back.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self._left = count
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin."""
        transport.send(WSMsgType.TEXT, TEXT)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Count an echo."""
        if frame.msg_type is not WSMsgType.TEXT or frame.get_payload_as_bytes() != TEXT:
            return
        self._left -= 1
        if self._left:
            transport.send(WSMsgType.TEXT, TEXT)
        else:
            self.done.set_result(None)
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Fail, if that was too early."""
        if not self.done.done():
            self.done.set_exception(RuntimeError("the server has closed"))


async def talk(port: int, count: int) -> None:
    """Exchange messages over several connections, so many over each.

    Raises:
        RuntimeError: The server closes.
    """
    peers = []
    for _ in range(CONNECTIONS):
        _, peer = await ws_connect(lambda: Peer(count), f"ws://127.0.0.1:{port}/")
        assert isinstance(peer, Peer)
        peers.append(peer)
    await asyncio.gather(*(peer.done for peer in peers))


def measure(rounds: int, count: int) -> dict[str, float]:
    """Measure each candidate; the median of the rounds, in µs of CPU a message."""
    found: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(started(name, module="benchmarks.websockets")) for name in CANDIDATES}
        for server in servers.values():
            uvloop.run(talk(server.port, count // 10 + 1))
        for _ in range(rounds):
            for name, server in servers.items():
                before = server.cpu()
                uvloop.run(talk(server.port, count))
                found[name].append((server.cpu() - before) / count / CONNECTIONS * 1e6)
    return {name: statistics.median(times) for name, times in found.items()}


def main(argv: list[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.websockets", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=1000, help="over each connection in a round")
    parser.add_argument("--serve", metavar="CANDIDATE", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.serve:
        protocol = ws_protocol() if given.serve == "direct" else "websockets-sansio"
        serve(build(CANDIDATES[given.serve]), ws=protocol)
        return
    costs = measure(given.rounds, given.messages)
    print(report.table({"echo": costs}, {"echo": "a text of 76 bytes and its echo"}) + "\n")
    for name, limit in GOALS.items():
        print(report.Goal("echo", f"times cheaper than {name}:", costs[name] / costs["direct"], limit, True))


if __name__ == "__main__":
    main()

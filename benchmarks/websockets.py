"""What does a WebSocket message cost a whole server? An echo, beside others on uvicorn, in turn.

    python -m benchmarks.websockets
    python -m benchmarks.websockets --idle 1500

Each candidate serves in a process of its own with one worker (uvloop, no access log) on a free port of this machine; 16
connections send it texts, one at a time each, and count what comes back. Its process tells how much CPU time, user and
system, a message and its echo took. "bare" is the floor: a protocol that sends constant bytes at every read.

With `--idle`, so many connections echo a text each and then stay: KiB of the server's memory for each, without and with
compression.
"""

import argparse
import asyncio
import importlib
import re
import socket
import statistics
import time
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks import report
from benchmarks.processes import Served, started
from benchmarks.servers import serve
from slipstream._sockets.frames import write_frame
from slipstream.server import ws_protocol
from slipstream.server.handshake import acceptance

CANDIDATES = {
    "bare": "",
    "fastapi": "fastapi",
    "starlette": "starlette",
    "raw": "",
    "slipstream": "slipstream",
    "direct": "slipstream",
}
"""Where the application comes from. "direct" is what `slipstream run` serves with; the others have uvicorn's own."""

GOALS = {"fastapi": 1.1, "raw": 1 / 0.6}
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


class Bare(asyncio.Protocol):
    """Sends an echo's bytes at every read, whatever it says; the first is the handshake, given by uvicorn."""

    def __init__(self, **_: Any) -> None:
        self.frame = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.frame:
            self.transport.write(self.frame)
            return
        key = re.search(rb"sec-websocket-key: (\S+)", data, re.IGNORECASE)
        assert key is not None
        self.transport.write(acceptance(key[1], None, "", ()))
        self.frame = write_frame(True, TEXT)


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


OFFER = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
SETTLED_SECONDS = 1


def echoed(port: int, *, compressed: bool) -> socket.socket:
    """Open a connection, and have a text echoed over it.

    Raises:
        RuntimeError: The server does something else.
    """
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + (OFFER if compressed else b"") + b"\r\n"
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(4096) or b"\r\n\r\n"
    if b" 101 " not in head or (b"deflate" in head) != compressed:
        raise RuntimeError(f"the server answers a handshake with {head!r}")
    first, payload = 0x81, TEXT
    if compressed:
        compressor = zlib.compressobj(wbits=-12)
        first, payload = 0xC1, (compressor.compress(TEXT) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
    connection.sendall(bytes((first, 0x80 | len(payload))) + bytes(4) + payload)
    if not connection.recv(4096):
        raise RuntimeError("the server has closed")
    return connection


def memory(served: Served) -> int:
    """Return the resident memory of a server, in KiB."""
    found = re.search(r"^VmRSS:\s+(\d+)", Path(f"/proc/{served.process.pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def idle(count: int) -> dict[str, dict[str, float]]:
    """Measure what an idle connection holds, in KiB, by compression and candidate."""
    costs: dict[str, dict[str, float]] = {}
    for row, compressed in (("plain", False), ("compressed", True)):
        for name in ("fastapi", "raw", "direct"):
            with started(name, module="benchmarks.websockets") as server:
                kept = [echoed(server.port, compressed=compressed) for _ in range(count // 10)]
                before = memory(server)
                kept += [echoed(server.port, compressed=compressed) for _ in range(count)]
                time.sleep(SETTLED_SECONDS)
                costs.setdefault(row, {})[name] = (memory(server) - before) / count
                for connection in kept:
                    connection.close()
    return costs


def main(argv: list[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.websockets", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=1000, help="over each connection in a round")
    parser.add_argument("--idle", type=int, metavar="CONNECTIONS", help="measure memory instead")
    parser.add_argument("--serve", metavar="CANDIDATE", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.serve:
        protocol: Any = "websockets-sansio"
        if given.serve in ("bare", "direct"):
            protocol = Bare if given.serve == "bare" else ws_protocol()
        serve(build(CANDIDATES[given.serve]), ws=protocol)
        return
    if given.idle:
        for row, by_name in idle(given.idle).items():
            print(f"{row}: KiB a connection:", *(f"{name} {size:.1f}" for name, size in by_name.items()))
        return
    costs = measure(given.rounds, given.messages)
    print(report.table({"echo": costs}, {"echo": "a text of 76 bytes and its echo"}) + "\n")
    for name, limit in GOALS.items():
        print(report.Goal("echo", f"times cheaper than {name}:", costs[name] / costs["direct"], limit, True))


if __name__ == "__main__":
    main()

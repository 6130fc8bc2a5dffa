"""Peers that misbehave, for `benchmarks.links` and the tests: a feed to dial, a feed to poll, a client that dials us.

Each has numbered events 1..n and takes up after the number that it is told, as a server that can resume does.
"""

import asyncio
import json
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import cycle
from urllib.parse import parse_qs, urlsplit

import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.http11 import Request, Response

from slipstream import FastAPI

WAYS = ("close", "FIN", "RST", "half-open", "restart")
HTTP_WAYS = ("close", "FIN", "RST", "half-open", "restart", "503", "429", "garbage")


def reset(transport: asyncio.WriteTransport) -> None:
    """End a TCP connection with RST: what the other side has not read is gone."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


@dataclass
class Plan:
    """How many events go out before each cut, and how each cut is done."""

    events: int
    cuts: int
    ways: tuple[str, ...]
    done: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._ways: Iterator[str] = cycle(self.ways)

    @property
    def burst(self) -> int:
        return max(1, self.events // (self.cuts + 1))

    def next_way(self) -> str | None:
        """The next cut; None when all have been made."""
        if sum(self.done.values()) >= self.cuts:
            return None
        way = next(self._ways)
        self.done[way] += 1
        return way


class WebSocketFeed:
    """A WebSocket server that sends a burst and cuts the line.

    Args:
        plan: How.
        resumes: Whether it begins after the number that the client names, or simply goes on.
        overlap: How many events it sends again when it resumes.
    """

    def __init__(self, plan: Plan, *, resumes: bool = True, overlap: int = 0) -> None:
        self.plan, self.resumes, self.overlap = plan, resumes, overlap
        self.sent = 0
        self.repeated = 0
        self.handshakes: list[float] = []
        self.refuse: list[tuple[int, dict[str, str]]] = []
        self.held: list[ServerConnection] = []
        self.port = 0
        self._server: Server | None = None
        self._restarting: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/feed"

    async def start(self) -> None:
        self._server = await serve(
            self._talk, "127.0.0.1", self.port, process_request=self._admit, ping_interval=None, close_timeout=0.2
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        for held in self.held:
            held.transport.abort()
        self.held.clear()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        for task in self._restarting:
            task.cancel()

    async def restart(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        await self.start()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.handshakes.append(asyncio.get_running_loop().time())
        if self.refuse:
            status, headers = self.refuse.pop(0)
            response = connection.respond(HTTPStatus(status), "no\n")
            for name, value in headers.items():
                response.headers[name] = value
            return response
        return None

    async def _talk(self, peer: ServerConnection) -> None:
        try:
            after = json.loads(await peer.recv())["after"] or 0
            number = max(0, after - self.overlap) if self.resumes else self.sent
            self.repeated += max(0, self.sent - number)
            end = number + self.plan.burst
            way = self.plan.next_way()
            while number < self.plan.events and (way is None or number < end):
                number += 1
                await peer.send(json.dumps({"seq": number, "text": "x" * 40}))
                self.sent = max(self.sent, number)
            await self._cut(peer, way)
        except ConnectionClosed:
            pass

    async def _cut(self, peer: ServerConnection, way: str | None) -> None:
        if way is None:
            await peer.wait_closed()
        elif way == "close":
            await peer.close(1012, "restart")
        elif way == "FIN":
            # It reads until we close too: a socket that is closed with our ping unread in it sends RST in place of what
            # has not been acknowledged, and events that never left it cannot arrive.
            peer.transport.write_eof()
            await peer.wait_closed()
        elif way == "RST":
            reset(peer.transport)
        elif way == "half-open":
            peer.transport.pause_reading()
            self.held.append(peer)
            await peer.wait_closed()
        elif way == "restart":
            task = asyncio.ensure_future(self.restart())
            self._restarting.add(task)
            task.add_done_callback(self._restarting.discard)


class HttpFeed:
    """An HTTP server that answers `GET /?after=n` with the next events, or misbehaves."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.requests = 0
        self.port = 0
        self._let_go = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._restarting: set[asyncio.Task[None]] = set()
        self._peers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/events"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self._let_go.set()
        self._let_go = asyncio.Event()
        for peer in tuple(self._peers):
            peer.transport.abort()
        while self._peers:  # noqa: ASYNC110 - each takes a step or two to notice
            await asyncio.sleep(0)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._peers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                target = head.split(b" ", 2)[1].decode()
                after = int(parse_qs(urlsplit(target).query).get("after", ["0"])[0])
                if not await self._answer(writer, after):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self._peers.discard(writer)

    async def _answer(self, writer: asyncio.StreamWriter, after: int) -> bool:
        last = min(self.plan.events, after + self.plan.burst)
        events = [{"seq": number, "text": "x" * 40} for number in range(after + 1, last + 1)]
        body = json.dumps({"events": events, "next": last}).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        # Half of the requests are answered: a server that only ever misbehaves says nothing about order.
        way = self.plan.next_way() if self.requests % 2 and after > 0 else None
        if way is None:
            writer.write(head + body)
        elif way in ("503", "429"):
            writer.write(b"HTTP/1.1 %s No\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n" % way.encode())
        elif way == "garbage":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\xff{garbage")
        elif way == "close":
            return False
        elif way == "FIN":
            writer.write(head + body[: len(body) // 2])
            return False
        elif way == "RST":
            writer.write(head + body[: len(body) // 2])
            reset(writer.transport)
            return False
        elif way == "half-open":
            await self._let_go.wait()
            return False
        elif way == "restart":
            task = asyncio.ensure_future(self._restart())
            self._restarting.add(task)
            task.add_done_callback(self._restarting.discard)
            return False
        await writer.drain()
        return True

    async def _restart(self) -> None:
        await self.stop()
        await self.start()


class Served:
    """An application under uvicorn, in this event loop."""

    def __init__(self, app: FastAPI, port: int = 0) -> None:
        config = uvicorn.Config(
            app, "127.0.0.1", port, log_level="error", ws="websockets-sansio", ws_ping_interval=None, lifespan="on",
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._task: asyncio.Task[None] | None = None
        self.port = port

    async def __aenter__(self) -> "Served":
        # `_serve` is `serve` without taking over the signals of the process.
        self._task = asyncio.ensure_future(self._server._serve())
        while not self._server.started:
            assert not self._task.done(), "the application did not start"
            await asyncio.sleep(0.005)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stop as a signal does."""
        self._server.should_exit = True
        assert self._task is not None
        await self._task


class Caller:
    """A client that dials us, sends a burst, and cuts the line.

    Args:
        plan: How; "restart" is left to whoever runs our side.
        url: Where.
    """

    def __init__(self, plan: Plan, url: str) -> None:
        self.plan, self.url = plan, url
        self.sent = 0
        self._held: list[ClientConnection] = []

    async def run(self) -> None:
        """Dial until every event has been sent and acknowledged by the next greeting."""
        while True:
            try:
                async with asyncio.timeout(5):
                    peer = await connect(self.url, proxy=None, ping_interval=None, close_timeout=0.2)
            except (OSError, InvalidHandshake):  # our side is restarting
                await asyncio.sleep(0.01)
                continue
            try:
                if await self._talk(peer):
                    return
            except ConnectionClosed:
                continue

    async def _talk(self, peer: ClientConnection) -> bool:
        number = json.loads(await peer.recv())["after"] or 0
        if number >= self.plan.events:
            await peer.close()
            return True
        way = self.plan.next_way()
        end = number + self.plan.burst
        while number < self.plan.events and (way is None or number < end):
            number += 1
            await peer.send(json.dumps({"seq": number, "text": "x" * 40}))
            self.sent = max(self.sent, number)
        if way in (None, "close"):
            await peer.close()
        elif way == "FIN":
            peer.transport.write_eof()
            peer.transport.close()
        elif way == "RST":
            reset(peer.transport)
        elif way == "half-open":
            peer.transport.pause_reading()
            self._held.append(peer)
        return False

    def let_go(self) -> None:
        """Close what was left half open."""
        for peer in self._held:
            peer.transport.abort()

"""The platform: its server, its client, and what it is to do wrong."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from http.client import responses
from typing import Any, Self, TypeAlias
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from slipstream.bots.testing.http import Answer, Asked, as_bytes, headers_in
from slipstream.bots.testing.peer import READ, Peer, Refused

Sleep: TypeAlias = Callable[[float], Awaitable[None]]

_LIMIT = 64 * 1024 * 1024


class FakePlatform:
    """A chat platform on a free port of this machine.

    It accepts WebSockets on any path, answers HTTP requests on any path from a list, and dials bots. What it is to do
    wrong is said beforehand: `refuse`, `answer`, `delay`, `stay_silent`; or done to a `Peer`.

    Args:
        sleep: Waits; a test may give its own.

    Attributes:
        handshakes: How many WebSocket handshakes came, those refused too.
        asked: The HTTP requests that came.
    """

    def __init__(self, sleep: Sleep = asyncio.sleep) -> None:
        self._sleep = sleep
        self._server: asyncio.Server | None = None
        self._port = 0
        self._peers: list[Peer] = []
        self._arrived: asyncio.Queue[Peer] = asyncio.Queue()
        self._polls: asyncio.Queue[Asked] = asyncio.Queue()
        self._refusals: deque[Answer] = deque()
        self._answers: deque[Answer] = deque()
        self._garbage: deque[bytes] = deque()
        self._delay = 0.0
        self._is_silent = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._changed = asyncio.Event()
        self.handshakes = 0
        self.asked: list[Asked] = []
        self.always: Answer | Callable[[Asked], Answer] = Answer(204)
        """Answer to HTTP requests for which no other was given, or what makes one."""

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        await self.stop_listening()
        for peer in self._peers:
            await peer.finish()

    async def listen(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop_listening(self) -> None:
        """Refuse connections from now on, and drop those that are not WebSockets."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @property
    def ws_url(self) -> str:
        """Address to dial."""
        return f"ws://127.0.0.1:{self._port}/ws"

    @property
    def base_url(self) -> str:
        """Address that all others begin with."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def http_url(self) -> str:
        """Address to poll."""
        return f"http://127.0.0.1:{self._port}/events"

    # What it is to do

    def refuse(self, status: int = 403, body: bytes = b"", times: int = 1, **headers: str) -> None:
        """Answer the next WebSocket handshakes with a status; `retry_after="1"` becomes `Retry-After: 1`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._refusals.extend([Answer(status, body, named)] * times)

    def answer(self, body: Any = b"", status: int = 200, **headers: str) -> None:
        """Answer one more HTTP request; `body` is bytes, text, or a value for JSON."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._answers.append(Answer(status, as_bytes(body), named))

    def answer_garbage(self, data: bytes) -> None:
        """Write these bytes in place of the answer to one more connection, and cut it."""
        self._garbage.append(data)

    def delay(self, seconds: float) -> None:
        """Wait before each answer and handshake from now on."""
        self._delay = seconds

    def stay_silent(self, silent: bool = True) -> None:
        """Take connections and answer nothing."""
        self._is_silent = silent
        self._changed.set()
        self._changed = asyncio.Event()

    async def connected(self) -> Peer:
        """Wait for the next bot that dials us."""
        return await self._arrived.get()

    async def polled(self) -> Asked:
        """Wait for the next HTTP request."""
        return await self._polls.get()

    async def dial(self, url: str, headers: Mapping[str, str] | None = None) -> Peer:
        """Dial a bot's WebSocket.

        Raises:
            Refused: The bot answered with another status than 101.
            OSError: It does not listen, or cut the connection.
        """
        uri = parse_uri(url)
        protocol = ClientProtocol(uri, max_size=_LIMIT)
        reader, writer = await asyncio.open_connection(uri.host, uri.port)
        request = protocol.connect()
        for name, value in (headers or {}).items():
            request.headers[name] = value
        protocol.send_request(request)
        writer.writelines(protocol.data_to_send())
        try:
            response, early = await self._handshake(reader, protocol)
        except BaseException:
            writer.transport.abort()
            raise
        peer = Peer(reader, writer, protocol, request)
        peer.response = response
        peer.take_events(early)
        self._peers.append(peer)
        peer.start()
        return peer

    async def post(self, url: str, body: Any = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """POST an event to a bot; tell what it answers."""
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        content = as_bytes(body)
        lines = [
            f"POST {parts.path or '/'}{'?' + parts.query if parts.query else ''} HTTP/1.1",
            f"Host: {parts.netloc}",
        ]
        lines += [f"Content-Length: {len(content)}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + content)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            status, *rest = head.decode("latin-1").split("\r\n")
            found = headers_in(rest)
            if "content-length" in found:
                answer = await reader.readexactly(int(found["content-length"]))
            else:
                answer = await reader.read()
        finally:
            writer.transport.abort()
        return Answer(int(status.split()[1]), answer, found)

    # Beneath

    async def _handshake(self, reader: asyncio.StreamReader, protocol: ClientProtocol) -> tuple[Response, list[Any]]:
        """Wait for the answer; give it, and the frames that came with it."""
        while True:
            data = await reader.read(READ)
            if data:
                protocol.receive_data(data)
            else:
                protocol.receive_eof()
            events = protocol.events_received()
            if events and isinstance(events[0], Response):
                response = events[0]
                if response.status_code != 101:
                    body = bytes(response.body or b"")
                    raise Refused(response.status_code, dict(response.headers.raw_items()), body)
                return response, events[1:]
            if not data:
                raise ConnectionResetError("the bot cut the connection during the handshake")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        is_handed_over = False
        try:
            while not is_handed_over:
                head = await reader.readuntil(b"\r\n\r\n")
                while self._is_silent:
                    await self._changed.wait()
                if self._delay:
                    await self._sleep(self._delay)
                if self._garbage:
                    writer.write(self._garbage.popleft())
                    await writer.drain()
                    return
                line, *rest = head.decode("latin-1").split("\r\n")
                headers = headers_in(rest)
                if headers.get("upgrade", "").lower() == "websocket":
                    is_handed_over = await self._open(head, reader, writer)
                    if not is_handed_over:
                        return
                elif not await self._answer(line, headers, reader, writer):
                    return
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            if not is_handed_over:
                with suppress(OSError, asyncio.CancelledError):
                    writer.close()
                    await writer.wait_closed()

    async def _open(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.handshakes += 1
        protocol = ServerProtocol(max_size=_LIMIT)
        protocol.receive_data(head)
        request = next(event for event in protocol.events_received() if isinstance(event, Request))
        if self._refusals:
            refusal = self._refusals.popleft()
            headers = Headers({**refusal.headers, "Content-Length": str(len(refusal.body)), "Connection": "close"})
            phrase = responses.get(refusal.status, "Unknown")
            writer.write(Response(refusal.status, phrase, headers, refusal.body).serialize())
            await writer.drain()
            return False
        try:
            protocol.send_response(protocol.accept(request))
        except InvalidHandshake:
            return False
        writer.writelines(protocol.data_to_send())
        peer = Peer(reader, writer, protocol, request)
        self._peers.append(peer)
        peer.start()
        self._arrived.put_nowait(peer)
        return True

    async def _answer(
        self, line: str, headers: Mapping[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; tell whether the connection goes on."""
        method, target, version = line.split()
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path, _, query = target.partition("?")
        asked = Asked(method, path, query, version.removeprefix("HTTP/"), headers, body)
        self.asked.append(asked)
        self._polls.put_nowait(asked)
        answer = self._answers.popleft() if self._answers else self.always
        if callable(answer):
            answer = answer(asked)
        goes_on = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        lines = [f"HTTP/1.1 {answer.status} {responses.get(answer.status, 'Unknown')}"]
        if answer.status not in (204, 304):
            lines.append(f"Content-Length: {len(answer.body)}")
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        lines.append(f"Connection: {'keep-alive' if goes_on else 'close'}")
        content = b"" if answer.status in (204, 304) else answer.body
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + content)
        await writer.drain()
        return goes_on

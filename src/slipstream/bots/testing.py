"""A fake chat platform for tests: a server to dial and poll, a client that dials, both able to misbehave on cue.

Nothing here waits by the clock unless told to: `connected()`, `Peer.receive()` and the like wait for what happens.

    async with FakePlatform() as platform:
        driver.setup_websocket(WebSocketSetup("echo", "1", platform.ws_url))
        peer = await platform.connected()
        await peer.send("hello")
        peer.drop()
"""

import asyncio
import json
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import responses
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import Protocol
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

Data: TypeAlias = str | bytes
Sleep: TypeAlias = Callable[[float], Awaitable[None]]

_LIMIT = 64 * 1024 * 1024
_READ = 65536


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a recorded session.

    Args:
        who: "platform" or "bot": who sent it.
        kind: "text", "binary" or "close".
        data: The message; for "close" the code and the reason, with a space between.
    """

    who: Literal["platform", "bot"]
    kind: Literal["text", "binary", "close"]
    data: str | bytes

    def as_json(self) -> str:
        """Write it as one line of JSON; binary data in hexadecimal digits."""
        data = self.data.hex() if isinstance(self.data, bytes) else self.data
        return json.dumps({"who": self.who, "kind": self.kind, "data": data})

    @classmethod
    def from_json(cls, text: str) -> "Line":
        """Read it."""
        found = json.loads(text)
        data = bytes.fromhex(found["data"]) if found["kind"] == "binary" else found["data"]
        return cls(found["who"], found["kind"], data)


@dataclass
class Session:
    """What went over one WebSocket, in order."""

    lines: list[Line] = field(default_factory=list)

    def save(self, path: str | Path) -> None:
        """Write it to a file, a line of JSON for each message."""
        Path(path).write_text("".join(line.as_json() + "\n" for line in self.lines), "utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "Session":
        """Read what `save` has written."""
        return cls([Line.from_json(line) for line in Path(path).read_text("utf-8").splitlines() if line])


class Refused(Exception):
    """The bot refused our handshake.

    Args:
        status: HTTP status.
        headers: Headers of the answer.
        body: Body of the answer.
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"the handshake was answered with {status}: {body[:200]!r}")
        self.status, self.headers, self.body = status, headers, body


class Ended(Exception):
    """The bot, or the network, ended the connection.

    Args:
        code: Close code that came; 1006 if none did.
        reason: Reason that came with it.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the connection ended with {code} {reason}".rstrip())
        self.code, self.reason = code, reason


class Peer:
    """One WebSocket between platform and bot, as the platform holds it.

    Attributes:
        request: The handshake: `path` and `headers`.
        session: What went over it so far.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocol: Protocol, request: Request
    ) -> None:
        self._reader, self._writer, self._protocol = reader, writer, protocol
        self.request, self.session = request, Session()
        self._inbox: asyncio.Queue[Data | None] = asyncio.Queue()
        self._parts: list[Frame] = []
        self._is_deaf = False
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.response: Response | None = None

    # What a test does

    async def send(self, data: Data) -> None:
        """Send a message, text or binary."""
        if isinstance(data, str):
            self._protocol.send_text(data.encode())
        else:
            self._protocol.send_binary(data)
        self._note("platform", data)
        await self._flush()

    async def send_json(self, value: Any) -> None:
        """Send a value as JSON text."""
        await self.send(json.dumps(value))

    async def receive(self) -> Data:
        """Wait for the next message of the bot.

        Raises:
            Ended: The connection ended before one came.
        """
        data = await self._inbox.get()
        if data is None:
            self._inbox.put_nowait(None)
            raise Ended(*self.close_frame)
        return data

    async def receive_json(self) -> Any:
        """Wait for the next message of the bot, read as JSON."""
        return json.loads(await self.receive())

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame with any code, also one that nobody may send, and wait for the end."""
        payload = struct.pack("!H", code) + reason.encode()
        self.session.lines.append(Line("platform", "close", f"{code} {reason}".rstrip()))
        if code in (1005, 1006, 1015) or not 1000 <= code < 5000:
            self.garbage(self._frame(Opcode.CLOSE, payload))
        else:
            self._protocol.send_close(code, reason)
            await self._flush()
        await self.ended()

    def drop(self) -> None:
        """Cut the connection without a word: a reset."""
        self._writer.transport.abort()

    def half_open(self) -> None:
        """Read and answer nothing any more, pings neither; the connection stays."""
        self._is_deaf = True
        if not self._writer.transport.is_closing():
            self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # every socket's transport has it

    def linger(self, code: int = 1000) -> None:
        """Send a close frame, and do not hang up: neither read nor close the connection."""
        self.garbage(self._frame(Opcode.CLOSE, struct.pack("!H", code)))
        self.half_open()

    def garbage(self, data: bytes) -> None:
        """Write bytes to the socket as they are."""
        self._writer.write(data)

    def bad_text(self) -> None:
        """Send a text frame that is no UTF-8."""
        self.garbage(self._frame(Opcode.TEXT, b"\xff\xfe"))

    def unmasked(self, data: bytes = b"unmasked") -> None:
        """Send a text frame without a mask, which a client must not."""
        self.garbage(bytes([0x81, len(data)]) + data)

    async def ended(self) -> Ended:
        """Wait for the end of the connection; tell how it ended."""
        await self._ended.wait()
        return Ended(*self.close_frame)

    async def replay(self, session: Session) -> None:
        """Send again what the platform sent in a recorded session.

        Before each message, wait until the bot has sent as many messages as it had by then.
        """
        for line in session.lines:
            if line.who == "bot" and line.kind != "close":
                await self.receive()
            elif line.who == "bot":
                await self.ended()
            elif line.kind == "close":
                code, _, reason = str(line.data).partition(" ")
                await self.close(int(code), reason)
            else:
                await self.send(line.data)

    @property
    def is_open(self) -> bool:
        """Whether the connection has not ended."""
        return not self._ended.is_set()

    @property
    def close_frame(self) -> tuple[int, str]:
        """Code and reason that the bot closed with; 1006 without a close frame."""
        received: Close | None = self._protocol.close_rcvd
        return (received.code, received.reason) if received is not None else (1006, "")

    # Beneath

    def start(self) -> None:
        """Read from now on."""
        self._task = asyncio.get_running_loop().create_task(self._read(), name="fake platform: peer")

    async def finish(self) -> None:
        """End the connection, and forget it."""
        self.drop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _frame(self, opcode: Opcode, payload: bytes) -> bytes:
        is_client = isinstance(self._protocol, ClientProtocol)
        return Frame(opcode, payload).serialize(mask=is_client)

    def _note(self, who: Literal["platform", "bot"], data: Data) -> None:
        self.session.lines.append(Line(who, "text" if isinstance(data, str) else "binary", data))

    async def _read(self) -> None:
        try:
            while True:
                self.take_events(self._protocol.events_received())
                await self._flush()
                data = await self._reader.read(_READ)
                if self._is_deaf:
                    await asyncio.Event().wait() if data else None
                if not data:
                    break
                self._protocol.receive_data(data)
            self._protocol.receive_eof()
            self.take_events(self._protocol.events_received())
        except (OSError, EOFError):
            pass
        finally:
            if self._protocol.close_rcvd is not None:
                code, reason = self.close_frame
                self.session.lines.append(Line("bot", "close", f"{code} {reason}".rstrip()))
            self._ended.set()
            self._inbox.put_nowait(None)
            self._writer.transport.abort()

    def take_events(self, events: list[Any]) -> None:
        """Take note of frames."""
        for event in events:
            if not isinstance(event, Frame) or event.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                continue
            self._parts.append(event)
            if event.fin:
                whole = b"".join(part.data for part in self._parts)
                data: Data = whole.decode() if self._parts[0].opcode is Opcode.TEXT else whole
                self._parts = []
                self._note("bot", data)
                self._inbox.put_nowait(data)

    async def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._writer.write(data)
            elif not self._writer.transport.is_closing():
                with suppress(OSError):
                    self._writer.write_eof()
        with suppress(OSError):
            await self._writer.drain()


@dataclass(frozen=True, slots=True)
class Asked:
    """One HTTP request that came: a poll, or an API call."""

    method: str
    path: str
    query: str
    version: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer to one request."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


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
        self._answers.append(Answer(status, _as_bytes(body), named))

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
        content = _as_bytes(body)
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
            found = _headers(rest)
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
            data = await reader.read(_READ)
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
                headers = _headers(rest)
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


def _headers(lines: list[str]) -> dict[str, str]:
    found = {}
    for line in lines:
        name, _, value = line.partition(":")
        if name:
            found[name.strip().lower()] = value.strip()
    return found


def _as_bytes(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()


__all__ = ["Answer", "Asked", "Ended", "FakePlatform", "Line", "Peer", "Refused", "Session"]

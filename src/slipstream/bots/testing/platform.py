"""`FakePlatform`: a server to dial and to poll, and a client that dials and posts."""

import asyncio
import io
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import parse_headers, responses
from typing import Any, Self, TypeAlias

import httpx2
from websockets.asyncio.client import connect
from websockets.asyncio.connection import Connection
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from slipstream.bots.testing.peer import OPTIONS, Peer, Refused

Sleep: TypeAlias = Callable[[float], Awaitable[None]]

_LIMIT = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """An HTTP request that the platform received: a poll, or an API call. Names of headers are in lower case."""

    method: str
    path: str
    query: str
    version: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response, sent by the platform or by a bot."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class FakePlatform:
    """A chat platform on a free port of this machine.

    It accepts WebSockets on any path, answers HTTP requests on any path from a list, and dials bots. A test announces
    what goes wrong (`refuse`, `answer`, `delay`, `stay_silent`), or does it to a `Peer`.

    Args:
        sleep: Replaces `asyncio.sleep` for `delay`.

    Attributes:
        handshakes: Number of WebSocket handshakes so far, with those that were refused.
        asked: The HTTP requests so far.
        always: Response to HTTP requests without one of their own, or a function that makes it. Default: 204.
        ws_url: URL to dial; this and the next two are there when the platform listens.
        http_url: URL to poll.
        base_url: URL that the others begin with.
    """

    ws_url: str
    http_url: str
    base_url: str

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
        self._may_speak = asyncio.Event()
        self._may_speak.set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.handshakes = 0
        self.asked: list[Asked] = []
        self.always: Answer | Callable[[Asked], Answer] = Answer(204)

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        await self.stop_listening()
        for peer in self._peers:
            await peer.finish()

    async def listen(self) -> None:
        """Listen, on the same port as before if the platform has listened before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        self.base_url, self.ws_url = f"http://127.0.0.1:{self._port}", f"ws://127.0.0.1:{self._port}/ws"
        self.http_url = f"{self.base_url}/events"

    async def stop_listening(self) -> None:
        """Refuse connections from now on, and drop those that are not WebSockets."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # What a test does

    def refuse(self, status: int = 403, body: bytes = b"", times: int = 1, **headers: str) -> None:
        """Answer the next WebSocket handshakes with a status; `retry_after="1"` is sent as `retry-after: 1`."""
        self._refusals.extend([Answer(status, body, _named(headers))] * times)

    def answer(self, body: Any = b"", status: int = 200, **headers: str) -> None:
        """Answer one more HTTP request; `body` is bytes, text, or a value to send as JSON."""
        self._answers.append(Answer(status, _as_bytes(body), _named(headers)))

    def answer_garbage(self, data: bytes) -> None:
        """Answer one more request or handshake with these bytes, and close its connection."""
        self._garbage.append(data)

    def delay(self, seconds: float) -> None:
        """Wait before each answer and handshake from now on."""
        self._delay = seconds

    def stay_silent(self, silent: bool = True) -> None:
        """Accept connections without answering; False: answer them again."""
        if silent:
            self._may_speak.clear()
        else:
            self._may_speak.set()

    async def connected(self) -> Peer:
        """Wait for the next bot that opens a WebSocket."""
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
        plain: dict[str, Any] = {"compression": None, "user_agent_header": None, "proxy": None, "open_timeout": None}
        try:
            connection = await connect(url, additional_headers=headers, max_size=_LIMIT, **plain, **OPTIONS)
        except InvalidStatus as refused:
            answer = refused.response
            body = bytes(answer.body or b"")
            raise Refused(answer.status_code, dict(answer.headers.raw_items()), body) from None
        except InvalidHandshake as failed:
            raise ConnectionResetError("the bot cut the connection during the handshake") from failed
        self._peers.append(Peer(connection))
        return self._peers[-1]

    async def post(self, url: str, body: Any = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """POST an event to a bot, and return the response; ConnectionError if there is none."""
        async with httpx2.AsyncClient(verify=False, trust_env=False, timeout=None) as client:
            try:
                answer = await client.post(url, content=_as_bytes(body), headers=headers)
            except httpx2.TransportError as failed:
                raise ConnectionError(str(failed)) from failed
        return Answer(answer.status_code, answer.content, dict(answer.headers))

    # Beneath

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        goes_on, is_handed_over = True, False
        try:
            while goes_on and not is_handed_over:
                head = await reader.readuntil(b"\r\n\r\n")
                await self._may_speak.wait()
                if self._delay:
                    await self._sleep(self._delay)
                if self._garbage:
                    writer.write(self._garbage.popleft())
                    await writer.drain()
                    return
                line, _, rest = head.partition(b"\r\n")
                headers = {name.lower(): value for name, value in parse_headers(io.BytesIO(rest)).items()}
                if headers.get("upgrade", "").lower() == "websocket":
                    goes_on = is_handed_over = await self._open(head, writer)
                else:
                    goes_on = await self._answer(line.decode("latin-1"), headers, reader, writer)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            if not is_handed_over:
                with suppress(OSError, asyncio.CancelledError):
                    writer.close()
                    await writer.wait_closed()

    async def _open(self, head: bytes, writer: asyncio.StreamWriter) -> bool:
        """Answer a handshake, and return whether a WebSocket is open."""
        self.handshakes += 1
        if self._refusals:
            await _respond(writer, self._refusals.popleft(), goes_on=False)
            return False
        protocol = ServerProtocol(max_size=_LIMIT)
        protocol.receive_data(head)
        request = next(event for event in protocol.events_received() if isinstance(event, Request))
        protocol.send_response(protocol.accept(request))
        writer.writelines(protocol.data_to_send())
        if protocol.state is not State.OPEN:
            return False
        connection = Connection(protocol, **OPTIONS)
        connection.request = request
        connection.connection_made(writer.transport)
        writer.transport.set_protocol(connection)  # before the bot can send: it waits for our answer
        self._peers.append(Peer(connection, writer))
        self._arrived.put_nowait(self._peers[-1])
        return True

    async def _answer(
        self, line: str, headers: Mapping[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request, and return whether another may follow."""
        method, target, version = line.split()
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path, _, query = target.partition("?")
        asked = Asked(method, path, query, version.removeprefix("HTTP/"), headers, body)
        self.asked.append(asked)
        self._polls.put_nowait(asked)
        answer = self._answers.popleft() if self._answers else self.always
        goes_on = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        await _respond(writer, answer(asked) if callable(answer) else answer, goes_on=goes_on)
        return goes_on


async def _respond(writer: asyncio.StreamWriter, answer: Answer, *, goes_on: bool) -> None:
    has_body = answer.status not in (204, 304)
    lines = [f"HTTP/1.1 {answer.status} {responses.get(answer.status, 'Unknown')}"]
    lines += [f"Content-Length: {len(answer.body)}"] if has_body else []
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    lines.append(f"Connection: {'keep-alive' if goes_on else 'close'}")
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + (answer.body if has_body else b""))
    await writer.drain()


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def _as_bytes(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()

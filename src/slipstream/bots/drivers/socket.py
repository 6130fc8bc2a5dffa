"""A WebSocket as adapters see it, over Starlette's (a peer called us) or a link's connection (we called)."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from slipstream.bots import connections
from slipstream.bots.exception import WebSocketClosed
from slipstream.links.counters import Counters
from slipstream.links.errors import LinkDown
from slipstream.links.inbound import wire_of
from slipstream.links.session import Connection, check_close
from slipstream.requests import HTTPConnection
from slipstream.websockets import WebSocket as ServerSocket, WebSocketDisconnect, WebSocketState


@dataclass(eq=False)  # a connection is equal to itself alone
class WebSocket(connections.WebSocket):
    """A WebSocket, dialled by either side.

    What arrives goes to the bot's `handle_message`, unless somebody waits in `receive` or `receive_bytes`: the next
    message then goes to the task that has waited longest, and to nothing else.
    """

    websocket: ServerSocket | Connection | None = None
    """What carries it."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __post_init__(self) -> None:
        # Side by side in memory, for nearly every message reads them:
        self.waiting: tuple[asyncio.Future[str | bytes], ...] = ()
        self._end: WebSocketClosed | None = None
        self._wire: Any = None  # that of our own server or client, if nothing stands between
        self._counters: Counters | None = None  # those of the link that we dial
        self._is_read = False
        self._on_close: Callable[[], None] | None = None
        self._on_unread: Callable[[str | bytes], None] | None = None
        self.write_timeout: float | None = 10.0

    @classmethod
    def incoming(cls, socket: ServerSocket) -> "WebSocket":
        """Describe the WebSocket of a peer that calls us."""
        made = cls(*parts_of(socket), socket)
        made._wire = wire_of(socket)
        return made

    @classmethod
    def outgoing(cls, connection: Connection, headers: Mapping[str, str]) -> "WebSocket":
        """Describe a WebSocket that we have dialled."""
        made = cls(*parts_of_url("1.1", connection.url, headers), connection)
        made._wire, made._counters = connection.wire, connection.link.counters
        return made

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        socket = self.websocket
        if self._end is not None or socket is None:
            return True
        if isinstance(socket, Connection):
            return not socket.is_open
        ended = (WebSocketState.DISCONNECTED, WebSocketState.RESPONSE)
        return socket.client_state in ended or socket.application_state in ended

    async def accept(self) -> None:
        """Accept the connection; nothing is left to do where the driver has done so."""
        if isinstance(self.websocket, ServerSocket) and self.websocket.application_state is WebSocketState.CONNECTING:
            await self.websocket.accept()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection, with a reason of at most 123 bytes of UTF-8; the bot's id is free at once.

        Raises:
            WrongSetup: No frame can hold that; the connection goes on.
        """
        check_close(code, reason)
        if self.closed:
            return
        socket = self.websocket
        self.ended(WebSocketClosed(code, reason))
        if isinstance(socket, Connection):
            await socket.close(code, reason)
        elif socket is not None:
            try:
                async with asyncio.timeout(self.write_timeout):
                    await socket.close(code, reason)
            except (TimeoutError, RuntimeError, OSError, WebSocketDisconnect):
                pass

    async def receive(self) -> str:
        """Wait for the next message, as text; a binary message that is no UTF-8 raises UnicodeDecodeError."""
        message = await self._next()
        return message if isinstance(message, str) else message.decode()

    async def receive_bytes(self) -> bytes:
        """Wait for the next message, as bytes."""
        message = await self._next()
        return message if isinstance(message, bytes) else message.encode()

    async def send(self, data: str | bytes) -> None:
        """Send a message, text or binary; a peer that takes nothing is let go."""
        if self._wire is None or self._end is not None or not self._wire.send(data):
            await self._send(data)
        elif self._counters is not None:
            self._counters.sent += 1

    send_bytes = send

    # What the driver says

    def read_by_driver(self, on_close: Callable[[], None], on_unread: Callable[[str | bytes], None]) -> None:
        """Note that the driver reads; it hears of our close, and gets messages that a cancelled receiver left."""
        self._is_read, self._on_close, self._on_unread = True, on_close, on_unread

    def take(self, message: str | bytes) -> bool:
        """Give a message to the longest waiting receiver; return whether there was one."""
        while self.waiting:
            waiter, *rest = self.waiting
            self.waiting = tuple(rest)
            if not waiter.done():
                waiter.set_result(message)
                return True
        return False

    def ended(self, end: WebSocketClosed) -> None:
        """Take note that the connection has ended."""
        if self._end is not None:
            return
        self._end = end
        waiting, self.waiting = self.waiting, ()
        for waiter in waiting:
            if not waiter.done():
                waiter.set_exception(end)
        if self._on_close is not None:
            self._on_close()

    # Beneath

    async def _next(self) -> str | bytes:
        socket = self.websocket
        if self._end is not None or socket is None:
            raise self._end or WebSocketClosed()
        if self._is_read:
            waiter: asyncio.Future[str | bytes] = asyncio.get_running_loop().create_future()
            self.waiting += (waiter,)
            try:
                return await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                    unread = waiter.result()  # for the next receiver, or the bot's handler
                    if not self.take(unread) and self._on_unread is not None:
                        self._on_unread(unread)
                raise
            finally:
                self.waiting = tuple(each for each in self.waiting if each is not waiter)  # if it was cancelled
        try:
            if isinstance(socket, Connection):
                return await socket.receive()
            message = await socket.receive()
        except LinkDown as down:
            raise WebSocketClosed(down.code, down.reason) from down
        except RuntimeError as error:
            raise WebSocketClosed() from error
        if message["type"] == "websocket.disconnect":
            self.ended(WebSocketClosed(message.get("code"), message.get("reason") or ""))
            return await self._next()
        content: bytes | None = message.get("bytes")
        return content if content is not None else message["text"]

    async def _send(self, data: str | bytes) -> None:
        socket = self.websocket
        if self.closed:
            raise self._end or WebSocketClosed()
        try:
            if isinstance(socket, Connection):
                await socket.send(data)
            elif socket is not None:
                async with asyncio.timeout(self.write_timeout):
                    await (socket.send_text(data) if isinstance(data, str) else socket.send_bytes(data))
        except TimeoutError:
            self.ended(WebSocketClosed(None, "the peer takes nothing"))
            raise self._end or WebSocketClosed() from None
        except LinkDown as down:
            raise WebSocketClosed(down.code, down.reason) from down
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            self.ended(WebSocketClosed(getattr(error, "code", None)))
            raise self._end or WebSocketClosed() from error


def parts_of(opening: HTTPConnection) -> tuple[str, str, str, bytes, dict[str, str]]:
    """Return what a request and a handshake have in common, in the order of `connections.HTTPConnection`."""
    scope = opening.scope
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    scheme = scope.get("scheme", "http" if scope["type"] == "http" else "ws")
    return scope.get("http_version", "1.1"), scheme, scope["path"], scope.get("query_string", b""), headers


def parts_of_url(version: str, url: str, headers: Mapping[str, str]) -> tuple[str, str, str, bytes, dict[str, str]]:
    """Return the same of a connection that we make."""
    parts = urlsplit(url)
    lowered = {name.lower(): value for name, value in headers.items()}
    return version, parts.scheme, unquote(parts.path) or "/", parts.query.encode(), lowered

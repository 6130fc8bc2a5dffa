"""NoneBot's WebSockets: those that its adapters open, and those of peers that dialled us."""

import asyncio
import contextlib
from abc import abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio
from nonebot.drivers import DEFAULT_TIMEOUT, Request, Timeout, WebSocket
from nonebot.exception import WebSocketClosed
from nonebot.utils import UNSET
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.protocol import State

from slipstream._sockets.behind import DirectProtocol, protocol_behind
from slipstream._sockets.client import LeanConnection, connection_type
from slipstream._sockets.wire import Wire
from slipstream.bots.nonebot.config import Config
from slipstream.bots.nonebot.http_server import version_of
from slipstream.links.rules import headers_for, origin
from slipstream.links.websocket import DialFailed, connected
from slipstream.logger import logger
from slipstream.requests import HTTPConnection
from slipstream.websockets import WebSocket as ServedWebSocket, WebSocketDisconnect

_SCHEMES = {"http": "ws", "https": "wss"}
_OURS = frozenset({"host", "connection", "upgrade", "sec-websocket-key", "sec-websocket-version"})
_CANCELLED_CLOSE_S = 1.0
_MOST_REDIRECTS = 10


class Messages(WebSocket):
    """Messages that go straight between a wire, where there is one, and the tasks that send or wait; several may."""

    _wire: Wire | None = None

    async def receive(self) -> str | bytes:
        """Return the next message; WebSocketClosed has the code and reason of the end."""
        wire = self._wire
        if wire is None:
            return await self._receive_elsewhere()
        queue = wire.queue
        message = queue.items.popleft() if queue.items else await queue.turn()
        if wire.read_paused:
            wire.resume()
        if isinstance(message, (str, bytes)):
            return message
        queue.put_back(message)  # every other and every later call of `receive` gets the end, too
        raise self._ended(message)

    async def receive_text(self) -> str:
        """Return the next message; a binary message raises TypeError."""
        message = await self.receive()
        if isinstance(message, bytes):
            raise TypeError("expected a text message, received a binary one")
        return message

    async def receive_bytes(self) -> bytes:
        """Return the next message; a text message raises TypeError."""
        message = await self.receive()
        if isinstance(message, str):
            raise TypeError("expected a binary message, received a text one")
        return message

    async def send(self, data: str | bytes) -> None:
        """Send a message; WebSocketClosed says that the connection has ended."""
        if not isinstance(data, (str, bytes)):
            raise TypeError(f"a message is text or bytes, and not of type {type(data).__qualname__}")
        if self._wire is None or not self._wire.send(data):
            await self._send_elsewhere(data)

    send_text = send_bytes = send

    @abstractmethod
    async def _receive_elsewhere(self) -> str | bytes:
        """Return the next message where there is no wire."""

    @abstractmethod
    async def _send_elsewhere(self, data: str | bytes) -> None:
        """Send a message that no wire can send at once."""

    @abstractmethod
    def _ended(self, end: Any) -> Exception:
        """Return the error that says how the connection ended."""


@contextlib.asynccontextmanager
async def open_websocket(setup: Request, config: Config) -> AsyncGenerator["ClientWebSocket", None]:
    """Open a WebSocket, and close it at the end of the block.

    Of the headers of the handshake itself only the subprotocols are taken from `setup`. A redirect to another server
    carries no secrets along. Cancellation closes with 1001 and waits one second at most for the peer's close frame.
    """
    options = connect_options(setup, config)
    home, headers = options["uri"], options["additional_headers"]

    def arguments(url: str) -> dict[str, Any]:
        allowed = headers if origin(url) == origin(home) else list(headers_for(dict(headers), home, url).items())
        return {**options, "uri": url, "additional_headers": allowed}

    try:
        connection = await connected(home, arguments, _MOST_REDIRECTS)
    except DialFailed as failed:
        raise (failed.__cause__ or failed) from None
    try:
        yield ClientWebSocket(request=setup, websocket=connection)
    except asyncio.CancelledError:
        try:
            with anyio.move_on_after(_CANCELLED_CLOSE_S, shield=True):
                await connection.close(CloseCode.GOING_AWAY)
        finally:
            if connection.state is not State.CLOSED:
                connection.transport.abort()
        raise
    except BaseException:
        await connection.close()
        raise
    else:
        await connection.close()


def connect_options(setup: Request, config: Config) -> dict[str, Any]:
    """Translate a request into arguments of `websockets.connect`."""
    url = setup.url.with_scheme(_SCHEMES.get(setup.url.scheme, setup.url.scheme))
    headers = [(name, value) for name, value in setup.headers.items() if name.lower() not in _OURS]
    names = {name.lower() for name, _ in headers}
    options: dict[str, Any] = {
        "uri": str(url),
        "proxy": True if setup.proxy is None else setup.proxy,
        "compression": "deflate" if config.slipstream_ws_compression else None,
        "max_size": config.slipstream_ws_max_size,
        "create_connection": BotConnection if connection_type() is LeanConnection else ClientConnection,
        "logger": logger,
        **_timeouts(setup, config),
    }
    if "sec-websocket-protocol" in names:
        offered = ",".join(setup.headers.getall("Sec-WebSocket-Protocol"))
        options["subprotocols"] = [each.strip() for each in offered.split(",") if each.strip()]
        headers = [pair for pair in headers if pair[0].lower() != "sec-websocket-protocol"]
    if "user-agent" in names:
        options["user_agent_header"] = None
    if len(setup.cookies):
        headers += setup.cookies.as_header(setup).items()
    options["additional_headers"] = headers
    return options


def _timeouts(setup: Request, config: Config) -> dict[str, Any]:
    """Return the limits for the handshake, the close and pongs, and the time between pings, in seconds.

    `ping_interval` of a request and `ping` of its `Timeout` exist in later releases of NoneBot only.
    """
    given = setup.timeout
    opening: Any = DEFAULT_TIMEOUT.connect
    closing: Any = DEFAULT_TIMEOUT.close
    pong: Any = config.slipstream_ws_ping_timeout
    if isinstance(given, Timeout):
        steps = [each for each in (given.connect, given.read, given.total) if each is not UNSET]
        opening = next((each for each in steps if each is not None), None) if steps else opening
        closing = closing if given.close is UNSET else given.close
        ping = getattr(given, "ping", UNSET)
        pong = pong if ping is UNSET else ping
    elif given is not UNSET:
        opening = closing = given
    interval = getattr(setup, "ping_interval", UNSET)
    return {
        "open_timeout": opening,
        "close_timeout": closing,
        "ping_interval": config.slipstream_ws_ping_interval if interval is UNSET else interval,
        "ping_timeout": pong,
    }


class BotConnection(LeanConnection):
    """A connection from which nothing is read after we have closed it."""

    async def close(self, code: CloseCode | int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Close, and wait for the peer's close frame, `close_timeout` seconds at most."""
        self.wire.is_leaving = True
        if self.wire.read_paused:  # the close frame comes after messages that no task will receive
            self.wire.resume()
        await super().close(code, reason)


class ClientWebSocket(Messages):
    """A WebSocket that we opened, with a connection of the library or of ours."""

    def __init__(self, *, request: Request, websocket: ClientConnection) -> None:
        super().__init__(request=request)
        self.websocket: ClientConnection = websocket
        self._wire = websocket.wire if isinstance(websocket, LeanConnection) else None
        self._turn = asyncio.Lock()

    @property
    def closed(self) -> bool:
        """Whether either side has begun to close the connection."""
        return self.websocket.state is not State.OPEN

    async def accept(self) -> None:
        """Raise NotImplementedError, since only the side that was dialled accepts."""
        raise NotImplementedError("this side dialled; the peer accepts")

    async def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Close; closing again does nothing."""
        await self.websocket.close(code, reason)

    async def _receive_elsewhere(self) -> str | bytes:
        try:
            async with self._turn:  # the library lets only one task wait at a time
                return await self.websocket.recv()
        except ConnectionClosed as closed:
            raise _closed(closed) from closed

    async def _send_elsewhere(self, data: str | bytes) -> None:
        try:
            await self.websocket.send(data)
        except ConnectionClosed as closed:
            raise _closed(closed) from closed

    def _ended(self, end: None) -> Exception:
        return _closed(self.websocket.protocol.close_exc)


def _closed(closed: ConnectionClosed) -> WebSocketClosed:
    """Return the error with the peer's code and reason, else with ours, else with 1006."""
    frame = closed.rcvd or closed.sent
    return WebSocketClosed(CloseCode.ABNORMAL_CLOSURE) if frame is None else WebSocketClosed(frame.code, frame.reason)


@dataclass(frozen=True, slots=True)
class WebSocketEndpoint:
    """An ASGI application that calls a handler of NoneBot's for each WebSocket, before the handshake is answered.

    After the handler it closes the WebSocket if that is still open.
    """

    handle: Callable[[WebSocket], Awaitable[Any]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        opening = HTTPConnection(scope)
        request = Request(
            "GET",
            str(opening.url),
            headers=opening.headers.items(),
            cookies=opening.cookies,
            version=version_of(scope),
        )
        protocol = protocol_behind(receive, send)
        websocket = ServerWebSocket(request=request, receive=receive, send=send, protocol=protocol)
        try:
            if protocol is None:  # the loop may be another than asyncio's
                await self.handle(websocket)
            else:  # in a task of its own, a message wakes the handler without the calls between the server and us
                await asyncio.ensure_future(self.handle(websocket))
        except WebSocketClosed:
            if not websocket.closed:  # another connection of the handler has ended
                await websocket.close(CloseCode.INTERNAL_ERROR)
                raise
        except Exception:
            if websocket.accepted:
                await websocket.close(CloseCode.INTERNAL_ERROR)
            raise
        else:
            await websocket.close()

    async def serve(self, websocket: ServedWebSocket) -> None:
        """Serve one connection as an endpoint, behind the dependencies of the application."""
        await self(websocket.scope, websocket.receive, websocket.send)


class ServerWebSocket(Messages):
    """The WebSocket of a peer that dialled us.

    Its messages bypass ASGI's `receive` and `send` if there is a protocol, since no middleware wraps them.
    """

    def __init__(self, *, request: Request, receive: Receive, send: Send, protocol: DirectProtocol | None) -> None:
        super().__init__(request=request)
        self.accepted = False
        self._protocol, self._wire = protocol, None if protocol is None else protocol.wire
        self._asgi_receive, self._asgi_send = receive, send
        self._end: tuple[int, str] | None = None
        self._is_closing = False

    @property
    def closed(self) -> bool:
        """Whether either side has closed the connection."""
        return self._is_closing or self._end is not None

    async def accept(self) -> None:
        """Accept the handshake; WebSocketClosed says that the peer has left."""
        message = await self._asgi_receive()
        if message["type"] == "websocket.disconnect":
            raise self._ended(message)
        await self._send({"type": "websocket.accept"})
        self.accepted = True

    async def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Close, or answer the handshake with 403; closing again does nothing."""
        if self.closed:
            return
        self._is_closing = True
        try:
            await self._asgi_send({"type": "websocket.close", "code": code, "reason": reason})
        except (OSError, WebSocketDisconnect, RuntimeError):
            self._end = self._end or (CloseCode.ABNORMAL_CLOSURE, "")  # the peer has closed first

    async def _receive_elsewhere(self) -> str | bytes:
        if self._end is not None:
            raise WebSocketClosed(*self._end)
        message = await self._asgi_receive()
        if message["type"] != "websocket.receive":
            raise self._ended(message)
        text: str | None = message.get("text")
        content: str | bytes = message["bytes"] if text is None else text
        return content

    async def _send_elsewhere(self, data: str | bytes) -> None:
        if self._protocol is None or not self.accepted or self.closed:
            await self._send({"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data})
        elif not await self._protocol.put(data):
            raise self._lost()

    def _ended(self, message: Any) -> Exception:
        if message["type"] != "websocket.disconnect":
            return RuntimeError("receive() before accept(): accept the connection, or close it")
        self._end = (message.get("code") or CloseCode.NO_STATUS_RCVD, message.get("reason") or "")
        return WebSocketClosed(*self._end)

    def _lost(self) -> WebSocketClosed:
        return WebSocketClosed(*(self._end or (CloseCode.ABNORMAL_CLOSURE, "")))

    async def _send(self, message: dict[str, Any]) -> None:
        if self.closed:
            raise self._lost()
        try:
            await self._asgi_send(message)
        except (OSError, WebSocketDisconnect) as lost:
            known = (
                (lost.code, lost.reason or "")
                if isinstance(lost, WebSocketDisconnect)
                else (CloseCode.ABNORMAL_CLOSURE, "")
            )
            self._end = self._end or known
            raise WebSocketClosed(*self._end) from lost

"""WebSockets that NoneBot's adapters open."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import anyio
from nonebot.drivers import DEFAULT_TIMEOUT, Request, Timeout
from nonebot.exception import WebSocketClosed
from nonebot.utils import UNSET
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.protocol import State

from slipstream._sockets.client import LeanConnection, connection_type
from slipstream.bots.nonebot.config import Config
from slipstream.bots.nonebot.messages import Messages
from slipstream.links.rules import headers_for, origin
from slipstream.links.websocket import DialFailed, connected
from slipstream.logger import logger

_SCHEMES = {"http": "ws", "https": "wss"}
_OURS = frozenset({"host", "connection", "upgrade", "sec-websocket-key", "sec-websocket-version"})
_CANCELLED_CLOSE_S = 1.0
_MOST_REDIRECTS = 10


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

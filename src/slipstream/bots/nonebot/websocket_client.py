"""WebSockets that we open."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator
from typing import Any

import anyio
from nonebot.drivers import DEFAULT_TIMEOUT, Request, Timeout, WebSocket
from nonebot.exception import WebSocketClosed
from nonebot.utils import UNSET
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State

from slipstream.bots.nonebot.config import Config
from slipstream.bots.nonebot.messages import DirectMessages
from slipstream.bots.nonebot.wire import Wire
from slipstream.logger import logger

_SCHEMES = {"http": "ws", "https": "wss"}
_OURS = frozenset({"host", "connection", "upgrade", "sec-websocket-key", "sec-websocket-version"})
_MOST_WAITING = 32
_HEAD_END = b"\r\n\r\n"
_CANCELLED_CLOSE_S = 1.0


@contextlib.asynccontextmanager
async def open_websocket(setup: Request, config: Config) -> AsyncGenerator["ClientWebSocket", None]:
    """Open a WebSocket, and close it on leaving.

    Headers that belong to the handshake itself are not taken from `setup`, but for the subprotocols.
    Cancellation sends 1001 and waits one second at most for the answer.
    """
    connection = await connect(**connect_options(setup, config))
    try:
        yield ClientWebSocket(request=setup, websocket=connection)
    except asyncio.CancelledError:
        await _leave(connection)
        raise
    except BaseException:
        await connection.close()
        raise
    else:
        await connection.close()


async def _leave(connection: ClientConnection) -> None:
    """Say goodbye to a peer from a task that is being cancelled."""
    try:
        with anyio.move_on_after(_CANCELLED_CLOSE_S, shield=True):
            await connection.close(CloseCode.GOING_AWAY)
    finally:
        if connection.state is not State.CLOSED:
            connection.transport.abort()


def connect_options(setup: Request, config: Config) -> dict[str, Any]:
    """Translate a request into what `websockets.connect` takes."""
    url = setup.url.with_scheme(_SCHEMES.get(setup.url.scheme, setup.url.scheme))
    headers = [(name, value) for name, value in setup.headers.items() if name.lower() not in _OURS]
    names = {name.lower() for name, _ in headers}
    options: dict[str, Any] = {
        "uri": str(url),
        "proxy": True if setup.proxy is None else setup.proxy,
        "compression": "deflate" if config.slipstream_ws_compression else None,
        "max_size": config.slipstream_ws_max_size,
        "create_connection": functools.partial(
            LeanConnection,
            max_size=config.slipstream_ws_max_size,
            is_plain=not config.slipstream_ws_compression,
        ),
        "logger": logger,
        **_timeouts(setup, config),
    }
    if "sec-websocket-protocol" in names:
        offered = ",".join(value for name, value in headers if name.lower() == "sec-websocket-protocol")
        options["subprotocols"] = [each.strip() for each in offered.split(",") if each.strip()]
        headers = [pair for pair in headers if pair[0].lower() != "sec-websocket-protocol"]
    if "user-agent" in names:
        options["user_agent_header"] = None
    if len(setup.cookies):
        headers += setup.cookies.as_header(setup).items()
    options["additional_headers"] = headers
    return options


def _timeouts(setup: Request, config: Config) -> dict[str, Any]:
    """Say how long to wait: for the handshake, for the close, for pongs.

    Fields that a later NoneBot has (`ping_interval` of a request, `ping` of its `Timeout`) are taken when there.
    """
    given = setup.timeout
    opening: Any = DEFAULT_TIMEOUT.connect
    closing: Any = DEFAULT_TIMEOUT.close
    pong: Any = config.slipstream_ws_ping_timeout
    if isinstance(given, Timeout):
        set_ = [each for each in (given.connect, given.read, given.total) if each is not UNSET]
        if set_:
            opening = next((each for each in set_ if each is not None), None)
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


class LeanConnection(ClientConnection):
    """A client connection whose plain messages go straight between the socket and whoever sends or waits.

    `recv` of the library's class is not fed any more; the queue of `wire` stands in its place. With
    compression every frame goes through the library, which knows the extension.

    Args:
        args: See `ClientConnection`.
        max_size: Longest frame that is gathered here, in bytes.
        is_plain: Whether no extension may be negotiated.
        kwargs: See `ClientConnection`.
    """

    def __init__(self, *args: Any, max_size: int, is_plain: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wire = Wire(
            self, self.loop, is_server=False, max_size=max_size, high=_MOST_WAITING, low=_MOST_WAITING // 4
        )
        self._is_plain = is_plain
        self._parts: list[bytes] = []
        self._is_text = False
        self._head = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the transport."""
        super().connection_made(transport)
        self.wire.transport = self.transport

    def data_received(self, data: bytes) -> None:
        """Take in bytes: the answer to the handshake; and frames, if they may be compressed."""
        if not self._is_plain:
            super().data_received(data)
            self.wire.queue.wake()
            return
        before = len(self._head)
        self._head += data
        end = self._head.find(_HEAD_END, max(before - 3, 0))
        # the library reads the answer, and not a byte beyond it
        stop = len(data) if end < 0 else end + len(_HEAD_END) - before
        super().data_received(data[:stop])
        if end < 0:
            return
        self._head.clear()
        if self.protocol.state is not State.OPEN:
            self._is_plain = False  # a refusal, whose body the library reads
            if stop < len(data):
                super().data_received(data[stop:])
            return
        self.transport.set_protocol(self.wire)
        if stop < len(data):
            self.wire.data_received(data[stop:])

    def take_frame(self, frame: bytes) -> bool:
        """Let the library take a frame; return whether there is a sense in more of them."""
        if self.protocol.close_rcvd is not None or self.protocol.state is State.CLOSED:
            return False
        super().data_received(frame)
        return self.protocol.parser_exc is None and self.protocol.close_rcvd is None

    def refuse_text(self) -> None:
        """End the connection: a text is not UTF-8."""
        self.protocol.fail(CloseCode.INVALID_DATA, "text that is not UTF-8")
        self.send_data()

    def process_event(self, event: Any) -> None:
        """Take a frame from the library's parser; fragments come this way."""
        if not isinstance(event, Frame) or event.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            super().process_event(event)
            return
        if event.opcode is not Opcode.CONT:
            self._is_text = event.opcode is Opcode.TEXT
        self._parts.append(bytes(event.data))
        if event.fin:
            whole, self._parts = b"".join(self._parts), []
            self.wire.take(self._is_text, whole)

    def send_data(self) -> None:
        """Send what the library has to say; only then can its state have changed."""
        super().send_data()
        # while a message is sent in pieces, nothing may come between
        is_free = self.protocol.state is State.OPEN and self.send_in_progress is None
        self.wire.is_open = self._is_plain and is_free

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end, and tell everyone who waits."""
        self.wire.is_open = False
        super().connection_lost(exc)
        self.wire.queue.put_nowait(None)

    def pause_writing(self) -> None:
        """Note that the peer takes nothing."""
        super().pause_writing()
        self.wire.is_full = True

    def resume_writing(self) -> None:
        """Note that the peer takes again."""
        super().resume_writing()
        self.wire.is_full = False

    async def close(self, code: CloseCode | int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Close, and wait for the peer's answer, `close_timeout` seconds at most."""
        self.wire.is_leaving = True
        if self.wire.read_paused:  # the answer is behind what nobody will fetch
            self.wire.read_on()
        await super().close(code, reason)


class ClientWebSocket(DirectMessages, WebSocket):
    """A peer that we dialled.

    Args:
        request: The request that it was opened with.
        websocket: The connection.
    """

    def __init__(self, *, request: Request, websocket: Any) -> None:
        super().__init__(request=request)
        self.websocket: LeanConnection = websocket
        self._wire = self.websocket.wire

    @property
    def closed(self) -> bool:
        """Whether either side has begun to close."""
        return self.websocket.state is not State.OPEN

    async def accept(self) -> None:
        """Refuse: only a server accepts."""
        raise NotImplementedError("this side dialled; the peer accepts")

    async def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Close; closing again does nothing."""
        await self.websocket.close(code, reason)

    def _ended(self, end: None) -> Exception:
        return _closed(self.websocket.protocol.close_exc)

    async def _send_later(self, data: str | bytes) -> None:
        try:
            await self.websocket.send(data)
        except ConnectionClosed as closed:
            raise _closed(closed) from closed


def _closed(closed: ConnectionClosed) -> WebSocketClosed:
    """Say how a connection ended: as the peer said, else as we said, else in silence."""
    frame = closed.rcvd or closed.sent
    return WebSocketClosed(CloseCode.ABNORMAL_CLOSURE) if frame is None else WebSocketClosed(frame.code, frame.reason)

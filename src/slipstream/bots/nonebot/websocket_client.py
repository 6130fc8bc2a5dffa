"""WebSockets that we open."""

import asyncio
import contextlib
import functools
import os
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
from slipstream.bots.nonebot.frames import FrameCutter, write_frame
from slipstream.bots.nonebot.mailbox import Mailbox
from slipstream.bots.nonebot.typed_messages import TypedMessages
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

    `recv` of the library's class is not fed any more; `receive` stands in its place, and any number of tasks
    may call it. With compression every frame goes through the library, which knows the extension.

    Args:
        args: See `ClientConnection`.
        max_size: Longest frame that is gathered here, in bytes.
        is_plain: Whether no extension may be negotiated.
        kwargs: See `ClientConnection`.
    """

    def __init__(self, *args: Any, max_size: int, is_plain: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._mailbox = Mailbox()
        self._parts: list[bytes] = []
        self._is_text = False
        self._head: bytearray | None = bytearray()
        self._is_held = False
        self._keys = b""
        self._cutter = (
            FrameCutter(masked=False, max_size=max_size, plain=self._take_message, other=self._take_frame)
            if is_plain
            else None
        )

    def data_received(self, data: bytes) -> None:
        """Take in bytes: the answer to the handshake, then frames."""
        if self._cutter is None:
            super().data_received(data)
        elif self._head is None:
            self._cutter.feed(data)
        else:
            self._read_head(self._head, data)

    def _read_head(self, head: bytearray, data: bytes) -> None:
        """Let the library read the answer, and not a byte beyond it."""
        before = len(head)
        head += data
        end = head.find(_HEAD_END, max(before - 3, 0))
        if end < 0:
            super().data_received(data)
            return
        stop = end + len(_HEAD_END) - before
        self._head = None
        super().data_received(data[:stop])
        if self.protocol.state is not State.OPEN:
            self._cutter = None
        if len(data) > stop:
            self.data_received(data[stop:])

    def _take_frame(self, frame: bytes) -> bool:
        """Let the library take a frame; return whether there is a sense in more of them."""
        if self.protocol.close_rcvd is not None or self.protocol.state is State.CLOSED:
            return False
        super().data_received(frame)
        return self.protocol.parser_exc is None and self.protocol.close_rcvd is None

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
            self._take_message(self._is_text, whole)

    def _take_message(self, is_text: bool, payload: bytes) -> None:
        if self.protocol.state is not State.OPEN:
            return
        if is_text:
            try:
                self._mailbox.put_nowait(payload.decode())
            except UnicodeDecodeError:
                self.protocol.fail(CloseCode.INVALID_DATA, "text that is not UTF-8")
                self.send_data()
                return
        else:
            self._mailbox.put_nowait(payload)
        if len(self._mailbox) >= _MOST_WAITING and not self._is_held:
            self._is_held = True
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end, and tell everyone who waits."""
        super().connection_lost(exc)
        self._mailbox.put_nowait(None)

    async def receive(self) -> str | bytes:
        """Return the next message.

        Raises:
            ConnectionClosed: The connection has ended, and every message was fetched.
        """
        message: str | bytes | None = await self._mailbox.get()
        if message is None:
            self._mailbox.put_back(None)  # for others who wait, and for the next time
            raise self.protocol.close_exc
        if self._is_held and len(self._mailbox) <= _MOST_WAITING // 4:
            self._is_held = False
            if not self.transport.is_closing():
                self.transport.resume_reading()
        return message

    async def put(self, message: str | bytes) -> None:
        """Send a message.

        Raises:
            ConnectionClosed: The connection has ended.
        """
        is_plain = self._cutter is not None and self.protocol.state is State.OPEN
        if not is_plain or self.paused or self.send_in_progress is not None:
            await self.send(message)
            return
        if len(self._keys) < 4:
            self._keys = os.urandom(1024)
        key, self._keys = self._keys[:4], self._keys[4:]
        if isinstance(message, str):
            self.transport.write(write_frame(True, message.encode(), key))
        else:
            self.transport.write(write_frame(False, message, key))

    async def close(self, code: CloseCode | int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Close, and wait for the peer's answer, `close_timeout` seconds at most."""
        if self._is_held:  # the answer is behind what nobody will fetch
            self._is_held = False
            if not self.transport.is_closing():
                self.transport.resume_reading()
        await super().close(code, reason)


class ClientWebSocket(TypedMessages, WebSocket):
    """A peer that we dialled. Any task may use it.

    Args:
        request: The request that it was opened with.
        websocket: The connection.
    """

    def __init__(self, *, request: Request, websocket: Any) -> None:
        super().__init__(request=request)
        self.websocket: LeanConnection = websocket

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

    async def receive(self) -> str | bytes:
        """Return the next message.

        Raises:
            WebSocketClosed: The connection has ended; says with which code and reason.
        """
        try:
            return await self.websocket.receive()
        except ConnectionClosed as closed:
            raise _ended(closed) from closed

    async def send_text(self, data: str) -> None:
        """Send a text message.

        Raises:
            WebSocketClosed: The connection has ended.
        """
        await self._send(data)

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message.

        Raises:
            WebSocketClosed: The connection has ended.
        """
        await self._send(data)

    async def _send(self, data: str | bytes) -> None:
        try:
            await self.websocket.put(data)
        except ConnectionClosed as closed:
            raise _ended(closed) from closed


def _ended(closed: ConnectionClosed) -> WebSocketClosed:
    """Say how a connection ended: as the peer said, else as we said, else in silence."""
    frame = closed.rcvd or closed.sent
    return WebSocketClosed(CloseCode.ABNORMAL_CLOSURE) if frame is None else WebSocketClosed(frame.code, frame.reason)

"""A client connection of the library `websockets` in which plain messages go by a wire."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State

from slipstream._foreign.websockets import connection_fits, end_of
from slipstream._sockets.frames import mask_key, write_frame
from slipstream._sockets.wire import Wire

_MOST_WAITING = 32
_HEAD_END = b"\r\n\r\n"


class BoundedConnection(ClientConnection):
    """A connection whose `close` keeps to `close_timeout` though the peer takes nothing.

    The library waits for room to write before it looks at its deadline.
    """

    __slots__ = ("on_lost",)

    on_lost: Callable[[], object] | None
    """Called when the connection has ended, though messages before its end may still be unread."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_lost = None

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()

    async def close(self, code: CloseCode | int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Close, and wait for the peer's answer, `close_timeout` seconds at most."""
        if self.close_timeout is None:
            await super().close(code, reason)
            return
        deadline = self.loop.call_later(self.close_timeout, self._abort_if_stalled)
        try:
            await super().close(code, reason)
        finally:
            deadline.cancel()

    def _abort_if_stalled(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()


class ClientWire(Wire):
    """The wire of a connection, which gets what is no plain message."""

    __slots__ = ("_connection",)

    def __init__(self, connection: "LeanConnection", loop: asyncio.AbstractEventLoop, max_size: int) -> None:
        super().__init__(loop, masked=False, max_size=max_size, high=_MOST_WAITING, low=_MOST_WAITING // 4)
        self._connection = connection

    def pass_on(self, frame: bytes) -> bool:
        return self._connection.take_frame(frame)

    def refuse_text(self) -> None:
        self._connection.refuse_text()

    def send(self, data: str | bytes) -> bool:
        """Send a message if that is possible at once; return whether it was."""
        if not self.is_open or self.is_full or self.transport.is_closing():
            return False
        payload = data.encode() if isinstance(data, str) else data
        self.transport.write(write_frame(payload is not data, payload, mask_key()))
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)

    def eof_received(self) -> None:
        self._connection.eof_received()

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()


class LeanConnection(BoundedConnection):
    """A connection whose plain messages do not pass through the library; give it as `create_connection`.

    If compression was negotiated, every frame passes through the library. `recv_streaming` gets nothing.
    """

    # An object with more than 29 attributes, or with some that come late, has a dict of its own, of 1.5 KiB.
    __slots__ = ("_head", "_is_text", "_parts", "recv_messages", "transport", "wire")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        most = self.protocol.max_message_size
        self.wire = ClientWire(self, self.loop, 2**63 if most is None else most)
        self._parts: list[bytes] = []
        self._is_text = False
        self._head: bytearray | None = bytearray()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.wire.transport = transport

    def pause_writing(self) -> None:
        super().pause_writing()
        self.wire.is_full = True

    def resume_writing(self) -> None:
        super().resume_writing()
        self.wire.is_full = False

    def data_received(self, data: bytes) -> None:
        """Take in the answer to the handshake; and what follows, if there is no wire at the transport."""
        if self._head is None:
            super().data_received(data)
            self.wire.queue.wake()
            return
        before = len(self._head)
        self._head += data
        end = self._head.find(_HEAD_END, max(before - 3, 0))
        # The library gets the answer and not a byte more.
        stop = len(data) if end < 0 else end + len(_HEAD_END) - before
        super().data_received(data[:stop])
        if end < 0:
            return
        self._head = None
        protocol: Any = self
        if self.protocol.state is State.OPEN and not self.protocol.extensions:
            self.transport.set_protocol(self.wire)
            protocol = self.wire
        if stop < len(data):
            protocol.data_received(data[stop:])

    def take_frame(self, frame: bytes) -> bool:
        """Take a frame that is not a plain message; return whether the library takes more frames."""
        if self.protocol.close_rcvd is not None or self.protocol.state is State.CLOSED:
            return False
        BoundedConnection.data_received(self, frame)
        return self.protocol.parser_exc is None and self.protocol.close_rcvd is None

    def refuse_text(self) -> None:
        """End the connection, since a text is not UTF-8."""
        self.protocol.fail(CloseCode.INVALID_DATA, "text that is not UTF-8")
        self.send_data()

    def process_event(self, event: Any) -> None:
        """Take a frame from the library's parser, such as a fragment."""
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
        """Send what the library has written; its state changes nowhere else."""
        super().send_data()
        # While a message is sent in fragments, no other frame may come between.
        is_free = self.protocol.state is State.OPEN and self.send_in_progress is None
        self.wire.is_open = is_free and not self.protocol.extensions

    def connection_lost(self, exc: Exception | None) -> None:
        """Put None, for the end, behind the last message."""
        self.wire.is_open = False
        super().connection_lost(exc)
        self.wire.queue.put_nowait(None)

    async def recv(self, decode: bool | None = None) -> Any:
        """Return the next message: text as str, unless `decode` is False; binary as bytes, unless it is True.

        Raises `ConnectionClosed` when no message is left, and `UnicodeDecodeError` if `decode` has to and cannot.
        """
        message = await self.wire.queue.get()
        if self.wire.read_paused:
            self.wire.resume()
        if message is None:
            self.wire.queue.put_back(None)  # for other tasks that wait, and for the next call
            raise end_of(self)
        if decode is None:
            return message
        if decode:
            return message if isinstance(message, str) else message.decode()
        return message if isinstance(message, bytes) else message.encode()

    async def send(self, message: Any, text: bool | None = None) -> None:
        """Send a message, and wait while the transport's buffer is full; see the library."""
        if text is not None or not isinstance(message, (str, bytes)):
            await super().send(message, text=text)
        elif (rest := self.begin(message)) is not None:
            await rest

    def begin(self, message: str | bytes) -> Coroutine[Any, Any, None] | None:
        """Begin to send a message; return the coroutine to await, or None if there is nothing to wait for."""
        if not self.wire.send(message):
            return super().send(message)
        return self._room() if self.wire.is_full else None

    async def _room(self) -> None:
        """Wait until the transport's buffer has room."""
        async with self.send_context():
            pass  # the library waits at the exit


def connection_type() -> type[BoundedConnection]:
    """Return `LeanConnection`, or `BoundedConnection` if the library's inside is not that of websockets 17."""
    return LeanConnection if connection_fits() else BoundedConnection

"""A client connection of the library `websockets`, with the common case made short."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State

from slipstream._foreign.websockets import connection_fits, end_of
from slipstream._sockets.wire import Wire

_MOST_WAITING = 32
_HEAD_END = b"\r\n\r\n"


class LeanConnection(ClientConnection):
    """A connection whose plain messages go straight between the socket and whoever sends or waits.

    Give it to the library as `create_connection`. Where compression was negotiated, every frame goes through the
    library, which knows the extension. `recv_streaming` is not fed.

    Args:
        args: See `ClientConnection`.
        kwargs: See `ClientConnection`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        most = self.protocol.max_message_size
        self.wire = Wire(
            self,
            self.loop,
            is_server=False,
            max_size=2**63 if most is None else most,
            high=_MOST_WAITING,
            low=_MOST_WAITING // 4,
        )
        self._parts: list[bytes] = []
        self._is_text = False
        self._head: bytearray | None = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the transport."""
        super().connection_made(transport)
        self.wire.transport = self.transport

    def data_received(self, data: bytes) -> None:
        """Take in bytes: the answer to the handshake; and what follows, if it is not for the wire."""
        if self._head is None:
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
        self._head = None
        protocol: Any = self
        if self.protocol.state is State.OPEN and not self.protocol.extensions:
            self.transport.set_protocol(self.wire)
            protocol = self.wire
        if stop < len(data):
            protocol.data_received(data[stop:])

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
        self.wire.is_open = is_free and not self.protocol.extensions

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

    async def recv(self, decode: bool | None = None) -> Any:
        """Return the next message: text as str, unless `decode` is False; binary as bytes, unless it is True.

        Raises:
            ConnectionClosed: The connection has ended, and nothing is left that came before.
            UnicodeDecodeError: `decode` is True, and the message is not UTF-8.
        """
        message = await self.wire.queue.get()
        if self.wire.read_paused:
            self.wire.resume()
        if message is None:
            self.wire.queue.put_back(None)  # for others who wait, and for the next time
            raise end_of(self)
        if decode is None:
            return message
        if decode:
            return message if isinstance(message, str) else message.decode()
        return message if isinstance(message, bytes) else message.encode()

    async def send(self, message: Any, text: bool | None = None) -> None:
        """Send a message, and wait while the peer takes nothing; see the library."""
        if text is not None or not isinstance(message, (str, bytes)):
            await super().send(message, text=text)
        elif (rest := self.begin(message)) is not None:
            await rest

    def begin(self, message: str | bytes) -> Coroutine[Any, Any, None] | None:
        """Send a message, as `send` does; return what is to be awaited, or None if nothing is left to wait for."""
        if not self.wire.send(message):
            return super().send(message)
        return self._room() if self.wire.is_full else None

    async def _room(self) -> None:
        """Wait until the peer takes what has been sent."""
        async with self.send_context():
            pass  # the library waits on leaving


def connection_type() -> type[ClientConnection]:
    """Choose ours; or the library's own, where it is another inside: ours is made for websockets 17."""
    return LeanConnection if connection_fits() else ClientConnection


__all__ = ["LeanConnection", "connection_type"]

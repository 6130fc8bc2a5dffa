"""Reads and writes plain messages of an open WebSocket at asyncio's transport, for a server or a client.

After the handshake a `Wire` takes the place of the library's protocol at the transport. It handles plain messages and
passes everything else on to the protocol. Everything that a message needs is in this small object: with hundreds of
links, little of a link is in the processor's caches when an event comes.
"""

import asyncio
from typing import Any, Protocol

from websockets.protocol import State

from slipstream._sockets.frames import FrameCutter, mask_key, write_frame
from slipstream._sockets.mailbox import Mailbox

_LARGE = 65_536
"""Size in bytes from which one waiting message stops reading: waiting messages are bounded by bytes too."""


class WiredProtocol(asyncio.Protocol):
    """What the protocols of the library `websockets` do for their wire; derive from this and from such a protocol."""

    wire: "Wire"
    conn: Any
    """The library's state of the connection, without I/O."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.wire.transport = transport

    def take_frame(self, frame: bytes) -> bool:
        """Take a frame that is not a plain message; return whether the library takes more frames."""
        if self.conn.close_rcvd is not None or self.conn.state is State.CLOSED:
            return False
        super().data_received(frame)
        return self.conn.parser_exc is None and self.conn.close_rcvd is None

    def refuse_text(self) -> None:
        """End the connection, since a text is not UTF-8."""
        raise NotImplementedError

    def pause_writing(self) -> None:
        super().pause_writing()
        self.wire.is_full = True

    def resume_writing(self) -> None:
        super().resume_writing()
        self.wire.is_full = False


class Taker(Protocol):
    """Takes a connection's messages as they come, in place of tasks that fetch them."""

    def take(self, message: str | bytes, is_alone: bool) -> bool:
        """Take a message that came with others or `is_alone`; return whether another may come before `Wire.go_on`."""

    def finish(self, end: Any) -> None:
        """Learn that there are no more messages; `end` is what the protocol put after the last."""


class Wire(FrameCutter, asyncio.Protocol):
    """A connection's messages, both ways; `is_server` says that the peer dialled, and so must mask its frames.

    Frames of more than `max_size` bytes are not gathered here. Reading stops at `high` waiting messages, or at one of
    64 KiB or more, and goes on at `low`.
    """

    __slots__ = (
        "_high", "_is_blocked", "_is_server", "_low", "_protocol", "_taker", "is_full", "is_leaving", "is_open",
        "queue", "read_paused", "transport",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(
        self,
        protocol: WiredProtocol,
        loop: asyncio.AbstractEventLoop,
        *,
        is_server: bool,
        max_size: int,
        high: int,
        low: int,
    ) -> None:
        super().__init__(masked=is_server, max_size=max_size)
        self._protocol, self._is_server = protocol, is_server
        self._high, self._low = high, low
        self.queue = Mailbox(loop)
        """Messages that came; after the last, an item that stands for the end."""
        self._taker: Taker | None = None
        self._is_blocked = False
        self.is_open = False
        """Whether plain frames may be written; set by the protocol, as the next two."""
        self.is_full = False
        """Whether the transport's buffer is full."""
        self.is_leaving = False
        """Whether messages that come now are dropped."""
        self.read_paused = False
        """Whether reading is stopped, since too many messages wait."""

    def data_received(self, data: bytes) -> None:
        """Take in bytes; a task that waits for their message runs before this returns."""
        message = self.only_message(data)
        if message is not None and not self.is_leaving:
            taker = self._taker
            if taker is None:
                if self.queue.give(message):
                    return
            elif not self._is_blocked and not self.queue.items:
                self._is_blocked = not taker.take(message, True)
                return
        self.feed(data)
        self.queue.wake()

    def give_to(self, taker: Taker | None, *, as_bytes: bool = False) -> None:
        """Give every message, also those that wait, to a taker, a text perhaps `as_bytes`; None: to tasks again."""
        self._taker, self._is_blocked, self._as_bytes = taker, False, as_bytes
        self.queue.outlet = None if taker is None else self._pour
        self._pour()
        self.queue.shrink()

    def go_on(self) -> None:
        """Give messages again to a taker whose `take` returned False."""
        self._is_blocked = False
        self._pour()

    def _pour(self) -> None:
        items = self.queue.items
        while items and self._taker is not None and not self._is_blocked:
            if isinstance(items[0], (str, bytes)):
                self._is_blocked = not self._taker.take(items.popleft(), False)
            else:  # the end stays in the queue, for tasks that fetch later
                self._taker.finish(items[0])
                self.give_to(None)
        if self.read_paused and not self._is_blocked:
            self.resume()

    def take(self, is_text: bool, payload: bytes) -> None:
        if self.is_leaving:
            return
        try:
            self.queue.add(payload.decode() if is_text else payload)
        except UnicodeDecodeError:
            self.is_leaving = True
            self._protocol.refuse_text()
            return
        if (len(self.queue) >= self._high or len(payload) >= _LARGE) and not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def pass_on(self, frame: bytes) -> bool:
        return self._protocol.take_frame(frame)

    def resume(self) -> None:
        """Read again if enough messages were fetched, or will not be."""
        if self.is_leaving or len(self.queue) <= self._low:
            self.read_paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    def send(self, data: str | bytes) -> bool:
        """Send a message if that is possible at once; return whether it was."""
        if not self.is_open or self.is_full or self.transport.is_closing():
            return False
        payload = data.encode() if isinstance(data, str) else data
        key = b"" if self._is_server else mask_key()
        self.transport.write(write_frame(payload is not data, payload, key))
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)

    def eof_received(self) -> bool | None:
        return self._protocol.eof_received()

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

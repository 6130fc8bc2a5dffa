"""The socket's end of an open WebSocket, for either side.

When a handshake is done, a `Wire` takes the place of the library's protocol at the transport. It hands plain messages
to whoever waits, and writes such; everything else it passes on to the library's protocol, its owner. All that a
message needs is in this one small object: with hundreds of links an event finds little of its link in the caches.
"""

import asyncio
from typing import Any, Protocol

from slipstream._sockets.frames import FrameCutter, mask_key, write_frame
from slipstream._sockets.mailbox import Mailbox

_LARGE = 65_536
"""From so many bytes on a message that waits is enough by itself for the socket not to be read any more: what waits is
bounded by bytes, not only by number."""


class Owner(Protocol):
    """What a wire asks of the library's protocol."""

    def take_frame(self, frame: bytes) -> bool:
        """Take a frame that is not a plain message; return whether there is a sense in more of them."""

    def refuse_text(self) -> None:
        """End the connection: a text is not UTF-8."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Learn of the end."""

    def eof_received(self) -> bool | None:
        """Learn that nothing more comes."""

    def pause_writing(self) -> None:
        """Learn that the peer takes nothing."""

    def resume_writing(self) -> None:
        """Learn that the peer takes again."""


class Taker(Protocol):
    """What takes a connection's messages as they come, in place of tasks that fetch them."""

    def take(self, message: str | bytes, is_alone: bool) -> bool:
        """Take a message.

        Args:
            message: The message.
            is_alone: Whether no other has come with it; only then may anything run that waits for it.

        Returns:
            Whether another may come before `Wire.go_on` is called.
        """

    def finish(self, end: Any) -> None:
        """Learn that no message comes any more; `end` is what the protocol put after the last."""


class Wire(FrameCutter, asyncio.Protocol):
    """A connection's messages, both ways.

    Args:
        owner: The library's protocol.
        loop: The loop of the connection.
        is_server: Whether the peer dialled, and so must mask.
        max_size: Longest frame that is gathered here, in bytes.
        high: So many messages wait, and the socket is not read any more; of 64 KiB and more, one.
        low: So few wait, and it is read again.
    """

    __slots__ = (
        "_high",
        "_is_blocked",
        "_is_server",
        "_low",
        "_owner",
        "_taker",
        "is_full",
        "is_leaving",
        "is_open",
        "queue",
        "read_paused",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(
        self, owner: Owner, loop: asyncio.AbstractEventLoop, *, is_server: bool, max_size: int, high: int, low: int
    ) -> None:
        super().__init__(masked=is_server, max_size=max_size)
        self._owner, self._is_server = owner, is_server
        self._high, self._low = high, low
        self.queue = Mailbox(loop)
        """Messages that came; after them, whatever stands for the end."""
        self._taker: Taker | None = None
        self._is_blocked = False
        self.is_open = False
        """Whether plain frames may be written; the owner keeps it."""
        self.is_full = False
        """Whether the peer takes nothing; the owner keeps it."""
        self.is_leaving = False
        """Whether messages that come now are for nobody; the owner keeps it."""
        self.read_paused = False
        """Whether nothing is read, since too much waits."""

    def data_received(self, data: bytes) -> None:
        """Take in bytes; one who waits for the message in them runs before this returns."""
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

    def give_to(self, taker: Taker | None) -> None:
        """Give every message that has come and that comes to a taker; None: let tasks fetch them again."""
        self._taker, self._is_blocked = taker, False
        self.queue.outlet = None if taker is None else self._pour
        self._pour()

    def go_on(self) -> None:
        """Give messages again to the taker that could take no more."""
        self._is_blocked = False
        self._pour()

    def _pour(self) -> None:
        items = self.queue.items
        while items and self._taker is not None and not self._is_blocked:
            if isinstance(items[0], (str, bytes)):
                self._is_blocked = not self._taker.take(items.popleft(), False)
            else:  # it stays, for whoever asks later
                self._taker.finish(items[0])
                self.give_to(None)
        if self.read_paused and not self._is_blocked:
            self.resume()

    def take(self, is_text: bool, payload: bytes) -> None:
        """Take in a message."""
        if self.is_leaving:
            return
        items = self.queue.items
        try:
            items.append(payload.decode() if is_text else payload)
        except UnicodeDecodeError:
            self.is_leaving = True
            self._owner.refuse_text()
            return
        if (len(items) >= self._high or len(payload) >= _LARGE) and not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def pass_on(self, frame: bytes) -> bool:
        """Let the library take any other frame."""
        return self._owner.take_frame(frame)

    def resume(self) -> None:
        """Read again, if enough was fetched."""
        if len(self.queue) <= self._low:
            self.read_on()

    def read_on(self) -> None:
        """Read again, whatever waits."""
        self.read_paused = False
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def send(self, data: str | bytes) -> bool:
        """Send a message, if that can be done at once; return whether it was."""
        if not self.is_open or self.is_full or self.transport.is_closing():
            return False
        payload = data.encode() if isinstance(data, str) else data
        key = b"" if self._is_server else mask_key()
        self.transport.write(write_frame(payload is not data, payload, key))
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on."""
        self._owner.connection_lost(exc)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._owner.eof_received()

    def pause_writing(self) -> None:
        """Pass it on."""
        self._owner.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._owner.resume_writing()


__all__ = ["Owner", "Taker", "Wire"]

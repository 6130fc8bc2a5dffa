"""Reads plain messages of an open WebSocket at asyncio's transport, for a server or a client.

After the handshake a `Wire` is the protocol at the transport. It handles plain messages; subclasses write, and take
every other frame. Everything that a message needs is in this small object: with hundreds of links, little of a link is
in the processor's caches when an event comes.
"""

import asyncio
from typing import Any, Protocol

from slipstream._sockets.frames import FrameCutter
from slipstream._sockets.mailbox import Mailbox

_LARGE = 65_536
"""Size in bytes from which one waiting message stops reading: waiting messages are bounded by bytes too."""


class Taker(Protocol):
    """Takes a connection's messages as they come, in place of tasks that fetch them."""

    def take(self, message: str | bytes, is_alone: bool) -> bool:
        """Take a message that came with others or `is_alone`; return whether another may come before `Wire.go_on`."""

    def finish(self, end: Any) -> None:
        """Learn that there are no more messages; `end` is what the protocol put after the last."""


class Wire(FrameCutter, asyncio.Protocol):
    """A connection's messages; `masked` says that the peer dialled, and so must mask its frames.

    Frames of more than `max_size` bytes are not gathered here. Reading stops at `high` waiting messages, or at one of
    64 KiB or more, and goes on at `low`.
    """

    __slots__ = (
        "_high", "_is_blocked", "_low", "_taker", "is_full", "is_leaving", "is_open", "queue", "read_paused",
        "transport",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, *, masked: bool, max_size: int, high: int, low: int) -> None:
        super().__init__(masked=masked, max_size=max_size)
        self._high, self._low = high, low
        self.queue = Mailbox(loop)
        """Messages that came; after the last, an item that stands for the end."""
        self._taker: Taker | None = None
        self._is_blocked = False
        self.is_open = False
        """Whether plain frames may be written; set by the subclass, as the next two."""
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
            self.refuse_text()
            return
        if (len(self.queue) >= self._high or len(payload) >= _LARGE) and not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def refuse_text(self) -> None:
        """End the connection, since a text is not UTF-8."""
        raise NotImplementedError

    def resume(self) -> None:
        """Read again if enough messages were fetched, or will not be."""
        if self.is_leaving or len(self.queue) <= self._low:
            self.read_paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    def send(self, data: str | bytes) -> bool:
        """Send a message if that is possible at once; return whether it was."""
        raise NotImplementedError

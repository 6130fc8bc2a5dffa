"""Takes the messages of one connection: from a wire as they come, from other sources by fetching."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from slipstream.links.errors import ends_task
from slipstream.links.session import Data


class Receiver(Protocol):
    """Takes the messages of connections: the session of a link, or an object of the program in its place.

    With `takes_bytes = True` it may get a text as its UTF-8, which saves time.
    """

    def take(self, connection: Any, message: Data, reader: "Intake", is_alone: bool) -> bool:
        """Take a message; see `Session.take`."""


class TooLong(Exception):
    """A message has more bytes than the limit."""


class Intake:
    """Takes in the messages of one connection for a receiver until it ends.

    `limit` is the most bytes of one; None: the library's own limit.
    """

    __slots__ = ("_connection", "_end", "_error", "_limit", "_room", "_wire", "receiver")

    def __init__(self, receiver: Receiver, connection: Any, limit: int | None = None) -> None:
        self.receiver, self._connection = receiver, connection
        self._limit = float("inf") if limit is None else limit
        self._wire: Any = None  # a `slipstream._sockets.wire.Wire`, whose module is not loaded for this
        self._room: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._end: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def pour(self, wire: Any) -> Any:
        """Take messages from a wire, as they come; return the end that the wire's protocol reported.

        Raises:
            QueueFull: The receiver has no room, and its policy is "close".
            TooLong: A message is longer than allowed.
        """
        self._wire = wire
        wire.give_to(self, as_bytes=getattr(self.receiver, "takes_bytes", False))
        try:
            return self._outcome(await self._end)
        finally:
            wire.give_to(None)

    async def fetch(self, receive: Callable[[], Awaitable[Any]]) -> Any:
        """Take messages from a function, which returns anything else after the last; see `pour`."""
        while isinstance(message := await receive(), (str, bytes)):
            has_room = self.take(message, False)
            if self._end.done():
                return self._outcome(None)
            if not has_room:
                self._room = asyncio.get_running_loop().create_future()
                await self._room
        return message

    def take(self, message: Data, is_alone: bool) -> bool:
        """Take a message; return whether another may come before there is room for it."""
        try:
            if len(message) * 4 > self._limit and size_of(message) > self._limit:  # a character has at most four bytes
                raise TooLong
            return self.receiver.take(self._connection, message, self, is_alone)
        except BaseException as error:
            if ends_task(error):
                raise
            self._error = error
            self.finish(None)
            return False

    def _outcome(self, end: Any) -> Any:
        if self._error is not None:
            raise self._error
        return end

    def finish(self, end: Any) -> None:
        """Note that no message comes any more."""
        if not self._end.done():
            self._end.set_result(end)

    def go_on(self) -> None:
        """Take more: there is room."""
        if self._wire is not None:
            self._wire.go_on()
        elif self._room is not None and not self._room.done():
            self._room.set_result(None)


def size_of(data: Data) -> int:
    """Count the bytes of a message."""
    if isinstance(data, bytes):
        return len(data)
    return len(data) if data.isascii() else len(data.encode())

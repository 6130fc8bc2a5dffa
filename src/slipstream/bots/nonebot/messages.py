"""The methods of NoneBot's WebSockets for messages, whichever side dialled."""

from abc import abstractmethod
from collections.abc import Awaitable
from typing import Any

from nonebot.drivers import WebSocket

from slipstream._sockets.wire import Wire


def not_a_message(data: object) -> TypeError:
    """Return the error for data that is neither text nor bytes."""
    return TypeError(f"a message is text or bytes, and not of type {type(data).__qualname__}")


class TypedMessages(WebSocket):
    """Methods for text messages and for binary messages, which call `receive` and `send` for either."""

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

    async def send_text(self, data: str) -> None:
        """Send a text message."""
        await self.send(data)

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""
        await self.send(data)


class DirectMessages(TypedMessages):
    """Messages that go straight between a wire and the tasks that send or wait; several tasks may."""

    _wire: Wire

    async def receive(self) -> str | bytes:
        """Return the next message.

        Raises:
            WebSocketClosed: The connection has ended, with this code and reason.
        """
        wire = self._wire
        queue = wire.queue
        message = queue.items.popleft() if queue.items else await queue.turn()
        if wire.read_paused:
            wire.resume()
        if isinstance(message, (str, bytes)):
            return message
        queue.put_back(message)  # every other and every later call of `receive` gets the end, too
        raise self._ended(message)

    async def send(self, data: str | bytes) -> None:
        """Send a message.

        Raises:
            TypeError: The message is neither text nor bytes.
            WebSocketClosed: The connection has ended.
        """
        if not isinstance(data, (str, bytes)):
            raise not_a_message(data)
        if not self._wire.send(data):
            await self._send_later(data)

    @abstractmethod
    def _ended(self, end: Any) -> Exception:
        """Return the error that says how the connection ended."""

    @abstractmethod
    def _send_later(self, data: str | bytes) -> Awaitable[None]:
        """Send a message that the wire could not send at once."""


__all__ = ["DirectMessages", "TypedMessages", "not_a_message"]

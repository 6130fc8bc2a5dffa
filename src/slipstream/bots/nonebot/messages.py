"""What both kinds of WebSocket do with messages, whoever dialled."""

from collections.abc import Awaitable
from typing import Any

from slipstream._sockets.wire import Wire


def not_a_message(data: object) -> TypeError:
    """Make the error for data that is neither text nor bytes."""
    return TypeError(f"a message is text or bytes, and not of type {type(data).__qualname__}")


class TypedMessages:
    """Receives text or binary messages by name, on top of a `receive` that takes either; and so with `send`."""

    async def receive(self) -> str | bytes:
        """Return the next message."""
        raise NotImplementedError

    async def send(self, data: str | bytes) -> None:
        """Send a message."""
        raise NotImplementedError

    async def receive_text(self) -> str:
        """Return the next message, which must be text.

        Raises:
            TypeError: It is binary.
            WebSocketClosed: The connection has ended.
        """
        message = await self.receive()
        if isinstance(message, bytes):
            raise TypeError("expected a text message, received a binary one")
        return message

    async def receive_bytes(self) -> bytes:
        """Return the next message, which must be binary.

        Raises:
            TypeError: It is text.
            WebSocketClosed: The connection has ended.
        """
        message = await self.receive()
        if isinstance(message, str):
            raise TypeError("expected a binary message, received a text one")
        return message

    async def send_text(self, data: str) -> None:
        """Send a text message.

        Raises:
            WebSocketClosed: The connection has ended.
        """
        await self.send(data)

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message.

        Raises:
            WebSocketClosed: The connection has ended.
        """
        await self.send(data)


class DirectMessages(TypedMessages):
    """Messages that go straight between a wire and whoever sends or waits. Any task may use them."""

    _wire: Wire

    async def receive(self) -> str | bytes:
        """Return the next message.

        Raises:
            WebSocketClosed: The connection has ended; says with which code and reason.
        """
        wire = self._wire
        queue = wire.queue
        message = queue.items.popleft() if queue.items else await queue.turn()
        if wire.read_paused:
            wire.resume()
        if isinstance(message, (str, bytes)):
            return message
        queue.put_back(message)  # for others who wait, and for the next time
        raise self._ended(message)

    async def send(self, data: str | bytes) -> None:
        """Send a message.

        Raises:
            TypeError: It is neither text nor bytes.
            WebSocketClosed: The connection has ended.
        """
        if not isinstance(data, (str, bytes)):
            raise not_a_message(data)
        if not self._wire.send(data):
            await self._send_later(data)

    def _ended(self, end: Any) -> Exception:
        """Say how the connection ended."""
        raise NotImplementedError

    def _send_later(self, data: str | bytes) -> Awaitable[None]:
        """Send a message that could not be sent at once."""
        raise NotImplementedError


__all__ = ["DirectMessages", "TypedMessages", "not_a_message"]

"""The methods of NoneBot's WebSockets for messages, whichever side dialled."""

from abc import abstractmethod
from typing import Any

from nonebot.drivers import WebSocket

from slipstream._sockets.wire import Wire


class Messages(WebSocket):
    """Messages that go straight between a wire, where there is one, and the tasks that send or wait; several may."""

    _wire: Wire | None = None

    async def receive(self) -> str | bytes:
        """Return the next message; WebSocketClosed has the code and reason of the end."""
        wire = self._wire
        if wire is None:
            return await self._receive_elsewhere()
        queue = wire.queue
        message = queue.items.popleft() if queue.items else await queue.turn()
        if wire.read_paused:
            wire.resume()
        if isinstance(message, (str, bytes)):
            return message
        queue.put_back(message)  # every other and every later call of `receive` gets the end, too
        raise self._ended(message)

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

    async def send(self, data: str | bytes) -> None:
        """Send a message; WebSocketClosed says that the connection has ended."""
        if not isinstance(data, (str, bytes)):
            raise TypeError(f"a message is text or bytes, and not of type {type(data).__qualname__}")
        if self._wire is None or not self._wire.send(data):
            await self._send_elsewhere(data)

    async def send_text(self, data: str) -> None:
        """Send a text message."""
        await self.send(data)

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""
        await self.send(data)

    @abstractmethod
    async def _receive_elsewhere(self) -> str | bytes:
        """Return the next message where there is no wire."""

    @abstractmethod
    async def _send_elsewhere(self, data: str | bytes) -> None:
        """Send a message that no wire can send at once."""

    @abstractmethod
    def _ended(self, end: Any) -> Exception:
        """Return the error that says how the connection ended."""

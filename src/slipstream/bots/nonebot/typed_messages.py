"""What both kinds of WebSocket do with a message of the wrong type, whoever dialled."""


class TypedMessages:
    """Receives text or binary messages by name, on top of a `receive` that takes either."""

    async def receive(self) -> str | bytes:
        """Return the next message."""
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

"""Finds the wire behind an ASGI connection, where nothing stands between. Loads no WebSocket library."""

from typing import Any

from starlette.types import Receive, Send


class DirectProtocol:
    """What a server's protocol derives from to say that it has a wire."""

    wire: Any
    """A `slipstream._sockets.wire.Wire`, whose libraries nobody need load who only asks for it."""

    async def put(self, data: str | bytes) -> bool:
        """Send a message when the peer has taken in what was sent before; return whether the peer was there."""
        raise NotImplementedError


def protocol_behind(receive: Receive, send: Send) -> DirectProtocol | None:
    """Return the protocol whose methods ASGI's two functions are; None if it has no wire, or middleware stands between.

    The application's guard, which watches whether anything was sent, has what it wraps in `send`.
    """
    protocol = getattr(receive, "__self__", None)
    sender = getattr(getattr(send, "send", send), "__self__", None)
    return protocol if sender is protocol and isinstance(protocol, DirectProtocol) else None


__all__ = ["DirectProtocol", "protocol_behind"]

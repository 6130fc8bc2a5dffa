"""Finds the wire of an ASGI connection that has no middleware. Imports no WebSocket library."""

from typing import Any

from starlette.types import Receive, Send


class DirectProtocol:
    """Base of a server's protocol that is a wire."""

    __slots__ = ()

    @property
    def wire(self) -> Any:
        """The protocol itself, as a `slipstream._sockets.wire.Wire`, whose module imports a WebSocket library."""
        return self

    async def put(self, data: str | bytes) -> bool:
        """Send a message as soon as the transport's buffer has room; return False if the connection is gone."""
        raise NotImplementedError


def protocol_behind(receive: Receive, send: Send) -> DirectProtocol | None:
    """Return the protocol of which ASGI's two functions are methods; None if it has no wire, or behind middleware."""
    # `Watch`, which the application puts around `send`, is no middleware: it has the function in its own `send`.
    protocol = getattr(receive, "__self__", None)
    sender = getattr(getattr(send, "send", send), "__self__", None)
    return protocol if sender is protocol and isinstance(protocol, DirectProtocol) else None

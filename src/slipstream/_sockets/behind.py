"""Finds the wire behind an ASGI connection, where nothing stands between."""

from typing import Any, Protocol

from starlette.types import Receive, Send

from slipstream._sockets.wire import Wire


class DirectProtocol(Protocol):
    """A server's protocol that has a wire."""

    wire: Wire

    async def put(self, data: str | bytes) -> bool:
        """Send a message when the peer has taken in what was sent before; return whether the peer was there."""


def protocol_behind(receive: Receive, send: Send) -> DirectProtocol | None:
    """Return the protocol whose methods ASGI's two functions are; None if it has no wire, or middleware stands between.

    The application's guard, which watches whether anything was sent, has what it wraps in `send`.
    """
    protocol: Any = getattr(receive, "__self__", None)
    sender = getattr(getattr(send, "send", send), "__self__", None)
    return protocol if sender is protocol and isinstance(getattr(protocol, "wire", None), Wire) else None


__all__ = ["DirectProtocol", "protocol_behind"]

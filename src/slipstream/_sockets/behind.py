"""Finds the wire behind an ASGI connection, where nothing stands between."""

import sys
from typing import TYPE_CHECKING, Any, Protocol

from starlette.types import Receive, Send

if TYPE_CHECKING:
    from slipstream._sockets.wire import Wire


class DirectProtocol(Protocol):
    """A server's protocol that has a wire."""

    wire: "Wire"

    async def put(self, data: str | bytes) -> bool:
        """Send a message when the peer has taken in what was sent before; return whether the peer was there."""


def protocol_behind(receive: Receive, send: Send) -> DirectProtocol | None:
    """Return the protocol whose methods ASGI's two functions are; None if it has no wire, or middleware stands between.

    The application's guard, which watches whether anything was sent, has what it wraps in `send`.
    """
    wires = sys.modules.get("slipstream._sockets.wire")  # who asks need not have a server, nor load its libraries
    protocol: Any = getattr(receive, "__self__", None)
    sender = getattr(getattr(send, "send", send), "__self__", None)
    is_direct = wires is not None and sender is protocol and isinstance(getattr(protocol, "wire", None), wires.Wire)
    return protocol if is_direct else None


__all__ = ["DirectProtocol", "protocol_behind"]

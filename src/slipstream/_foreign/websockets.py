"""The inside of a client connection of the library `websockets`, from which ours is derived."""

import inspect
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol

from slipstream._foreign.shapes import has_attributes, takes

_METHODS: dict[str, tuple[Any, ...]] = {
    "connection_made": ("transport",),
    "data_received": (b"",),
    "process_event": ("event",),
    "send_data": (),
    "send_context": (),
    "connection_lost": (None,),
    "pause_writing": (),
    "resume_writing": (),
    "recv": (None,),
}


def connection_fits() -> bool:
    """Whether the library has all that our connection uses, as websockets 17 does."""
    return (
        all(takes(ClientConnection, name, *given) for name, given in _METHODS.items())
        and takes(ClientConnection, "send", "message", text=None)
        and all(map(inspect.iscoroutinefunction, (ClientConnection.recv, ClientConnection.send)))
        and has_attributes(ClientConnection, "loop paused protocol send_in_progress")
        and has_attributes(ClientProtocol, "close_exc close_rcvd extensions max_message_size parser_exc state")
        and takes(ClientProtocol, "fail", 1007, "reason")
    )


def end_of(connection: Any) -> Exception:
    """Return the exception for the end of a connection, caused by the error that ended it."""
    end: Exception = connection.protocol.close_exc
    end.__cause__ = getattr(connection, "connection_exc", None) or getattr(connection, "recv_exc", None)
    return end

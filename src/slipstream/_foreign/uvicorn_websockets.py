"""The inside of uvicorn's WebSocket protocol, from which ours is derived; an ImportError where it does not fit."""

import inspect
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.server import ServerProtocol

from slipstream._foreign.shapes import has_attributes, takes

_SET = "close_sent config conn curr_msg_data_type disconnected frames handshake_complete handshake_initiated loop queue"
_METHODS: dict[str, Any] = {
    "connection_made": ["transport"],
    "data_received": [b""],
    "connection_lost": [None],
    "send": [{}],
}
_WITHOUT_ARGUMENTS = "handle_parser_exception pause_writing receive resume_writing send_receive_event_to_app"

if not (
    has_attributes(WebSocketsSansIOProtocol, _SET + " transport writable")
    and all(takes(WebSocketsSansIOProtocol, name, *given) for name, given in _METHODS.items())
    and all(takes(WebSocketsSansIOProtocol, name) for name in _WITHOUT_ARGUMENTS.split())
    and all(inspect.iscoroutinefunction(getattr(WebSocketsSansIOProtocol, name)) for name in ("receive", "send"))
    and has_attributes(ServerProtocol, "close_rcvd data_to_send extensions parser_exc send_binary send_text state")
    and takes(ServerProtocol, "fail", 1007, "reason")
):
    raise ImportError("the WebSocket protocol of this uvicorn is another inside: uvicorn 0.54 is known to fit")

__all__ = ["WebSocketsSansIOProtocol"]

"""The inside of uvicorn's HTTP protocol, from which ours is derived; an ImportError where it does not fit."""

import asyncio
import logging
from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import get_client_addr, get_path_with_query_string

from slipstream._foreign.shapes import has_attributes, takes


def _cycle_fits() -> bool:
    """Whether uvicorn's object for a request has the attributes that `slipstream.server.http` reads and sets."""
    kept: dict[str, Any] = {
        "scope": {"type": "http", "method": "GET", "path": "/", "query_string": b"", "client": None},
        "transport": object(),
        "flow": object(),
        "access_logger": logging.getLogger("uvicorn.access"),
        "access_log": True,
        "default_headers": [],
        "message_event": asyncio.Event(),
        "keep_alive": True,
        "on_response": _cycle_fits,
    }
    begun = {"more_body": True, "disconnected": False, "response_started": False, "response_complete": False}
    try:
        cycle: Any = RequestResponseCycle(**kept, logger=kept["access_logger"], expect_100_continue=False)
        is_said = get_path_with_query_string(kept["scope"]) + get_client_addr(kept["scope"]) == "/"
        return is_said and vars(cycle).items() >= (kept | begun).items() and isinstance(cycle.body, (bytes, bytearray))
    except TypeError:
        return False


if not (
    _cycle_fits()
    and isinstance(STATUS_LINE.get(200), bytes)
    and has_attributes(HttpToolsProtocol, "app server_state")
    and has_attributes(FlowControl, "write_paused")
    and takes(ProxyHeadersMiddleware, "__init__", "app")
):
    raise ImportError("the HTTP protocol of this uvicorn is another inside: uvicorn 0.54 is known to fit")

__all__ = [
    "STATUS_LINE",
    "HttpToolsProtocol",
    "ProxyHeadersMiddleware",
    "RequestResponseCycle",
    "get_client_addr",
    "get_path_with_query_string",
]

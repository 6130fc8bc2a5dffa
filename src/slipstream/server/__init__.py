"""Protocols for uvicorn with a short way from a parsed request or message to its handler.

    uvicorn.run(app, http=slipstream.server.http_protocol(), ws=slipstream.server.ws_protocol())

`slipstream run` does this by itself.
"""

from importlib import import_module
from typing import Any

from slipstream.server.limits import Limits


def http_protocol() -> str:
    """Return `slipstream.server.http:HTTPProtocol`, to give to uvicorn as `http`.

    Returns "auto", with which uvicorn chooses, if httptools is missing (`pip install "slipstream[standard]"`).
    """
    return _found("slipstream.server.http", "HTTPProtocol")


def ws_protocol() -> str:
    """Return `slipstream.server.websockets:WebSocketProtocol`, to give to uvicorn as `ws`.

    Returns "auto", with which uvicorn chooses, if websockets or httptools is missing.
    """
    return _found("slipstream.server.websockets", "WebSocketProtocol")


def _found(module: str, name: str) -> str:
    try:
        import_module(module)
    except ImportError:
        return "auto"
    return f"{module}:{name}"


def __getattr__(name: str) -> Any:
    if name == "metrics":  # imported late, since it needs httptools' and the application's modules
        return import_module("slipstream.server.service").metrics
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["Limits", "http_protocol", "metrics", "ws_protocol"]

"""Protocols for uvicorn with a short way from a parsed request or message to its handler.

    uvicorn.run(app, http=slipstream.server.http_protocol(), ws=slipstream.server.ws_protocol())

`slipstream run` does this by itself.
"""

from importlib import import_module


def http_protocol() -> str:
    """Return `slipstream.server.http:HTTPProtocol`, to give to uvicorn as `http`.

    Returns "auto", with which uvicorn chooses, if that class cannot be imported: httptools is missing
    (`pip install "slipstream[standard]"`), or this release of uvicorn has another inside.
    """
    return _found("slipstream.server.http", "HTTPProtocol")


def ws_protocol() -> str:
    """Return what `http_protocol` does, for `ws`: `slipstream.server.websockets:WebSocketProtocol` or "auto"."""
    return _found("slipstream.server.websockets", "WebSocketProtocol")


def _found(module: str, name: str) -> str:
    try:
        import_module(module)
    except ImportError:
        return "auto"
    return f"{module}:{name}"

"""Serving under uvicorn, with a short cut from the parsed request or message to the code that handles it.

    uvicorn.run(app, http=slipstream.server.http_protocol(), ws=slipstream.server.ws_protocol())

`slipstream run` does this by itself.
"""

from importlib import import_module


def http_protocol() -> str:
    """Name the protocol class to give to uvicorn as `http`.

    Returns:
        `slipstream.server.http:HTTPProtocol`; or "auto", which has uvicorn choose, where that cannot be imported:
        because httptools is missing (`pip install "slipstream[standard]"`), or because this uvicorn is another inside.
    """
    return _found("slipstream.server.http", "HTTPProtocol")


def ws_protocol() -> str:
    """Name the protocol class to give to uvicorn as `ws`.

    Returns:
        `slipstream.server.websockets:WebSocketProtocol`; or "auto", which has uvicorn choose, where that cannot be
        imported: because websockets is missing (`pip install "slipstream[standard]"`), or because this uvicorn is
        another inside.
    """
    return _found("slipstream.server.websockets", "WebSocketProtocol")


def _found(module: str, name: str) -> str:
    try:
        import_module(module)
    except ImportError:
        return "auto"
    return f"{module}:{name}"

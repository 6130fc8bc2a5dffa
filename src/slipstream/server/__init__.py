"""Serving under uvicorn, with a short cut from the parsed request to the compiled handler.

    uvicorn.run(app, http=slipstream.server.http_protocol())

`slipstream run` does this by itself.
"""

from importlib import import_module


def http_protocol() -> str:
    """Name the protocol class to give to uvicorn as `http`.

    Returns:
        `slipstream.server.http:HTTPProtocol`; or "auto", which has uvicorn choose, where that cannot be imported:
        because httptools is missing (`pip install "slipstream[standard]"`), or because this uvicorn is another inside.
    """
    try:
        import_module("slipstream.server.http")
    except ImportError:
        return "auto"
    return "slipstream.server.http:HTTPProtocol"

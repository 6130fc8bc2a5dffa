"""Serving under uvicorn, with a short cut from the parsed request to the compiled handler.

    uvicorn.run(app, http=HTTPProtocol)

`slipstream run` does this by itself. Needs uvicorn and httptools: `pip install "slipstream[standard]"`.
"""

from slipstream.server.http import HTTPProtocol as HTTPProtocol

__all__ = ["HTTPProtocol"]

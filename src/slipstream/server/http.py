"""uvicorn's HTTP protocol, with a short way for requests and responses in one piece.

Most requests have arrived as a whole when their task starts, and most responses are made as a whole. For these there
are no messages of ASGI: the application gets the body, and head and content of its response are written at once. All
others (a body that is still coming, streams, middleware, applications of other kinds) take uvicorn's way. Parsing,
time-outs, flow control, pipelining and shutdown are always uvicorn's.
"""

from collections.abc import Sequence
from copy import copy
from functools import partial
from typing import Any

from starlette.types import Receive, Scope, Send

from slipstream._foreign.uvicorn_http import (
    STATUS_LINE,
    HttpToolsProtocol,
    ProxyHeadersMiddleware,
    RequestResponseCycle,
    get_client_addr,
    get_path_with_query_string,
)
from slipstream.applications import FastAPI

Headers = Sequence[tuple[bytes, bytes]]

_OWN_CALL = FastAPI.__call__
"""Tools may replace it in the class."""

_MOST_JOINED = 65536
"""Longest content, in bytes, that is copied to be written together with its head."""

_FRAMING = frozenset({b"connection", b"content-length", b"transfer-encoding"})
"""Headers that say where a response ends; if the server adds one to all responses, uvicorn writes them."""


class HTTPProtocol(HttpToolsProtocol):
    """The protocol class to give to uvicorn: `uvicorn.run(app, http=HTTPProtocol)`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not any(name.lower() in _FRAMING for name, _ in self.server_state.default_headers):
            self.app = shortened(self.app)


def shortened(app: Any) -> Any:
    """Put a `ShortCut` around a `FastAPI`; return any other application as it is."""
    if type(app) is ProxyHeadersMiddleware:  # it only changes the scope
        inner = shortened(app.app)
        if inner is not app.app:
            app = copy(app)
            app.app = inner
    elif isinstance(app, FastAPI) and type(app).__call__ is _OWN_CALL:
        return ShortCut(app)
    return app


class ShortCut:
    """An ASGI app that serves requests in one piece by `FastAPI.serve_direct`."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        cycle: RequestResponseCycle = receive.__self__  # type: ignore[attr-defined]  # it is a method of the cycle
        if cycle.more_body or cycle.flow.write_paused:
            await self.app(scope, receive, send)
        else:
            await self.app.serve_direct(scope, receive, send, bytes(cycle.body), partial(reply, cycle))


_heads: dict[int, tuple[Headers, Headers, bytes]] = {}
"""By status, the latest head and the headers that it was made of."""


def _head(status: int, usual: Headers, headers: Headers) -> bytes:
    """Return status line and headers; kept for a second, since uvicorn makes its `usual` headers once a second."""
    known = _heads.get(status)
    if known is not None and known[0] is usual and known[1] is headers:
        return known[2]
    parts = [STATUS_LINE[status]]
    for name, value in (*usual, *headers):
        parts += (name, b": ", value, b"\r\n")
    head = b"".join(parts)
    if type(headers) is tuple:  # it cannot change
        _heads[status] = (usual, headers, head)
    return head


def reply(cycle: RequestResponseCycle, status: int, headers: Headers, content: bytes) -> None:
    """Write a whole response, whose status has content, and whose headers are none of `_FRAMING`."""
    if cycle.disconnected:
        return
    scope = cycle.scope
    cycle.response_started = True
    if cycle.access_log:
        where, version = get_path_with_query_string(scope), scope["http_version"]
        cycle.access_logger.info(
            '%s - "%s %s HTTP/%s" %d', get_client_addr(scope), scope["method"], where, version, status
        )
    parts = [_head(status, cycle.default_headers, headers)]
    if not cycle.keep_alive:
        parts.append(b"connection: close\r\n")
    parts.append(b"content-length: %d\r\n\r\n" % len(content))
    if scope["method"] == "HEAD":
        content = b""
    if len(content) <= _MOST_JOINED:
        parts.append(content)
        cycle.transport.write(b"".join(parts))
    else:
        cycle.transport.write(b"".join(parts))
        cycle.transport.write(content)
    cycle.response_complete = True
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()

"""Type aliases that several modules of the engine share."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final, Literal, Protocol, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class Reply(Protocol):
    """Sends a whole response at once."""

    def __call__(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], content: bytes, is_complete: bool = False
    ) -> bool:
        """Send a response whose headers are known to be valid, and add the content-length; return True.

        If `is_complete`, the headers are all that the response has, and come from a program: they are checked. Return
        False, with nothing sent, if they are not valid or do not say how long the content is; `send` has to take it.
        """


DirectApp: TypeAlias = Callable[[Scope, Receive, Send, bytes, Reply], Awaitable[None]]
"""Serves a request whose whole body has arrived; answers by `reply`, or by `send` as an ASGI app does.

`receive` returns the body too.
"""

Fail: TypeAlias = Callable[..., Awaitable[None]]
"""Answers an exception: `fail(exc, scope, receive, send, …)`."""

Location: TypeAlias = tuple[str | int, ...]
"""Where in a request an error is, such as `("body", "items", 0, "price")`."""

ErrorDetail: TypeAlias = dict[str, Any]
"""One validation error of Pydantic's: `type`, `loc`, `msg`, `input` and perhaps `ctx`."""

Taken: TypeAlias = tuple[Any, list[ErrorDetail]]
"""A validated value and no errors, or None and errors."""

SlotSource: TypeAlias = Literal["path", "query", "header", "cookie", "body", "form", "file", "dependency", "context"]
"""Where the value of an endpoint's parameter comes from."""

ContextKind: TypeAlias = Literal[
    "request", "websocket", "connection", "response", "background", "scopes", "link", "event"
]
"""The object that an annotation such as `Request` asks for; "link" is the connection of a link."""

CallKind: TypeAlias = Literal["async", "sync", "async_gen", "gen"]
"""How a callable runs: awaited, in a thread, or as a generator of either kind."""

DependencyScope: TypeAlias = Literal["function", "request"]
"""When a `yield` dependency is closed: before the response is sent, or after."""

Dialect: TypeAlias = Literal["asgi", "direct", "request", "websocket", "event"]
"""How a handler is called; the classes in `emit/handler.py` have its parameters and what it returns."""

EXITS: Final = "slipstream.exits"
CLOSING: Final = "slipstream.closing"
"""Keys in a scope: what is closed after the response, and before it."""

DEPENDENCIES: Final = "fastapi.dependencies"
ENDPOINT: Final = "fastapi.endpoint"
SERIALIZATION: Final = "fastapi.serialization"
"""FastAPI's names, which dashboards use, of an observed request's operations: to read it and call dependencies, to call
the endpoint, to encode its result."""

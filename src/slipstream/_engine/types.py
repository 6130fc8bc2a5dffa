"""The engine's vocabulary: names for shapes that several floors share."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Literal, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

Reply: TypeAlias = Callable[[int, Sequence[tuple[bytes, bytes]], bytes], None]
"""Sends a whole response at once: status, headers, content. It adds the content-length; it may trust the headers."""

DirectApp: TypeAlias = Callable[[Scope, Receive, Send, bytes, Reply], Awaitable[None]]
"""Serves one request whose whole body is there; answers by `reply`, or by `send` as an ASGI app does.

`receive` returns the body too.
"""

Location: TypeAlias = tuple[str | int, ...]
"""Where in a request an error is: `("query", "limit")`, `("body", "items", 0, "price")`."""

ErrorDetail: TypeAlias = dict[str, Any]
"""One validation error: `type`, `loc`, `msg`, `input` and perhaps `ctx`, as Pydantic words it."""

SlotSource: TypeAlias = Literal["path", "query", "header", "cookie", "body", "form", "file", "dependency", "context"]
"""Where the value of an endpoint's parameter comes from."""

ContextKind: TypeAlias = Literal[
    "request", "websocket", "connection", "response", "background", "scopes", "link", "event"
]
"""The object that a bare annotation such as `Request` asks for; "link" is a link's connection, for its handlers."""

CallKind: TypeAlias = Literal["async", "sync", "async_gen", "gen"]
"""How a user's callable runs: awaited, in a thread, or as a generator of either kind."""

DependencyScope: TypeAlias = Literal["function", "request"]
"""When a `yield` dependency is closed: before the response is sent, or after."""

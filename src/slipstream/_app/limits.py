"""Holds apps that are not compiled to an application's `Limits`."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from slipstream._engine.runtime.body import is_json, json_size
from slipstream._engine.runtime.response import adder, are_any
from slipstream._engine.runtime.values import find_header
from slipstream._foreign.starlette import limit_signal
from slipstream.limits import ON_DISCONNECT, UNLIMITED, Limits, outermost

A = TypeVar("A", bound=Callable[..., Any])


def limits_of(provider: object, own: Limits | None = None) -> Limits:
    """Return the limits that hold for a route or router with `own` limits of an application, if there is one."""
    outer = getattr(provider, "limits_in_force", None)
    outer = outer if isinstance(outer, Limits) else outermost()
    return outer if own is None else outer | own


def limited(app: ASGIApp, max_body_size: int | None) -> ASGIApp:
    """Bound the bodies that an app may read; None returns the app itself."""
    if max_body_size is None:
        return app

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        # An app that reads the body in a task group raises the limit's signal in a group.
        try:
            await app(scope, receive, send)
        except ExceptionGroup as exc:
            signal = limit_signal(exc)
            if signal is None:
                raise
            raise signal from exc

    return RequestBodyLimitMiddleware(serve, max_body_size=max_body_size)


def held(app: ASGIApp, limits: Limits) -> ASGIApp:
    """Hold the requests and responses of an app to limits; without any, return the app itself."""
    app = limited(app, None if limits.body_size == UNLIMITED else limits.body_size)
    if not are_any(limits):
        return app

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, adder(send, limits) if scope["type"] == "http" else send)

    return serve


def telling(app: A, limits: Limits) -> A:
    """Have an app, by ASGI or the direct door, tell the server what becomes of it when its client leaves."""
    policy = limits.on_disconnect
    if policy is None or policy == "tell":
        return app

    async def serve(scope: Scope, *others: Any) -> None:
        scope[ON_DISCONNECT] = policy
        await app(scope, *others)

    return cast(A, serve)


def guarded(app: ASGIApp, limits: Limits) -> ASGIApp:
    """Hold an app, also its WebSockets, to limits that no app inside of it may widen."""
    app = held(app, limits)
    most = UNLIMITED if limits.websocket_message_size is None else limits.websocket_message_size
    if most == UNLIMITED and "*" in (limits.websocket_origins or ("*",)):
        return app

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            if not _may_connect(Headers(scope=scope), limits.websocket_origins):
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": "Origin not allowed"})
                return
            receive = partial(_receive, receive, send, most)
        await app(scope, receive, send)

    return serve


def foreign(app: ASGIApp, limits: Limits) -> ASGIApp:
    """Guard an app of others, which reads JSON as it likes: what says that it is JSON has its size, and no depth."""
    app, most = guarded(app, limits), json_size(limits)
    if most >= (UNLIMITED if limits.body_size is None else limits.body_size):
        return app
    bounded = limited(app, most)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        says_json = scope["type"] == "http" and is_json(find_header(scope, b"content-type"), True)
        await (bounded if says_json else app)(scope, receive, send)

    return serve


def _may_connect(headers: Headers, origins: tuple[str, ...] | None) -> bool:
    """Whether a handshake that brings cookies comes from a page that may bring them."""
    origin = headers.get("origin")
    if origins is None or "*" in origins or origin is None or "cookie" not in headers:
        return True
    return origin in origins or urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""


async def _receive(receive: Receive, send: Send, most: int) -> Message:
    message = await receive()
    content = message.get("text") or message.get("bytes") or b""
    size = len(content.encode()) if isinstance(content, str) and len(content) * 4 > most else len(content)
    if size <= most:
        return message
    await send({"type": "websocket.close", "code": 1009})
    return {"type": "websocket.disconnect", "code": 1009}

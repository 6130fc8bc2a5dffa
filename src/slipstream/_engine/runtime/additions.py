"""Adds to responses what an application's `Limits` ask for: flags of cookies, and `nosniff`."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from slipstream._engine.runtime.response import json_messages
from slipstream._engine.types import Message, Receive, Scope, Send
from slipstream.limits import Limits

NOSNIFF = (b"x-content-type-options", b"nosniff")


def are_any(limits: Limits) -> bool:
    """Whether anything is added."""
    return bool(limits.nosniff or limits.cookie_flags)


def added(headers: Iterable[tuple[bytes, bytes]], limits: Limits) -> list[tuple[bytes, bytes]]:
    """Return the headers of a response with what they lack."""
    complete = [(name, _flagged(value, limits) if name == b"set-cookie" else value) for name, value in headers]
    if limits.nosniff and NOSNIFF[0] not in dict(complete):
        complete.append(NOSNIFF)
    return complete


def _flagged(cookie: bytes, limits: Limits) -> bytes:
    has = {part.partition(b"=")[0].strip().lower() for part in cookie.split(b";")[1:]}
    flags = [flag.encode() for flag in limits.cookie_flags or ()]
    return b"; ".join([cookie, *(flag for flag in flags if flag.partition(b"=")[0].lower() not in has)])


def adder(send: Send, limits: Limits) -> Send:
    async def send_more(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": added(message.get("headers", ()), limits)}
        await send(message)

    return send_more


def adding(call: Callable[..., Awaitable[None]], limits: Limits) -> Callable[..., Awaitable[None]]:
    """Have a function of `(what, scope, receive, send, …)` send through `adder`, if anything is added."""
    if not are_any(limits):
        return call

    def call_adding(what: Any, scope: Scope, receive: Receive, send: Send, *rest: Any, **options: Any) -> Any:
        return call(what, scope, receive, adder(send, limits), *rest, **options)

    return call_adding


def messages_adding(limits: Limits) -> Callable[..., Any]:
    """Make `json_messages` that adds, if anything is added."""
    if not are_any(limits):
        return json_messages
    return lambda payload, status, headers: json_messages(payload, status, added(headers, limits))

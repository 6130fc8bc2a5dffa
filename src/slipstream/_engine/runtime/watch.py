"""Notes whether a response has started."""

from collections.abc import Awaitable

from slipstream._engine.types import ASGIApp, Message, Receive, Scope, Send

RESPONSE_STARTED = "slipstream.response_started"
"""Key that an inner layer puts into the scope if it raises after its response has started.

A layer that holds responses back cannot rely on it, and uses a `Watch`.
"""


class Watch:
    """A `send` that knows whether a response has started."""

    __slots__ = ("send", "started")

    def __init__(self, send: Send, started: bool = False) -> None:
        self.send = send
        self.started = started

    def __call__(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.started = True
        return self.send(message)


async def call_watched(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Call an app; if it raises after its response has started, set `RESPONSE_STARTED` in the scope."""
    watch = Watch(send)
    try:
        await app(scope, receive, watch)
    except BaseException:
        if watch.started:
            scope[RESPONSE_STARTED] = True
        raise

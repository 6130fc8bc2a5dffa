"""Whether a response has started, noticed on its way out and left as word in the scope."""

from collections.abc import Awaitable

from slipstream._engine.types import Message, Send

RESPONSE_STARTED = "slipstream.response_started"
"""Key by which an inner layer leaves word for an outer one that the exception came after the response had begun.

True as long as nothing between the two holds responses back; layers that do count for themselves (`Watch`).
"""


class Watch:
    """A `send` that knows whether a response has started."""

    __slots__ = ("send", "started")

    def __init__(self, send: Send, started: bool = False) -> None:
        self.send = send
        self.started = started

    def __call__(self, message: Message) -> Awaitable[None]:
        """Pass the message on; no coroutine of our own between the app and the server."""
        if message["type"] == "http.response.start":
            self.started = True
        return self.send(message)

"""Called by a server that has the whole body and takes whole responses at once.

`await handle(scope, receive, send, raw, reply)`: `raw` is the body in bytes, `reply(status, headers, content)` sends
a response, its length with it.
"""

from slipstream._engine.emit.dialects.asgi import Asgi
from slipstream._engine.emit.pen import Pen
from slipstream._engine.runtime.response import JSON_HEADERS, has_body


class Direct(Asgi):
    """The dialect of the direct door."""

    name = "direct"
    parameters = "scope, receive, send, raw, reply"

    def announce_raw(self, pen: Pen) -> None:
        """Write nothing: it is there."""

    def read_raw(self, pen: Pen) -> None:
        """Write nothing, unless a Request has to keep the body for the user's code."""
        if pen.program.reads_request:
            super().read_raw(pen)

    def show_scope(self, pen: Pen) -> None:
        """Write that the scope be completed, where this is the first time that it is shown to anybody."""
        if not pen.plan.shows_scope:
            pen.text.line(f"{pen.made('complete_scope', lambda: pen.services.complete_scope)}(scope)")

    def send_json(self, pen: Pen, status: int) -> None:
        """Write one call, unless the response has no body."""
        if has_body(status):
            pen.text.line(f"reply({status}, {pen.constant('JSON_HEADERS', JSON_HEADERS)}, payload)")
        else:
            super().send_json(pen, status)


DIRECT = Direct()

"""A handler for a server that has the whole body: `await handle(scope, receive, send, raw, reply)`.

`raw` is the body in bytes; `reply(status, headers, content)` sends a whole response and adds its length.
"""

from slipstream._engine.emit.dialects.asgi import AsgiDialect
from slipstream._engine.emit.pen import Pen
from slipstream._engine.runtime.response import JSON_HEADERS, has_body


class DirectDialect(AsgiDialect):
    """The dialect of the direct door."""

    name = "direct"
    parameters = "scope, receive, send, raw, reply"

    def announce_raw(self, pen: Pen) -> None:
        """Write nothing, since `raw` is a parameter."""

    def read_raw(self, pen: Pen) -> None:
        # `raw` is a parameter, but a Request has to keep the body for the user's code.
        if pen.program.reads_request:
            super().read_raw(pen)

    def show_scope(self, pen: Pen) -> None:
        # If the plan shows the scope, it has been completed before.
        if not pen.plan.shows_scope:
            pen.line(f"{pen.made('complete_scope', lambda: pen.services.complete_scope)}(scope)")

    def send_json(self, pen: Pen, status: int) -> None:
        if has_body(status):
            pen.line(f"reply({status}, {pen.constant('JSON_HEADERS', JSON_HEADERS)}, payload)")
        else:
            super().send_json(pen, status)


DIRECT = DirectDialect()

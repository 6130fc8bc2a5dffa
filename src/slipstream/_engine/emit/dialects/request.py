"""Called with a Request, `await handle(request)`, and returns a Response: for functions of the user's around it.

What it opens is closed by whoever calls it, who puts two lists into the scope (`EXITS`, `CLOSING`).
"""

from slipstream._engine.codegen.writer import literal
from slipstream._engine.emit.dialects.asgi import Asgi
from slipstream._engine.emit.handler import CLOSING, EXITS, emit_core, emit_objects
from slipstream._engine.emit.pen import Pen
from slipstream._engine.plan.arrange import Manner


class OfRequest(Asgi):
    """The dialect of route classes that wrap their handler."""

    name = "request"
    parameters = "request"
    manner = Manner(gives="response", has_request=True)

    def write(self, pen: Pen) -> None:
        """Write the inside; exceptions pass through."""
        text = pen.text
        text.line("scope = request.scope")
        if pen.program.is_gathering:
            text.line("errors = []")
        if pen.program.exits is not None:
            text.line(f"exits = scope[{literal(EXITS)}]")
        if pen.program.closing is not None:
            text.line(f"closing = scope[{literal(CLOSING)}]")
        pen.layer.enter(pen)
        emit_objects(pen)
        emit_core(pen)
        text.line("return result")


REQUEST = OfRequest()

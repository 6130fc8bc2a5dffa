"""A handler inside of a user's function: `await handle(request)` returns a Response.

The caller puts the lists `EXITS` and `CLOSING` into the scope, and closes them.
"""

from slipstream._engine.codegen.writer import literal
from slipstream._engine.emit.dialects.asgi import AsgiDialect
from slipstream._engine.emit.handler import CLOSING, EXITS, emit_core, emit_objects
from slipstream._engine.emit.pen import Pen
from slipstream._engine.plan.program import Manner


class RequestDialect(AsgiDialect):
    """The dialect of route classes that wrap their handler; exceptions pass through."""

    name = "request"
    parameters = "request"
    manner = Manner(gives="response", has_request=True)

    def write(self, pen: Pen) -> None:
        pen.line("scope = request.scope")
        if pen.program.is_gathering:
            pen.line("errors = []")
        if pen.program.exits is not None:
            pen.line(f"exits = scope[{literal(EXITS)}]")
        if pen.program.closing is not None:
            pen.line(f"closing = scope[{literal(CLOSING)}]")
        pen.layer.enter(pen)
        emit_objects(pen)
        emit_core(pen)
        pen.line("return result")


REQUEST = RequestDialect()

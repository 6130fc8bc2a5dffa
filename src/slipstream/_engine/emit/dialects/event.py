"""A handler of a link's events: `await handle(connection, event, scope_of)` returns the result of the user's function.

`scope_of(connection)` makes a scope; it is called only if a dependency reads the scope or asks for a Request.
"""

from starlette.requests import Request

from slipstream._engine.emit.dialects.asgi import AsgiDialect
from slipstream._engine.emit.handler import closed, emit_core, emit_lists, emit_objects
from slipstream._engine.emit.pen import Pen
from slipstream._engine.plan.program import Manner
from slipstream._engine.runtime.body import no_body


class EventDialect(AsgiDialect):
    """The dialect of handlers of events; exceptions pass through open dependencies to the caller."""

    name = "event"
    parameters = "connection, event, scope_of"
    manner = Manner(gives="value")
    objects = {**AsgiDialect.objects, "link": "connection", "event": "event"}
    where = "None"

    def write(self, pen: Pen) -> None:
        program = pen.program
        emit_lists(pen)
        if program.reads_scope:
            pen.line("scope = scope_of(connection)")
        if program.makes_request:
            pen.line(f"request = {pen.constant('Request', Request)}(scope, {pen.constant('no_body', no_body)})")
        with closed(pen, program.exits):
            emit_objects(pen)
            with closed(pen, program.closing):
                emit_core(pen)
            if "background" in pen.plan.objects:
                pen.line("await background()")
        pen.line("return result")


EVENT = EventDialect()

"""The whole text of a handler: what stands around the steps. A dialect (`dialects/`) puts these pieces together."""

from collections.abc import Iterator
from contextlib import contextmanager

from slipstream._engine.abc import Services
from slipstream._engine.codegen.load import Source
from slipstream._engine.emit.calls import emit_leave
from slipstream._engine.emit.pen import Dialect, Layer, Pen
from slipstream._engine.emit.steps import emit_steps
from slipstream._engine.plan.arrange import Program
from slipstream._engine.plan.model import Leave
from slipstream._engine.runtime.cleanup import inner_failure, open_failure, open_shield
from slipstream._engine.runtime.response import blank_response

FUNCTION = "handle"
EXITS = "slipstream.exits"
CLOSING = "slipstream.closing"
DEPENDENCIES = "fastapi.dependencies"
"""Name of the operation that reads the request and calls dependencies, FastAPI's: dashboards look for it."""


def emit_handler(program: Program, services: Services, dialect: Dialect, layer: Layer) -> Source:
    """Write the function that carries out a program, as a dialect says it and a layer over that tells it."""
    pen = Pen(program, services, dialect, layer)
    layer.reserve(pen)
    with pen.text.block(f"async def {FUNCTION}({dialect.parameters}):"):
        dialect.write(pen)
    return Source(
        function=FUNCTION,
        text=pen.text.text,
        shape=pen.text.shape,
        constants=pen.text.constants,
    )


def emit_lists(pen: Pen) -> None:
    """Write the lists of errors and of what is open."""
    if pen.program.is_gathering:
        pen.text.line("errors = []")
    if pen.program.exits is not None:
        pen.text.line("exits = []")
    if pen.program.closing is not None:
        pen.text.line("closing = []")


def emit_objects(pen: Pen) -> None:
    """Make the objects that somebody asks for."""
    if pen.program.is_shielded:
        pen.text.line(f"shield = {pen.constant('open_shield', open_shield)}(exits)")
    if "response" in pen.plan.objects:
        pen.text.line(f"response = {pen.constant('blank_response', blank_response)}()")
    if "background" in pen.plan.objects:
        pen.text.line(f"background = {pen.constant('background_tasks', pen.services.background_tasks)}()")


def emit_core(pen: Pen) -> None:
    """Read the request, call everything, encode the result."""
    program = pen.program
    if program.read is not None:
        emit_steps(pen, [program.read])
    with pen.layer.operation(pen, DEPENDENCIES):
        emit_steps(pen, program.feeding)
        pen.layer.solved(pen)
    emit_steps(pen, program.ending)


@contextmanager
def closed(pen: Pen, leave: Leave | None) -> Iterator[None]:
    """Write the closing of a list, and a `try` around what is written inside, if anything can be on the list."""
    if leave is None:
        yield
        return
    with pen.text.block("try:"):
        yield
        emit_leave(pen, leave)
    with pen.text.block("except BaseException as exc:"):
        fail = pen.made("fail_closing", lambda: inner_failure(pen.services.swallowed_error))
        pen.text.line(f"raise await {fail}({leave.exits}, exc)")


def emit_failure(pen: Pen, *, sent: str, known: str) -> None:
    """Write what happens to an exception: open dependencies hear of it first, then its handler answers.

    Args:
        sent: Expression that says whether a response has been sent.
        known: More arguments for whoever answers, each with a comma before it.
    """
    if pen.program.exits is not None:
        with pen.text.block("except BaseException as exc:"):
            pen.dialect.show_scope(pen)
            fail = pen.constant("fail_open", open_failure(pen.services.fail, pen.services.swallowed_error))
            pen.text.line(f"return await {fail}(exits, exc, {sent}, scope, receive, send{known})")
    else:
        with pen.text.block("except Exception as exc:"):
            pen.dialect.show_scope(pen)
            fail = pen.constant("fail", pen.services.fail)
            pen.text.line(f"return await {fail}(exc, scope, receive, send, started=False{known})")

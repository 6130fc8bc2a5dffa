"""The text of a handler around the steps; a dialect (`dialects/`) puts these pieces together."""

from collections.abc import Iterator
from contextlib import contextmanager

from slipstream._engine.abc import Services
from slipstream._engine.codegen.load import Source
from slipstream._engine.emit.calls import emit_leave
from slipstream._engine.emit.pen import Dialect, Layer, Pen
from slipstream._engine.emit.steps import emit_steps
from slipstream._engine.plan.program import Leave, Program
from slipstream._engine.runtime.cleanup import inner_failure, open_failure, open_shield
from slipstream._engine.runtime.response import blank_response

FUNCTION = "handle"
EXITS = "slipstream.exits"
CLOSING = "slipstream.closing"
DEPENDENCIES = "fastapi.dependencies"
"""FastAPI's name, which dashboards use, of the operation that reads the request and calls dependencies."""


def emit_handler(program: Program, services: Services, dialect: Dialect, layer: Layer) -> Source:
    """Write the function that carries out a program, in the phrases of a dialect and of a layer over it."""
    pen = Pen(program, services, dialect, layer)
    with pen.block(f"async def {FUNCTION}({dialect.parameters}):"):
        dialect.write(pen)
    return Source(FUNCTION, pen.text, pen.shape, pen.constants)


def emit_lists(pen: Pen) -> None:
    if pen.program.is_gathering:
        pen.line("errors = []")
    if pen.program.exits is not None:
        pen.line("exits = []")
    if pen.program.closing is not None:
        pen.line("closing = []")


def emit_objects(pen: Pen) -> None:
    """Write the creation of the shield and of context objects."""
    if pen.program.is_shielded:
        pen.line(f"shield = {pen.constant('open_shield', open_shield)}(exits)")
    if "response" in pen.plan.objects:
        pen.line(f"response = {pen.constant('blank_response', blank_response)}()")
    if "background" in pen.plan.objects:
        pen.line(f"background = {pen.constant('background_tasks', pen.services.background_tasks)}()")


def emit_core(pen: Pen) -> None:
    """Write all steps of the program."""
    program = pen.program
    if program.read is not None:
        emit_steps(pen, [program.read])
    with pen.layer.operation(pen, DEPENDENCIES):
        emit_steps(pen, program.feeding)
        pen.layer.solved(pen)
    emit_steps(pen, program.ending)


@contextmanager
def closed(pen: Pen, leave: Leave | None) -> Iterator[None]:
    """Put the text inside into a `try`, and write the closing of a list; without a list write nothing."""
    if leave is None:
        yield
        return
    with pen.block("try:"):
        yield
        emit_leave(pen, leave)
    with pen.block("except BaseException as exc:"):
        fail = pen.made("fail_closing", lambda: inner_failure(pen.services.swallowed_error))
        pen.line(f"raise await {fail}({leave.exits}, exc)")


def emit_failure(pen: Pen, *, sent: str, known: str) -> None:
    """Write what happens to an exception: it is thrown into open dependencies, then answered by its handler.

    Args:
        sent: Expression for whether a response has been sent.
        known: Further arguments for the function that answers, each after a comma.
    """
    if pen.program.exits is not None:
        with pen.block("except BaseException as exc:"):
            pen.dialect.show_scope(pen)
            fail = pen.constant("fail_open", open_failure(pen.services.fail, pen.services.swallowed_error))
            pen.line(f"return await {fail}(exits, exc, {sent}, scope, receive, send{known})")
    else:
        with pen.block("except Exception as exc:"):
            pen.dialect.show_scope(pen)
            fail = pen.constant("fail", pen.services.fail)
            pen.line(f"return await {fail}(exc, scope, receive, send, started=False{known})")

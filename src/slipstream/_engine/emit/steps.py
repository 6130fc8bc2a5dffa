"""The text of a program's steps."""

from collections.abc import Callable, Sequence
from typing import Any

from slipstream._engine.emit.body import decoded, emit_read_body, emit_take_absent, emit_take_form, emit_take_json
from slipstream._engine.emit.calls import emit_again, emit_mark, emit_solve
from slipstream._engine.emit.pen import Pen
from slipstream._engine.emit.response import emit_await, emit_check, emit_encode, emit_invoke
from slipstream._engine.emit.values import emit_take, prepare
from slipstream._engine.errors import shown
from slipstream._engine.plan import model, program
from slipstream._engine.runtime.threads import in_one_thread


def emit_steps(pen: Pen, steps: Sequence[program.Act]) -> None:
    for step in steps:
        try:
            _WRITERS[type(step)](pen, step)
        except Exception as exc:
            if isinstance(step, model.Take):
                annotation = shown(step.field.field_info.annotation)
                exc.add_note(f"for the parameter {step.field.name}: {annotation}\n  at {step.call.origin}")
            raise


def emit_refuse(pen: Pen, step: program.Refuse) -> None:
    """Write the raising of gathered errors; a body that was validated from its bytes is parsed now, for the error."""
    body = pen.body if pen.program.fast_body is None else decoded(pen)
    with pen.block("if errors:"):
        pen.layer.refused(pen)
        pen.line(f"raise {pen.dialect.refusal(pen, 'errors', body)}")


def emit_hop(pen: Pen, step: program.Hop) -> None:
    """Write a function for a worker thread, and the wait for it."""
    for take in step.shares:
        prepare(pen, take)
    prepared = set(pen.prepared)
    shared = ["errors", *([] if pen.program.fast_body is None else pen.variables.values())]
    with pen.function("def work(each):", shared):
        pen.is_in_hop = True
        emit_steps(pen, step.steps)
        given_back = ", ".join(_local(pen, act) for act in step.gives)
        if given_back:
            pen.line(f"return {given_back}")
        pen.is_in_hop = False
    pen.prepared = prepared  # locals of the worker's function are not seen outside
    target = f"{given_back} = " if given_back else ""
    pen.line(f"{target}await {pen.constant('in_one_thread', in_one_thread)}(work)")


def _local(pen: Pen, act: program.Act) -> str:
    """Return the local with the value of a step."""
    if isinstance(act, model.Take):
        return pen.variables[id(act.call), act.field.name]
    if isinstance(act, model.Solve):
        return pen.results[id(act.call)]
    return "payload" if isinstance(act, program.Encode) else "result"


_WRITERS: dict[type[program.Act], Callable[[Pen, Any], None]] = {
    program.ReadBody: emit_read_body,
    model.Take: emit_take,
    program.TakeJson: emit_take_json,
    program.TakeForm: emit_take_form,
    program.TakeAbsent: emit_take_absent,
    program.Mark: emit_mark,
    model.Solve: emit_solve,
    program.Open: emit_solve,
    model.Again: emit_again,
    program.Refuse: emit_refuse,
    program.Invoke: emit_invoke,
    program.Await: emit_await,
    program.Check: emit_check,
    program.Encode: emit_encode,
    program.Hop: emit_hop,
}

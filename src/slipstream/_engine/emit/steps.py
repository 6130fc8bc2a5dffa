"""The text of a program's steps, one after the other."""

from collections.abc import Callable, Sequence
from typing import Any

from slipstream._engine.emit.body import decoded, emit_read_body, emit_take_absent, emit_take_form, emit_take_json
from slipstream._engine.emit.calls import emit_again, emit_mark, emit_solve
from slipstream._engine.emit.pen import Pen
from slipstream._engine.emit.response import emit_await, emit_check, emit_encode, emit_invoke
from slipstream._engine.emit.values import emit_take, prepare
from slipstream._engine.plan.model import (
    Act,
    Again,
    Await,
    Check,
    Encode,
    Hop,
    Invoke,
    Mark,
    Open,
    ReadBody,
    Refuse,
    Solve,
    Take,
    TakeAbsent,
    TakeForm,
    TakeJson,
)
from slipstream._engine.runtime.threads import in_one_thread


def emit_steps(pen: Pen, steps: Sequence[Act]) -> None:
    """Write these, the next ones."""
    for step in steps:
        _WRITERS[type(step)](pen, step)


def emit_refuse(pen: Pen, step: Refuse) -> None:
    """Write what happens if there are errors; a body whose model was made from bytes is parsed now, to be shown."""
    body = "None" if pen.plan.body is None else "form" if pen.plan.is_form else "body"
    if pen.plan.body is not None and pen.program.fast_body is not None:
        body = decoded(pen, pen.plan.body)
    with pen.text.block("if errors:"):
        pen.layer.refused(pen)
        pen.text.line(f"raise {pen.dialect.refusal(pen, 'errors', body)}")


def emit_hop(pen: Pen, step: Hop) -> None:
    """Write a function for a worker, and the wait for it."""
    text = pen.text
    for take in step.shares:
        prepare(pen, take)
    prepared = set(pen.prepared)
    shared = ["errors", *([] if pen.program.fast_body is None else pen.variables.values())]
    with text.function("def work(each):", shared):
        pen.is_in_hop = True
        emit_steps(pen, step.steps)
        given_back = ", ".join(_local(pen, act) for act in step.gives)
        if given_back:
            text.line(f"return {given_back}")
        pen.is_in_hop = False
    pen.prepared = prepared  # what the worker has prepared was its own
    target = f"{given_back} = " if given_back else ""
    text.line(f"{target}await {pen.constant('in_one_thread', in_one_thread)}(work)")


def _local(pen: Pen, act: Act) -> str:
    """Name what a step has made."""
    if isinstance(act, Take):
        return pen.variables[id(act.call), act.field.name]
    if isinstance(act, Solve):
        return pen.results[id(act.call)]
    return "payload" if isinstance(act, Encode) else "result"


_WRITERS: dict[type[Act], Callable[[Pen, Any], None]] = {
    ReadBody: emit_read_body,
    Take: emit_take,
    TakeJson: emit_take_json,
    TakeForm: emit_take_form,
    TakeAbsent: emit_take_absent,
    Mark: emit_mark,
    Solve: emit_solve,
    Open: emit_solve,
    Again: emit_again,
    Refuse: emit_refuse,
    Invoke: emit_invoke,
    Await: emit_await,
    Check: emit_check,
    Encode: emit_encode,
    Hop: emit_hop,
}

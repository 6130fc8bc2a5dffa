"""The text that calls dependencies and the endpoint."""

from contextlib import nullcontext
from types import FunctionType
from typing import Any

from slipstream._engine.codegen.writer import literal
from slipstream._engine.emit.pen import Pen
from slipstream._engine.plan.describe import name_of
from slipstream._engine.plan.model import Again, Call, Leave, Mark, Open, Solve
from slipstream._engine.runtime.cleanup import ShieldedGenerator, SlotExit, leave, not_stopped, not_yielded
from slipstream._engine.runtime.threads import ThreadGenerator, in_thread


def emit_mark(pen: Pen, step: Mark) -> None:
    """Write the count of errors, for a call's condition to compare with."""
    mark = pen.marks[id(step.call)] = pen.text.local("mark")
    pen.text.line(f"{mark} = len(errors)")


def emit_solve(pen: Pen, step: Solve) -> None:
    """Write the call of a dependency, under its condition."""
    call = step.call
    name = name_of(call)
    result = None
    if call.name is not None or step.shared:
        result = pen.results[id(call)] = pen.text.local(call.name or name)
    pen.note(f"dependency {name}", call.origin)
    if step.condition == "always":
        _emit_call(pen, step, result)
        return
    mark = pen.marks.get(id(call), "")
    with pen.text.block(f"if len(errors) == {mark}:" if mark else "if not errors:"):
        _emit_call(pen, step, result)
    if step.shared:
        failures = pen.failures[id(call)] = pen.text.local(f"{result}_errors")
        pen.text.line(f"{failures} = errors[{mark}:] if errors else ()")


def emit_again(pen: Pen, step: Again) -> None:
    """Let a later place share a result; what was wrong is wrong there too, and told again."""
    pen.results[id(step.call)] = pen.results[id(step.first)]
    failures = pen.failures.get(id(step.first))
    if failures is not None:
        pen.text.line(f"errors += {failures}")


def arguments(pen: Pen, call: Call) -> str:
    """Write the arguments of a call: by keyword, unless the function itself says that position means the same."""
    parts = named_arguments(pen, call)
    if takes_by_position(call.call, list(parts)):
        return ", ".join(parts.values())
    return by_keyword(parts)


def by_keyword(parts: dict[str, str]) -> str:
    """Write arguments by keyword."""
    return ", ".join(f"{name}={value}" for name, value in parts.items())


def named_arguments(pen: Pen, call: Call) -> dict[str, str]:
    """Write the values that a call is given, by parameter."""
    parts: dict[str, str] = {}
    results = {dependency.name: dependency for dependency in call.dependencies if dependency.name is not None}
    for slot in call.signature.slots:
        if slot.source == "dependency":
            value: str | None = pen.results[id(results[slot.name])]
        elif slot.source == "context":
            value = context(pen, call, slot.meta, slot.annotation)
        else:
            value = pen.variables[id(call), slot.name]
        if value is not None:
            parts[slot.name] = value
    return parts


def takes_by_position(function: Any, names: list[str]) -> bool:
    """Whether a function has just these parameters first, in this order; decorated ones may expect keywords."""
    if type(function) is not FunctionType or hasattr(function, "__wrapped__") or hasattr(function, "__signature__"):
        return False
    code = function.__code__
    return list(code.co_varnames[: code.co_argcount][: len(names)]) == names


def context(pen: Pen, call: Call, kind: Any, annotation: Any) -> str | None:
    """Write what is handed over for a bare annotation; None where this dialect has no such thing."""
    if kind == "scopes":
        return f"{pen.constant(annotation.__name__, annotation)}(scopes={literal(list(call.oauth_scopes))})"
    return pen.dialect.objects.get(kind)


def _emit_call(pen: Pen, step: Solve, result: str | None) -> None:
    call = step.call
    function = pen.function(call)
    given = arguments(pen, call)
    if isinstance(step, Open):
        _emit_open(pen, step, result, f"{function}({given})")
    elif call.limit is None:
        pen.text.line(_assigned(result, invocation(pen, call, function, given)))
    else:
        with pen.text.block(f"async with {pen.constant(f'limit_{name_of(call)}', call.limit)}.get_semaphore():"):
            pen.text.line(_assigned(result, invocation(pen, call, function, given)))


def invocation(pen: Pen, call: Call, function: str, given: str) -> str:
    """Write a call: the coroutine itself, awaited, or a thread that runs the function."""
    if call.kind == "async":
        return f"await {function}({given})"
    comma = ", " if given else ""
    if pen.is_in_hop:
        return f"each({function}{comma}{given})"
    return f"await {pen.constant('in_thread', in_thread)}({function}{comma}{given})"


def _emit_open(pen: Pen, step: Open, result: str | None, made: str) -> None:
    """Open a `yield` dependency and remember it for closing."""
    call, exits = step.call, step.exits
    if call.limit is not None:
        limit = pen.constant(f"limit_{name_of(call)}", call.limit)
        pen.text.line(f"place = {limit}.get_semaphore()")
        pen.text.line("await place.acquire()")
        pen.text.line(f"{exits}.append({pen.constant('SlotExit', SlotExit)}(place))")
    if call.kind == "gen":
        made = f"{pen.constant('ThreadGenerator', ThreadGenerator)}({made})"
    elif step.is_shielded:
        made = f"{pen.constant('ShieldedGenerator', ShieldedGenerator)}({made}, shield)"
    pen.text.line(f"opened = {made}")
    with nullcontext() if step.raises_not_yielded else pen.text.block("try:"):
        pen.text.line(_assigned(result, "each(opened.enter)" if pen.is_in_hop else "await opened.__anext__()"))
    if not step.raises_not_yielded:
        with pen.text.block("except StopAsyncIteration:"):
            pen.text.line(f"raise {pen.constant('not_yielded', not_yielded)}(opened) from None")
    pen.text.line(f"{exits}.append(opened)")


def emit_leave(pen: Pen, step: Leave) -> None:
    """Write the closing of what is open, after a good end."""
    if not step.is_simple:
        pen.text.line(f"await {pen.constant('leave', leave)}({step.exits})")
        return
    for call in step.calls:
        pen.text.comment(f"close {name_of(call)}")
        with pen.text.block(f"async for _ in {step.exits}.pop():"):
            pen.text.line(f"raise {pen.constant('not_stopped', not_stopped)}()")


def _assigned(result: str | None, expression: str) -> str:
    return expression if result is None else f"{result} = {expression}"

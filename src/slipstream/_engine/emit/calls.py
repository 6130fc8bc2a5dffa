"""The text that calls and closes dependencies, and the arguments of all calls."""

from contextlib import nullcontext
from types import FunctionType
from typing import cast

from slipstream._engine.codegen import literal
from slipstream._engine.emit.pen import Pen
from slipstream._engine.plan.describe import name_of
from slipstream._engine.plan.model import Again, Call, Solve
from slipstream._engine.plan.program import Leave, Mark, Open
from slipstream._engine.runtime.cleanup import ShieldedGenerator, SlotExit, leave, not_stopped, not_yielded
from slipstream._engine.runtime.threads import ThreadGenerator, in_thread
from slipstream._engine.types import ContextKind


def emit_mark(pen: Pen, step: Mark) -> None:
    mark = pen.marks[id(step.call)] = pen.local("mark")
    pen.line(f"{mark} = len(errors)")


def emit_solve(pen: Pen, step: Solve) -> None:
    call = step.call
    name, mark = name_of(call), pen.marks.get(id(call), "")
    result = None
    if call.name is not None or step.shared:
        result = pen.results[id(call)] = pen.local(call.name or name)
    pen.note(f"dependency {name}", call.origin)
    is_certain = step.condition == "always"
    with nullcontext() if is_certain else pen.block(f"if len(errors) == {mark}:" if mark else "if not errors:"):
        function, given = pen.callee(call), arguments(pen, call)
        if isinstance(step, Open):
            _emit_open(pen, step, result, f"{function}({given})")
        else:
            with pen.block(f"async with {_limit(pen, call)}.get_semaphore():") if call.limit else nullcontext():
                pen.line(_assigned(result, invocation(pen, call, function, given)))
    if step.shared and not is_certain:
        failures = pen.failures[id(call)] = pen.local(f"{result}_errors")
        pen.line(f"{failures} = errors[{mark}:] if errors else ()")


def emit_again(pen: Pen, step: Again) -> None:
    """Give a later place the local with a shared result, and write that its errors are repeated."""
    pen.results[id(step.call)] = pen.results[id(step.first)]
    failures = pen.failures.get(id(step.first))
    if failures is not None:
        pen.line(f"errors += {failures}")


def arguments(pen: Pen, call: Call) -> str:
    """Write the arguments of a call: by position if the function has just these parameters first, else by keyword."""
    parts, function = named_arguments(pen, call), call.call
    # A function that is decorated may expect keywords.
    is_bare = not hasattr(function, "__wrapped__") and not hasattr(function, "__signature__")
    if type(function) is FunctionType and is_bare:
        code = function.__code__
        if list(code.co_varnames[: code.co_argcount][: len(parts)]) == list(parts):
            return ", ".join(parts.values())
    return by_keyword(parts)


def by_keyword(parts: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in parts.items())


def named_arguments(pen: Pen, call: Call) -> dict[str, str]:
    """Return the expressions of a call's arguments by parameter."""
    parts: dict[str, str] = {}
    results = {dependency.name: dependency for dependency in call.dependencies if dependency.name is not None}
    for slot in call.signature.slots:
        if slot.source == "dependency":
            value: str | None = pen.results[id(results[slot.name])]
        elif slot.meta == "scopes":
            scopes = pen.constant(slot.annotation.__name__, slot.annotation)
            value = f"{scopes}(scopes={literal(list(call.oauth_scopes))})"
        elif slot.source == "context":  # None if the dialect has no such object
            value = pen.dialect.objects.get(cast(ContextKind, slot.meta))
        else:
            value = pen.variables[id(call), slot.name]
        if value is not None:
            parts[slot.name] = value
    return parts


def invocation(pen: Pen, call: Call, function: str, given: str) -> str:
    """Return the expression of a call: an awaited coroutine, or a function that runs in a thread."""
    if call.kind == "async":
        return f"await {function}({given})"
    comma = ", " if given else ""
    if pen.is_in_hop:
        return f"each({function}{comma}{given})"
    return f"await {pen.constant('in_thread', in_thread)}({function}{comma}{given})"


def _emit_open(pen: Pen, step: Open, result: str | None, made: str) -> None:
    """Write the opening of a `yield` dependency, and that it is put on the list from which it is closed."""
    call, exits = step.call, step.exits
    if call.limit is not None:
        pen.line(f"place = {_limit(pen, call)}.get_semaphore()")
        pen.line("await place.acquire()")
        pen.line(f"{exits}.append({pen.constant('SlotExit', SlotExit)}(place))")
    if call.kind == "gen":
        made = f"{pen.constant('ThreadGenerator', ThreadGenerator)}({made})"
    elif step.is_shielded:
        made = f"{pen.constant('ShieldedGenerator', ShieldedGenerator)}({made}, shield)"
    pen.line(f"opened = {made}")
    with nullcontext() if step.raises_not_yielded else pen.block("try:"):
        pen.line(_assigned(result, "each(opened.enter)" if pen.is_in_hop else "await opened.__anext__()"))
    if not step.raises_not_yielded:
        with pen.block("except StopAsyncIteration:"):
            pen.line(f"raise {pen.constant('not_yielded', not_yielded)}(opened) from None")
    pen.line(f"{exits}.append(opened)")


def emit_leave(pen: Pen, step: Leave) -> None:
    if not step.is_simple:
        pen.line(f"await {pen.constant('leave', leave)}({step.exits})")
        return
    for call in step.calls:
        pen.comment(f"close {name_of(call)}")
        with pen.block(f"async for _ in {step.exits}.pop():"):
            pen.line(f"raise {pen.constant('not_stopped', not_stopped)}()")


def _assigned(result: str | None, expression: str) -> str:
    return expression if result is None else f"{result} = {expression}"


def _limit(pen: Pen, call: Call) -> str:
    return pen.constant(f"limit_{name_of(call)}", call.limit)

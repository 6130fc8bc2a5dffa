"""The text that calls dependencies and the endpoint."""

from contextlib import nullcontext
from types import FunctionType
from typing import Any

from slipstream._engine.codegen.writer import literal
from slipstream._engine.emit.draft import Draft, holds_scopes, is_simple_generator, stays_open
from slipstream._engine.plan.describe import name_of
from slipstream._engine.plan.model import Again, Call, Solve
from slipstream._engine.runtime.cleanup import ShieldedGenerator, SlotExit, leave, not_stopped, not_yielded
from slipstream._engine.runtime.threads import ThreadGenerator, in_thread


def mark_before(draft: Draft, call: Call) -> str | None:
    """Write, before a dependency's own values are read, the count of errors to compare with.

    Returns:
        The condition under which the dependency may be called; None if it always may.
    """
    if not draft.has_errors or not draft.subtree_can_fail(call):
        return None
    if not draft.fallible:
        return "not errors"
    mark = draft.text.local("mark")
    draft.text.line(f"{mark} = len(errors)")
    return f"len(errors) == {mark}"


def emit_solve(draft: Draft, step: Solve, condition: str | None) -> None:
    """Write the call of a dependency, under its condition."""
    call = step.call
    name = name_of(call)
    result = None
    if call.name is not None or step.shared:
        result = draft.results[id(call)] = draft.text.local(call.name or name)
    draft.note(f"dependency {name}", call.origin)
    if condition is None:
        _emit_call(draft, call, result)
        return
    with draft.text.block(f"if {condition}:"):
        _emit_call(draft, call, result)
    if step.shared:
        failures = draft.failures[id(call)] = draft.text.local(f"{result}_errors")
        start = "" if condition == "not errors" else condition.rpartition(" ")[2]
        draft.text.line(f"{failures} = errors[{start}:]")


def emit_again(draft: Draft, step: Again) -> None:
    """Let a later place share a result; what was wrong is wrong there too, and told again."""
    draft.results[id(step.call)] = draft.results[id(step.first)]
    failures = draft.failures.get(id(step.first))
    if failures is not None:
        draft.text.line(f"errors += {failures}")


def arguments(draft: Draft, call: Call) -> str:
    """Write the arguments of a call: by keyword, unless the function itself says that position means the same."""
    parts = named_arguments(draft, call)
    if takes_by_position(call.call, list(parts)):
        return ", ".join(parts.values())
    return by_keyword(parts)


def by_keyword(parts: dict[str, str]) -> str:
    """Write arguments by keyword."""
    return ", ".join(f"{name}={value}" for name, value in parts.items())


def named_arguments(draft: Draft, call: Call) -> dict[str, str]:
    """Write the values that a call is given, by parameter."""
    parts: dict[str, str] = {}
    results = {dependency.name: dependency for dependency in call.dependencies if dependency.name is not None}
    for slot in call.signature.slots:
        if slot.source == "dependency":
            value: str | None = draft.results[id(results[slot.name])]
        elif slot.source == "context":
            value = context(draft, call, slot.meta, slot.annotation)
        else:
            value = draft.variables[id(call), slot.name]
        if value is not None:
            parts[slot.name] = value
    return parts


def takes_by_position(function: Any, names: list[str]) -> bool:
    """Whether a function has just these parameters first, in this order; decorated ones may expect keywords."""
    if type(function) is not FunctionType or hasattr(function, "__wrapped__") or hasattr(function, "__signature__"):
        return False
    code = function.__code__
    return list(code.co_varnames[: code.co_argcount][: len(names)]) == names


def context(draft: Draft, call: Call, kind: Any, annotation: Any) -> str | None:
    """Write what is handed over for a bare annotation; None where this protocol has no such thing."""
    here = "request" if draft.plan.protocol == "http" else "websocket"
    if kind == "scopes":
        return f"{draft.constant(annotation.__name__, annotation)}(scopes={literal(list(call.oauth_scopes))})"
    if kind == "connection" or kind == here:
        return here
    return str(kind) if kind in ("response", "background") else None


def _emit_call(draft: Draft, call: Call, result: str | None) -> None:
    function = draft.function(call)
    given = arguments(draft, call)
    if call.is_generator:
        _emit_open(draft, call, result, f"{function}({given})")
    elif call.limit is None:
        draft.text.line(_assigned(result, invocation(draft, call, function, given)))
    else:
        with draft.text.block(f"async with {draft.constant(f'limit_{name_of(call)}', call.limit)}.get_semaphore():"):
            draft.text.line(_assigned(result, invocation(draft, call, function, given)))


def invocation(draft: Draft, call: Call, function: str, given: str) -> str:
    """Write a call: the coroutine itself, awaited, or a thread that runs the function."""
    if call.kind == "async":
        return f"await {function}({given})"
    comma = ", " if given else ""
    if draft.is_in_hop:
        return f"each({function}{comma}{given})"
    return f"await {draft.constant('in_thread', in_thread)}({function}{comma}{given})"


def _emit_open(draft: Draft, call: Call, result: str | None, made: str) -> None:
    """Open a `yield` dependency and remember it for closing."""
    exits = "closing" if call.scope == "function" else "exits"
    if call.limit is not None:
        limit = draft.constant(f"limit_{name_of(call)}", call.limit)
        draft.text.line(f"place = {limit}.get_semaphore()")
        draft.text.line("await place.acquire()")
        draft.text.line(f"{exits}.append({draft.constant('SlotExit', SlotExit)}(place))")
    is_plain = call.kind != "gen" and not holds_scopes(call)
    if call.kind == "gen":
        made = f"{draft.constant('ThreadGenerator', ThreadGenerator)}({made})"
    elif not is_plain:
        made = f"{draft.constant('ShieldedGenerator', ShieldedGenerator)}({made}, shield)"
    draft.text.line(f"opened = {made}")
    with draft.text.block("try:") if is_plain else nullcontext():
        draft.text.line(_assigned(result, "each(opened.enter)" if draft.is_in_hop else "await opened.__anext__()"))
    if is_plain:
        with draft.text.block("except StopAsyncIteration:"):
            draft.text.line(f"raise {draft.constant('not_yielded', not_yielded)}(opened) from None")
    draft.text.line(f"{exits}.append(opened)")


def emit_leave(draft: Draft, exits: str) -> None:
    """Write the closing of what is open, last opened first, after a good end.

    Args:
        exits: The list that holds it: "exits", or "closing" for dependencies of scope "function".
    """
    is_early = exits == "closing"
    opened = [
        step.call for step in draft.solves if stays_open(step.call) and (step.call.scope == "function") is is_early
    ]
    is_form = draft.plan.body is not None and draft.plan.body.kind == "form"
    is_more = (is_form or draft.needs_shield) and not is_early
    if is_more or not all(is_simple_generator(call) for call in opened):
        draft.text.line(f"await {draft.constant('leave', leave)}({exits})")
        return
    for call in reversed(opened):
        draft.text.comment(f"close {name_of(call)}")
        with draft.text.block(f"async for _ in {exits}.pop():"):
            draft.text.line(f"raise {draft.constant('not_stopped', not_stopped)}()")


def _assigned(result: str | None, expression: str) -> str:
    return expression if result is None else f"{result} = {expression}"

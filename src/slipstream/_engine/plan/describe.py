"""A program in words: what is called in which order, what each call reads and from where, and the response.

Made for people; nothing reads it back.
"""

import re
from collections.abc import Iterator, Sequence
from enum import Enum
from os.path import relpath
from pathlib import Path
from typing import Any

from slipstream._engine.codegen.writer import literal
from slipstream._engine.errors import shown
from slipstream._engine.plan.arrange import Program
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.flatten import request_names
from slipstream._engine.plan.model import (
    Again,
    Call,
    Check,
    Encode,
    Hop,
    Invoke,
    Plan,
    ReadBody,
    ResponseSpec,
    Solve,
)
from slipstream._engine.signature.kinds import unpartial
from slipstream._engine.signature.model import Origin, Slot

_INDENT = "  "


def describe_program(program: Program) -> list[str]:
    """Tell a program, one line a fact, indented by what belongs to what."""
    plan = program.plan
    parts: list[tuple[str, list[str]]] = []
    if program.read is not None:
        parts.append(("body, read first", _body_lines(program.read)))
    dependencies = list(_dependency_lines(plan))
    if dependencies:
        parts.append(("dependencies, in this order", dependencies))
    parts.append(("endpoint", _call_lines(plan.root, plan, [])))
    threads = list(_thread_lines(program))
    if threads:
        parts.append(("worker threads, one for each line", threads))
    if program.errors != "none":
        parts.append(("errors of a request", [_ERRORS[program.errors]]))
    if program.response is not None:
        parts.append(("response", _response_lines(plan.response, program.response)))
    closed = list(_closing_lines(program))
    if closed:
        parts.append(("clean-up", closed))
    lines = []
    for title, inner in parts:
        lines += [title, *(f"{_INDENT}{line}" for line in inner)]
    return lines


def place(origin: Origin) -> str:
    """Write where a callable stands, seen from the working directory where that is shorter: `shop/items.py:12`."""
    if origin.file is None:
        return "no source"
    try:
        inside = Path(origin.file).is_relative_to(Path.cwd())
    except OSError:  # the working directory is gone
        inside = False
    return f"{relpath(origin.file) if inside else origin.file}:{origin.line}"


def how_it_runs(call: Call) -> str:
    """Say how a callable runs."""
    return {
        "async": "async",
        "sync": "in a thread",
        "async_gen": "async generator",
        "gen": "generator in a thread",
    }[call.kind]


def name_of(call: Call) -> str:
    """Name a call after its function or class; an object after its class, in lower case: `http_bearer`."""
    target = unpartial(call.call)
    name: str | None = getattr(target, "__name__", None)
    return name or re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z]{2})(?=[A-Z][a-z])", "_", type(target).__name__).lower()


def shown_default(field: ModelField) -> str:
    """Write a default the way a user would: `10`, `Order.NEWEST`, `make_tags()`."""
    info = field.field_info
    if info.default_factory is not None:
        return f"{getattr(info.default_factory, '__name__', 'factory')}()"
    if isinstance(info.default, Enum):
        return f"{type(info.default).__name__}.{info.default.name}"
    return literal(info.default)


_ERRORS = {
    "at once": "raised where it is found: there is one place for it",
    "gathered": "told together, before the endpoint is called",
}


def _thread_lines(program: Program) -> Iterator[str]:
    """Say which calls share a worker thread, and what it does with the endpoint's result."""
    for hop in (*program.feeding, *program.ending):
        if isinstance(hop, Hop):
            names = [name_of(step.call) for step in hop.steps if isinstance(step, Solve)]
            for step in hop.steps:
                if isinstance(step, Invoke):
                    names.append(name_of(program.plan.root))
                elif isinstance(step, (Check, Encode)):
                    names.append("validation of its result" if isinstance(step, Check) else "its result's JSON")
            yield ", ".join(names)


def _body_lines(read: ReadBody) -> list[str]:
    body = read.body
    if body.kind == "form":
        limits = ", ".join(f"{name}={value}" for name, value in body.form_limits.items())
        return [f"form{f', {limits}' if limits else ''}"]
    missing_type = "a missing content type is refused" if body.strict else "a missing content type passes for JSON"
    shape = "an object with one key per parameter" if body.embed else "the whole document is the parameter"
    return [f"JSON: {shape}; {missing_type}", *([] if read.fast is None else ["validated straight from its bytes"])]


def _dependency_lines(plan: Plan) -> Iterator[str]:
    again = [step for step in plan.steps if isinstance(step, Again)]
    for step in plan.steps:
        if isinstance(step, Solve):
            uses = 1 + sum(other.first is step.call for other in again)
            notes = [f"shared by {uses} places"] if uses > 1 else []
            yield from _call_lines(step.call, plan, notes)


def _call_lines(call: Call, plan: Plan, notes: Sequence[str]) -> list[str]:
    """Tell one call: the callable and, below it, where each of its arguments comes from."""
    facts = [how_it_runs(call), *notes]
    if call is not plan.root:
        if call.scope is not None and not call.is_generator:
            facts.append(f'scope "{call.scope}"')
        if not call.use_cache:
            facts.append("never shared")
        if call.limit is not None:
            facts.append("bounded by max_concurrency")
        if call.own_scopes:
            facts.append(f"security scopes {' '.join(call.own_scopes)}")
        if call.replaces is not None and call.replaces.call is not call.call:
            facts.append(f"overrides {name_of(call.replaces)}")
    head = f"{name_of(call)} ({place(call.origin)}): {', '.join(facts)}"
    return [head, *(f"{_INDENT}{line}" for line in _arguments(call, plan))]


def _arguments(call: Call, plan: Plan) -> Iterator[str]:
    dependencies = {dependency.name: dependency for dependency in call.dependencies}
    fields = {
        field.name: field
        for shelf in (call.path_params, call.query_params, call.header_params, call.cookie_params, call.body_params)
        for field in shelf
    }
    for slot in call.signature.slots:
        if slot.source == "dependency":
            yield f"{slot.name} = what {name_of(dependencies[slot.name])} gives"
        elif slot.source == "context":
            yield f"{slot.name} = {_context(slot, call)}"
        else:
            yield f"{slot.name} = {_source(slot, fields[slot.name], plan)}: {_typed(fields[slot.name])}"


def _context(slot: Slot, call: Call) -> str:
    if slot.meta == "scopes":
        return f"the security scopes {' '.join(call.oauth_scopes) or '(none)'}"
    return {
        "request": "the request",
        "websocket": "the WebSocket",
        "link": "the connection of the link",
        "event": "the event",
        "connection": "the connection",
        "response": "a response to set status and headers on",
        "background": "the background tasks",
    }[str(slot.meta)]


def _source(slot: Slot, field: ModelField, plan: Plan) -> str:
    """Say where a value is read: `header "x-token"`, `the whole body`."""
    if slot.source == "body" and plan.body is not None and not plan.body.embed:
        return "the whole body"
    names = [f'"{wire}"' for _, wire in request_names(field)]
    return f"{slot.source} {' or '.join(names)}"


def _typed(field: ModelField) -> str:
    info = field.field_info
    constraints = "".join(f", {item}" for item in info.metadata if not callable(item))
    text = f"{shown(info.annotation)}{constraints}"
    if field.required:
        return f"{text}, required"
    return f"{text}, default {shown_default(field)}"


def _response_lines(response: ResponseSpec, encode: Encode) -> list[str]:
    status = f"{response.status_code or 200}"
    if response.stream is not None:
        kind = {
            "jsonl": "application/jsonl, one line an item",
            "sse": "text/event-stream, one event an item",
            "raw": f"{_class_name(response.response_class)} of the chunks as they come",
        }[response.stream]
        checked = (
            [] if response.item_field is None else [f"each item checked against {_annotation(response.item_field)}"]
        )
        return [f"{status} {kind}", *checked]
    if response.response_class is None:
        lines = [f"{status} application/json, written as bytes; a Response is sent as it is"]
    else:
        lines = [f"{status} {response.response_class.__name__}; a Response is sent as it is"]
    if response.field is not None:
        lines.append(f"checked against {_annotation(response.field)}{_dump_options(response)}")
        if encode.trusts is not None:
            lines.append(f"an instance of {encode.trusts.__name__} is written without a check")
    return lines


def _class_name(response_class: Any) -> str:
    return "Response" if response_class is None else response_class.__name__


def _annotation(field: ModelField) -> str:
    return shown(field.field_info.annotation)


def _dump_options(response: ResponseSpec) -> str:
    """Options of the response model that differ from Pydantic's own wish: `, exclude_none=True`."""
    usual = ResponseSpec().dump_options
    said = {key: value for key, value in response.dump_options.items() if value != usual[key]}
    return "".join(f", {key}={value!r}" for key, value in said.items())


def _closing_lines(program: Program) -> Iterator[str]:
    """Say what is closed when, last opened first."""
    moments = ((program.closing, "before the response is sent"), (program.exits, "after the response is sent"))
    for leave, moment in moments:
        if leave is not None and leave.calls:
            moment = "when the endpoint returns" if program.response is None else moment
            yield f"{moment}: {', '.join(map(name_of, leave.calls))}"

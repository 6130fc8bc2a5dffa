"""A program in words, for people: the calls in their order, what each reads and from where, and the response."""

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from os.path import relpath
from pathlib import Path

from slipstream._engine.codegen import literal
from slipstream._engine.errors import shown
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.flatten import request_names
from slipstream._engine.plan.model import DUMP_OPTIONS, Again, Call, Plan, ResponseSpec, Solve
from slipstream._engine.plan.program import Act, Check, Encode, Hop, Invoke, Program, ReadBody
from slipstream._engine.signature.kinds import unpartial
from slipstream._engine.signature.model import Origin
from slipstream.limits import COMPATIBLE

_INDENT = "  "


def describe_program(program: Program) -> list[str]:
    plan = program.plan
    parts: dict[str, Iterable[str]] = {
        "body, read first": [] if program.read is None else _body_lines(program.read),
        "dependencies, in this order": [
            line for step in plan.steps if isinstance(step, Solve) for line in _call_lines(step.call, plan)
        ],
        "endpoint": _call_lines(plan.root, plan),
        "worker threads, one for each line": [
            ", ".join(filter(None, (_thread_work(step, program) for step in hop.steps)))
            for hop in (*program.feeding, *program.ending)
            if isinstance(hop, Hop)
        ],
        "errors of a request": _ERRORS[program.errors],
        "limits": [
            f"{name}={value}" for name, value in plan.limits.given.items() if value != getattr(COMPATIBLE, name)
        ],
        "response": [] if program.response is None else _response_lines(plan.response, program.response),
        "clean-up": _closing_lines(program),
    }
    lines = []
    for title, part in parts.items():
        inner = [f"{_INDENT}{line}" for line in part]
        lines += [title, *inner] if inner else []
    return lines


def place(origin: Origin) -> str:
    """Return file and line of a callable, relative to the working directory if it is inside: `shop/items.py:12`."""
    if origin.file is None:
        return "no source"
    try:
        inside = Path(origin.file).is_relative_to(Path.cwd())
    except OSError:  # the working directory is gone
        inside = False
    return f"{relpath(origin.file) if inside else origin.file}:{origin.line}"


def name_of(call: Call) -> str:
    """Return the name of a call's function or class; for an object its class in lower case: `http_bearer`."""
    target = unpartial(call.call)
    name: str | None = getattr(target, "__name__", None)
    return name or re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z]{2})(?=[A-Z][a-z])", "_", type(target).__name__).lower()


def shown_default(field: ModelField) -> str:
    """Write a default as a user would: `10`, `Order.NEWEST`, `make_tags()`."""
    info = field.field_info
    if info.default_factory is not None:
        return f"{getattr(info.default_factory, '__name__', 'factory')}()"
    if isinstance(info.default, Enum):
        return f"{type(info.default).__name__}.{info.default.name}"
    return literal(info.default)


RUNS = {
    "async": "async",
    "sync": "in a thread",
    "async_gen": "async generator",
    "gen": "generator in a thread",
}
_ERRORS = {
    "none": [],
    "at once": ["raised where it is found: there is one place for it"],
    "gathered": ["raised together, before the endpoint is called"],
}
_CONTEXTS = {
    "request": "the request",
    "websocket": "the WebSocket",
    "link": "the connection of the link",
    "event": "the event",
    "connection": "the connection",
    "response": "a response to set status and headers on",
    "background": "the background tasks",
}


def _thread_work(step: Act, program: Program) -> str | None:
    if isinstance(step, Solve):
        return name_of(step.call)
    if isinstance(step, Invoke):
        return name_of(program.plan.root)
    if isinstance(step, Check):
        return "validation of its result"
    return "its result's JSON" if isinstance(step, Encode) else None


def _body_lines(read: ReadBody) -> list[str]:
    body = read.body
    if body.kind == "form":
        return ["form"]
    missing_type = "a missing content type is refused" if body.strict else "a missing content type passes for JSON"
    shape = "an object with one key per parameter" if body.embed else "the whole document is the parameter"
    return [f"JSON: {shape}; {missing_type}", *([] if read.fast is None else ["validated straight from its bytes"])]


def _call_lines(call: Call, plan: Plan) -> list[str]:
    """Describe a call and, below it, where each of its arguments comes from."""
    uses = 1 + sum(isinstance(step, Again) and step.first is call for step in plan.steps)
    facts = [RUNS[call.kind], *([f"shared by {uses} places"] if uses > 1 else [])]
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
    fields = {field.name: field for params in call.params.values() for field in params}
    for slot in call.signature.slots:
        if slot.source == "dependency":
            yield f"{slot.name} = what {name_of(dependencies[slot.name])} gives"
        elif slot.source == "context":
            scopes = f"the security scopes {' '.join(call.oauth_scopes) or '(none)'}"
            yield f"{slot.name} = {scopes if slot.meta == 'scopes' else _CONTEXTS[str(slot.meta)]}"
        else:
            field = fields[slot.name]
            is_whole = slot.source == "body" and plan.body is not None and not plan.body.embed
            sent = " or ".join(f'"{name}"' for _, name in request_names(field))
            where = "the whole body" if is_whole else f"{slot.source} {sent}"
            constraints = "".join(f", {item}" for item in field.field_info.metadata if not callable(item))
            default = "required" if field.required else f"default {shown_default(field)}"
            yield f"{slot.name} = {where}: {_annotation(field)}{constraints}, {default}"


def _response_lines(response: ResponseSpec, encode: Encode) -> list[str]:
    status = f"{response.status_code or 200}"
    if response.stream is not None:
        items = [] if response.item_field is None else [response.item_field]
        kind = {
            "jsonl": "application/jsonl, one line an item",
            "sse": "text/event-stream, one event an item",
            "raw": f"{getattr(response.response_class, '__name__', 'Response')} of the chunks as they come",
        }[response.stream]
        return [f"{status} {kind}", *(f"each item checked against {_annotation(item)}" for item in items)]
    kind = "application/json, written as bytes" if response.response_class is None else response.response_class.__name__
    lines = [f"{status} {kind}; a Response is sent as it is"]
    if response.field is not None:
        options = response.dump_options.items()
        unusual = "".join(f", {key}={value!r}" for key, value in options if value != DUMP_OPTIONS[key])
        lines.append(f"checked against {_annotation(response.field)}{unusual}")
        if encode.trusts is not None:
            lines.append(f"an instance of {encode.trusts.__name__} is written without a check")
    return lines


def _annotation(field: ModelField) -> str:
    return shown(field.field_info.annotation)


def _closing_lines(program: Program) -> Iterator[str]:
    """Yield what is closed when, last opened first."""
    moments = ((program.closing, "before the response is sent"), (program.exits, "after the response is sent"))
    for leave, moment in moments:
        if leave is not None and leave.calls:
            moment = "when the endpoint returns" if program.response is None else moment
            yield f"{moment}: {', '.join(map(name_of, leave.calls))}"

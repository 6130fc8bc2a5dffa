"""The text that reads one parameter: a plain value in place, others by a taker (`runtime/take.py`)."""

from dataclasses import replace
from enum import Enum
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import Headers, QueryParams

from slipstream._engine.codegen.writer import literal
from slipstream._engine.emit.pen import Pen
from slipstream._engine.errors import shown
from slipstream._engine.plan.describe import shown_default
from slipstream._engine.plan.failing import is_plain_str
from slipstream._engine.plan.fields import ModelField, model_fields
from slipstream._engine.plan.flatten import param_model, request_names
from slipstream._engine.plan.items import item_model, item_of
from slipstream._engine.plan.model import Take
from slipstream._engine.runtime.take import model_taker, value_taker
from slipstream._engine.runtime.values import find_header, located, missing, read_cookies, read_headers, read_query
from slipstream._engine.signature.annotations import is_json, is_sequence
from slipstream._engine.signature.read import path_names_of


def emit_take(pen: Pen, step: Take) -> None:
    variable = pen.variable(step.call, step.field.name)
    pen.note(f"{step.source} {described(step.field)}", step.call.origin)
    if is_simple(step.field):
        _emit_simple(pen, step, variable)
    else:
        take = pen.constant(f"take_{step.field.name}", make_taker(step.field, step.source))
        pen.take(variable, take, place_of(pen, step.source, rich=True))


def prepare(pen: Pen, step: Take) -> None:
    """Write the parsing of the part of the request with a value, unless the value is a header looked up by itself."""
    is_rich = not is_simple(step.field)
    if step.source != "body" and (is_rich or step.source != "header" or not pen.program.searches_headers):
        place_of(pen, step.source, rich=is_rich)


def is_simple(item: ModelField) -> bool:
    """Whether the value is one string under one name."""
    info = item.field_info
    return (
        len(request_names(item)) == 1
        and not is_sequence(info.annotation)
        and not is_json(info)
        and param_model(item) is None
        and not info.validate_default
    )


def described(item: ModelField) -> str:
    """Write a parameter as the user wrote it, for a comment: `limit: int = 10`."""
    text = f"{item.name}: {shown(item.field_info.annotation)}"
    return text if item.required else f"{text} = {shown_default(item)}"


def _emit_simple(pen: Pen, step: Take, variable: str) -> None:
    item = step.field
    _, key = request_names(item)[0]
    is_str = is_plain_str(item)
    if step.source == "path" and key in path_names_of(pen.plan.root.path):
        found = f"{place_of(pen, 'path')}[{literal(key)}]"
        if is_str and key in pen.plan.path_strings:
            pen.line(f"{variable} = {found}")
        else:
            _emit_check(pen, step, variable, found, key)
        return
    if step.source == "header" and pen.program.searches_headers:
        place = ""
        found = f"{pen.constant('find_header', find_header)}(scope, {_key(step.source, key)})"
    else:
        place = place_of(pen, step.source)
        found = f"{place}.get({_key(step.source, key)})"
    target = variable if is_str else "given"
    default = _default(pen, item)
    if is_str and step.source != "header" and default is not None and not default.endswith("()"):
        tail = "" if default == "None" else f", {default}"
        pen.line(f"{variable} = {place}.get({_key(step.source, key)}{tail})")
        return
    pen.line(f"{target} = {found}")
    with pen.block(f"if {target} is None:"):
        if default is None:
            pen.wrong(f"[{pen.constant('missing', missing)}({literal((step.source, key))})]")
        elif default != "None" or not is_str:
            pen.line(f"{variable} = {default}")
    decoded = f'{target}.decode("latin-1")' if step.source == "header" else target
    if is_str and decoded != variable:
        with pen.block("else:"):
            pen.line(f"{variable} = {decoded}")
    elif not is_str:
        with pen.block("else:"):
            _emit_check(pen, step, variable, decoded, key)


def _emit_check(pen: Pen, step: Take, variable: str, found: str, key: str) -> None:
    item = step.field
    check = pen.constant(f"check_{item.name}", item.checker.validator.validate_python)
    with pen.block("try:"):
        pen.line(f"{variable} = {check}({found})")
    with pen.block(f"except {pen.constant('ValidationError', ValidationError)} as wrong:"):
        pen.wrong(f"{pen.constant('located', located)}(wrong, {literal((step.source, key))})")


def _key(source: str, key: str) -> str:
    return literal(key.lower().encode("latin-1") if source == "header" else key)


def place_of(pen: Pen, source: str, rich: bool = False) -> str:
    """Return the local with the values of a source (`rich`: with all values of each name), parsed at its first use."""
    name, parse, given = _PLACES[source, rich and source in ("query", "header")]
    if name not in pen.prepared:
        pen.prepared.add(name)
        pen.line(f"{name} = {'' if parse is None else pen.constant(parse.__name__, parse)}{given}")
    return name


_PLACES: dict[tuple[str, bool], tuple[str, Any, str]] = {
    ("path", False): ("path_params", None, 'scope["path_params"]'),
    ("query", False): ("query", read_query, '(scope["query_string"])'),
    ("header", False): ("headers", read_headers, "(scope)"),
    ("cookie", False): ("cookies", read_cookies, "(scope)"),
    ("query", True): ("query_lists", QueryParams, '(scope["query_string"])'),
    ("header", True): ("header_lists", Headers, "(scope=scope)"),
}


def _default(pen: Pen, item: ModelField) -> str | None:
    """Return a default as a literal, a constant, or a call that makes a new object; None if required."""
    if item.required:
        return None
    info = item.field_info
    if info.default_factory is None:
        value = info.default
        if value is None or type(value) in (bool, int, str):
            return literal(value)
        if isinstance(value, (float, bytes, Enum)):
            return pen.constant(f"default_{item.name}", value)
    return f"{pen.constant(f'make_{item.name}', item.get_default)}()"


def make_taker(item: ModelField, source: str) -> Any:
    """Make the taker of a parameter that is not simple."""
    model = param_model(item)
    if model is None or source == "path":
        return value_taker(item_of(item), source)
    is_header, default = source == "header", getattr(item.field_info, "convert_underscores", True)
    fields = (
        item_of(inner, convert_underscores=is_header and getattr(inner.field_info, "convert_underscores", default))
        for inner in model_fields(model)
    )
    is_optional = item.field_info.annotation is not model
    return model_taker(replace(item_of(item), models=(item_model(model, fields),), is_optional=is_optional), source)

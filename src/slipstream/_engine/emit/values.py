"""The text that reads the body and the parameters: a plain value in place, others by a taker (`runtime/take.py`)."""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from functools import partial
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import Headers, QueryParams

from slipstream._engine.codegen import literal
from slipstream._engine.emit.pen import Pen
from slipstream._engine.errors import shown
from slipstream._engine.plan.describe import shown_default
from slipstream._engine.plan.fields import ModelField, is_plain_str, model_fields
from slipstream._engine.plan.flatten import param_model, request_names
from slipstream._engine.plan.items import form_item, item_model, item_of
from slipstream._engine.plan.model import BodyPlan, Take
from slipstream._engine.plan.program import ReadBody, TakeForm, TakeJson
from slipstream._engine.runtime import body, values
from slipstream._engine.runtime.cleanup import FormExit
from slipstream._engine.runtime.take import Item, form_taker, model_taker, value_taker
from slipstream._engine.signature.annotations import is_json, is_sequence
from slipstream._engine.signature.read import path_names_of
from slipstream.limits import UNLIMITED


def emit_read_body(pen: Pen, step: ReadBody) -> None:
    if step.body.kind == "form":
        read = pen.constant("read_form", body.form_reader(pen.services.body_error, pen.plan.limits))
        pen.note("body, as a form", pen.plan.root.origin)
        pen.line(f"form = await {read}(request)")
        pen.line(f"exits.append({pen.constant('FormExit', FormExit)}(form))")
        pen.layer.read(pen, "form")
        return
    fast = step.fast
    if fast is not None and step.is_first:
        pen.note(f"body {described(fast)}", pen.plan.steps[0].call.origin)
    else:
        pen.note("body, as JSON", pen.plan.root.origin)
    pen.dialect.read_raw(pen)
    emit_size_check(pen, pen.plan.limits.body_size if fast is None else body.json_size(pen.plan.limits))
    find = pen.constant("find_header", values.find_header) if pen.program.searches_headers else ""
    one = f'{find}(scope, b"content-type")' if find else f'{place_of(pen, "header")}.get(b"content-type")'
    pen.line(f"content_type = {one}")
    if fast is None:
        pen.line(f"body = {decoded(pen, step.body)}")
        pen.layer.read(pen, "body")
        return
    # The local of the parameter is assigned before its step comes.
    owner = next(take.call for take in pen.plan.steps if isinstance(take, Take) and take.field is fast)
    variable = pen.variable(owner, fast.name)
    unset = pen.constant("UNSET", values.UNSET)
    parse = pen.constant(f"parse_{fast.name}", body.json_parser(fast.checker, pen.plan.limits))
    is_json = f"{pen.constant('is_json', body.is_json)}(content_type, {step.body.strict})"
    with pen.block("try:"):
        pen.line(f'{variable} = {parse}(raw) if content_type == b"application/json" or {is_json} else {unset}')
    with pen.block(f"except {pen.constant('ValidationError', ValidationError)}:"):
        pen.line(f"{variable} = {unset}  # told in full below")
    with pen.block(f"if {variable} is {unset}:"):
        pen.line(f"body = {decoded(pen, step.body)}")
        if step.is_first:
            _emit_taken(pen, fast, variable, body.whole_taker)


def emit_size_check(pen: Pen, most: int | None) -> None:
    if most is not None and most != UNLIMITED:
        with pen.block(f"if len(raw) > {most}:"):
            pen.line(f"raise {pen.constant('too_large', body.too_large)}()")


def decoded(pen: Pen, read: BodyPlan) -> str:
    limits = pen.plan.limits
    decoder = partial(
        body.body_decoder, pen.services, read.strict, pen.plan.where, pen.layer.body_reporter(pen), limits
    )
    return f"{pen.made('decode_body', decoder)}(raw, content_type, scope)"


def emit_take_json(pen: Pen, step: TakeJson) -> None:
    item = step.field
    make = body.key_taker if step.by_key else body.whole_taker
    pen.note(f"body {described(item)}", step.call.origin)
    if step.is_retry:
        known = pen.variables[id(step.call), item.name]
        with pen.block(f"if {known} is {pen.constant('UNSET', values.UNSET)}:"):
            _emit_taken(pen, item, known, make)
    else:
        _emit_taken(pen, item, pen.variable(step.call, item.name), make)


def _emit_taken(pen: Pen, item: ModelField, variable: str, make: Callable[[Item], Any]) -> None:
    take = pen.constant(f"take_{item.name}", make(item_of(item)))
    pen.take(variable, take, "body" if pen.plan.body else pen.constant("UNSET", values.UNSET))


def emit_take_form(pen: Pen, step: TakeForm) -> None:
    """Write the validation of all form parameters of one call together, since models may refuse unknown keys."""
    params = step.call.body_params
    take = pen.constant("take_form", form_taker([form_item(item) for item in params], whole=step.is_whole))
    names = [pen.variable(step.call, item.name) for item in params]
    pen.note("form " + ", ".join(map(described, params)), step.call.origin)
    pen.take(f"({', '.join(names)}{',' if len(names) == 1 else ''})", f"await {take}", "form")


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
        found = f"{pen.constant('find_header', values.find_header)}(scope, {_key(step.source, key)})"
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
            pen.wrong(f"[{pen.constant('missing', values.missing)}({literal((step.source, key))})]")
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
        pen.wrong(f"{pen.constant('located', values.located)}(wrong, {literal((step.source, key))})")


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
    ("query", False): ("query", values.read_query, '(scope["query_string"])'),
    ("header", False): ("headers", values.read_headers, "(scope)"),
    ("cookie", False): ("cookies", values.read_cookies, "(scope)"),
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

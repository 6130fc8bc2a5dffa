"""The text that reads the body, before any dependency runs, and gives its parts to their parameters."""

from collections.abc import Callable
from functools import partial
from typing import Any

from pydantic import ValidationError

from slipstream._engine.emit.pen import Pen
from slipstream._engine.emit.values import described, place_of
from slipstream._engine.plan.body import form_models, should_embed
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.flatten import flat_body_params
from slipstream._engine.plan.items import form_item, item_of
from slipstream._engine.plan.model import BodyPlan, ReadBody, Take, TakeAbsent, TakeForm, TakeJson
from slipstream._engine.runtime.body import body_decoder, is_json, key_taker, whole_taker
from slipstream._engine.runtime.cleanup import FormExit
from slipstream._engine.runtime.form import form_reader, form_taker
from slipstream._engine.runtime.take import Item
from slipstream._engine.runtime.values import UNSET, find_header
from slipstream._engine.types import Location


def emit_read_body(pen: Pen, step: ReadBody) -> None:
    """Write the reading of the body as a whole."""
    if step.body.kind == "form":
        _emit_read_form(pen, step.body)
        return
    text, fast = pen.text, step.fast
    if fast is not None and step.is_first:
        pen.note(f"body {described(fast)}", pen.plan.steps[0].call.origin)
    else:
        pen.note("body, as JSON", pen.plan.root.origin)
    pen.dialect.read_raw(pen)
    text.line(f"content_type = {_content_type(pen)}")
    if fast is None:
        text.line(f"body = {decoded(pen, step.body)}")
        pen.layer.read(pen, "body")
        return
    variable = _fast_variable(pen, fast)
    unset = pen.constant("UNSET", UNSET)
    parse = pen.constant(f"parse_{fast.name}", fast.checker.validator.validate_json)
    is_json_type = f"{pen.constant('is_json', is_json)}(content_type, {step.body.strict})"
    with text.block("try:"):
        is_json_body = f'content_type == b"application/json" or {is_json_type}'
        text.line(f"{variable} = {parse}(raw) if {is_json_body} else {unset}")
    with text.block(f"except {pen.constant('ValidationError', ValidationError)}:"):
        text.line(f"{variable} = {unset}  # told in full below")
    with text.block(f"if {variable} is {unset}:"):
        text.line(f"body = {decoded(pen, step.body)}")
        if step.is_first:
            _emit_taken(pen, fast, variable, whole_taker)


def _content_type(pen: Pen) -> str:
    """Find the header: in the dictionary of headers if one is made anyway."""
    if not pen.program.searches_headers:
        return f'{place_of(pen, "header")}.get(b"content-type")'
    return f'{pen.constant("find_header", find_header)}(scope, b"content-type")'


def decoded(pen: Pen, body: BodyPlan) -> str:
    """Write the decoding of the bytes."""

    def make() -> Callable[..., Any]:
        return body_decoder(pen.services, body.strict, pen.plan.where, pen.layer.body_teller(pen))

    return f"{pen.made('decode_body', make)}(raw, content_type, scope)"


def _fast_variable(pen: Pen, fast: ModelField) -> str:
    """Reserve the local of the parameter that is the whole body: it is filled before its step comes."""
    step = next(step for step in pen.plan.steps if isinstance(step, Take) and step.field is fast)
    return pen.variable(step.call, fast.name)


def emit_take_json(pen: Pen, step: TakeJson) -> None:
    """Write how a parameter gets its part of a JSON body."""
    body, item = pen.plan.body, step.field
    assert body is not None, "a body parameter needs a body"
    make = key_taker if body.embed else whole_taker
    pen.note(f"body {described(item)}", step.call.origin)
    if step.is_retry:
        known = pen.variables[id(step.call), item.name]
        with pen.text.block(f"if {known} is {pen.constant('UNSET', UNSET)}:"):
            _emit_taken(pen, item, known, make)
    else:
        _emit_taken(pen, item, pen.variable(step.call, item.name), make)


def _emit_taken(pen: Pen, item: ModelField, variable: str, make: Callable[[Item], Any]) -> None:
    """Write the validation of a parameter's part of the parsed body."""
    take = pen.constant(f"take_{item.name}", make(item_of(item)))
    pen.text.line(f"{variable}, wrong = {take}(body)")
    pen.perhaps_wrong()


def emit_take_absent(pen: Pen, step: TakeAbsent) -> None:
    """Write what a body parameter is where no body ever comes: its default, or an error."""
    item = step.field
    variable = pen.variable(step.call, item.name)
    pen.note(f"body {described(item)}", step.call.origin)
    loc: Location = ("body", item.alias) if should_embed(flat_body_params(pen.plan.root)) else ("body",)
    take = pen.constant(f"take_{item.name}", partial(item_of(item).settle, loc=loc))
    pen.text.line(f"{variable}, wrong = {take}({pen.constant('UNSET', UNSET)})")
    pen.perhaps_wrong()


def _emit_read_form(pen: Pen, body: BodyPlan) -> None:
    read = pen.constant("read_form", form_reader(pen.services.body_error, body.form_limits))
    pen.note("body, as a form", pen.plan.root.origin)
    pen.text.line(f"form = await {read}(request)")
    pen.text.line(f"exits.append({pen.constant('FormExit', FormExit)}(form))")
    pen.layer.read(pen, "form")


def emit_take_form(pen: Pen, step: TakeForm) -> None:
    """Write how all form parameters of one call get their values, together: unknown keys matter to models."""
    call, body = step.call, pen.plan.body
    assert body is not None, "a form is a body"
    single = len(call.body_params) == 1 and not body.embed and not form_models(call.body_params[0])
    take = pen.constant("take_form", form_taker([form_item(item) for item in call.body_params], whole=single))
    names = [pen.variable(call, item.name) for item in call.body_params]
    pen.note("form " + ", ".join(map(described, call.body_params)), call.origin)
    values = ", ".join(names) + ("," if len(names) == 1 else "")
    pen.text.line(f"({values}), wrong = await {take}(form)")
    pen.perhaps_wrong()

"""The text that reads the body and validates its parts."""

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
from slipstream._engine.plan.model import BodyPlan, Take
from slipstream._engine.plan.program import ReadBody, TakeAbsent, TakeForm, TakeJson
from slipstream._engine.runtime.body import body_decoder, is_json, key_taker, whole_taker
from slipstream._engine.runtime.cleanup import FormExit
from slipstream._engine.runtime.form import form_reader, form_taker
from slipstream._engine.runtime.strict import json_parser, json_size, too_large
from slipstream._engine.runtime.take import Item
from slipstream._engine.runtime.values import UNSET, find_header
from slipstream._engine.types import Location
from slipstream.limits import UNLIMITED, form_options


def emit_read_body(pen: Pen, step: ReadBody) -> None:
    """Write the reading of the body, before any other step."""
    if step.body.kind == "form":
        read = pen.constant("read_form", form_reader(pen.services.body_error, form_options(pen.plan.limits)))
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
    emit_size_check(pen, pen.plan.limits.body_size if fast is None else json_size(pen.plan.limits))
    find = pen.constant("find_header", find_header) if pen.program.searches_headers else ""
    one = f'{find}(scope, b"content-type")' if find else f'{place_of(pen, "header")}.get(b"content-type")'
    pen.line(f"content_type = {one}")
    if fast is None:
        pen.line(f"body = {decoded(pen)}")
        pen.layer.read(pen, "body")
        return
    # The local of the parameter is assigned before its step comes.
    owner = next(take.call for take in pen.plan.steps if isinstance(take, Take) and take.field is fast)
    variable = pen.variable(owner, fast.name)
    unset = pen.constant("UNSET", UNSET)
    parse = pen.constant(f"parse_{fast.name}", json_parser(fast.checker, pen.plan.limits))
    is_json_type = f"{pen.constant('is_json', is_json)}(content_type, {step.body.strict})"
    with pen.block("try:"):
        is_json_body = f'content_type == b"application/json" or {is_json_type}'
        pen.line(f"{variable} = {parse}(raw) if {is_json_body} else {unset}")
    with pen.block(f"except {pen.constant('ValidationError', ValidationError)}:"):
        pen.line(f"{variable} = {unset}  # told in full below")
    with pen.block(f"if {variable} is {unset}:"):
        pen.line(f"body = {decoded(pen)}")
        if step.is_first:
            _emit_taken(pen, fast, variable, whole_taker)


def emit_size_check(pen: Pen, most: int | None) -> None:
    if most is not None and most != UNLIMITED:
        with pen.block(f"if len(raw) > {most}:"):
            pen.line(f"raise {pen.constant('too_large', too_large)}()")


def decoded(pen: Pen) -> str:
    def make() -> Callable[..., Any]:
        return body_decoder(
            pen.services, _body(pen).strict, pen.plan.where, pen.layer.body_reporter(pen), pen.plan.limits
        )

    return f"{pen.made('decode_body', make)}(raw, content_type, scope)"


def _body(pen: Pen) -> BodyPlan:
    assert pen.plan.body is not None, "there is a step that reads the body"
    return pen.plan.body


def emit_take_json(pen: Pen, step: TakeJson) -> None:
    item = step.field
    make = key_taker if _body(pen).embed else whole_taker
    pen.note(f"body {described(item)}", step.call.origin)
    if step.is_retry:
        known = pen.variables[id(step.call), item.name]
        with pen.block(f"if {known} is {pen.constant('UNSET', UNSET)}:"):
            _emit_taken(pen, item, known, make)
    else:
        _emit_taken(pen, item, pen.variable(step.call, item.name), make)


def _emit_taken(pen: Pen, item: ModelField, variable: str, make: Callable[[Item], Any]) -> None:
    pen.take(variable, pen.constant(f"take_{item.name}", make(item_of(item))), "body")


def emit_take_absent(pen: Pen, step: TakeAbsent) -> None:
    """Write the default of a body parameter, or its error, where a protocol has no body."""
    item = step.field
    variable = pen.variable(step.call, item.name)
    pen.note(f"body {described(item)}", step.call.origin)
    loc: Location = ("body", item.alias) if should_embed(flat_body_params(pen.plan.root)) else ("body",)
    take = pen.constant(f"take_{item.name}", partial(item_of(item).settle, loc=loc))
    pen.take(variable, take, pen.constant("UNSET", UNSET))


def emit_take_form(pen: Pen, step: TakeForm) -> None:
    """Write the validation of all form parameters of one call together, since models may refuse unknown keys."""
    call = step.call
    single = len(call.body_params) == 1 and not _body(pen).embed and not form_models(call.body_params[0])
    take = pen.constant("take_form", form_taker([form_item(item) for item in call.body_params], whole=single))
    names = [pen.variable(call, item.name) for item in call.body_params]
    pen.note("form " + ", ".join(map(described, call.body_params)), call.origin)
    values = ", ".join(names) + ("," if len(names) == 1 else "")
    pen.take(f"({values})", f"await {take}", "form")

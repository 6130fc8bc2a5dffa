"""The text that reads the body, before any dependency runs, and gives its parts to their parameters."""

from collections.abc import Callable
from functools import partial
from typing import Any

from pydantic import ValidationError

from slipstream._engine.emit.draft import Draft
from slipstream._engine.emit.observed import emit_body_noted, teller
from slipstream._engine.emit.values import described
from slipstream._engine.plan.body import form_models, should_embed
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.flatten import flat_body_params
from slipstream._engine.plan.items import form_item, item_of
from slipstream._engine.plan.model import BodyPlan, Call, Take
from slipstream._engine.runtime.body import body_decoder, body_reader, is_json, key_taker, whole_taker
from slipstream._engine.runtime.cleanup import FormExit
from slipstream._engine.runtime.form import form_reader, form_taker
from slipstream._engine.runtime.take import Item
from slipstream._engine.runtime.values import UNSET, find_header, read_headers
from slipstream._engine.types import Location


def emit_read_body(draft: Draft, body: BodyPlan) -> None:
    """Write the reading of the body as a whole."""
    if body.kind == "form":
        _emit_read_form(draft, body)
        return
    text = draft.text
    fast = draft.fast_body
    _note_body(draft)
    if draft.has_request:
        read = draft.constant("read_request_body", body_reader(draft.services.body_error, from_request=True))
        text.line(f"raw = await {read}(request)")
    elif not draft.is_direct:
        read = draft.constant("read_body", body_reader(draft.services.body_error))
        text.line(f"raw = await {read}(receive)")
    text.line(f"content_type = {_content_type(draft)}")
    if fast is None:
        text.line(f"body = {decoded(draft, body)}")
        emit_body_noted(draft, "body")
        return
    variable = _fast_variable(draft, fast)
    unset = draft.constant("UNSET", UNSET)
    parse = draft.constant(f"parse_{fast.name}", fast.checker.validator.validate_json)
    is_json_type = f"{draft.constant('is_json', is_json)}(content_type, {body.strict})"
    with text.block("try:"):
        is_json_body = f'content_type == b"application/json" or {is_json_type}'
        text.line(f"{variable} = {parse}(raw) if {is_json_body} else {unset}")
    with text.block(f"except {draft.constant('ValidationError', ValidationError)}:"):
        text.line(f"{variable} = {unset}  # told in full below")
    with text.block(f"if {variable} is {unset}:"):
        text.line(f"body = {decoded(draft, body)}")
        if draft.is_body_first:
            _emit_taken(draft, fast, variable, whole_taker)


def _note_body(draft: Draft) -> None:
    if draft.fast_body is not None and draft.is_body_first:
        draft.note(f"body {described(draft.fast_body)}", draft.plan.steps[0].call.origin)
    else:
        draft.note("body, as JSON", draft.plan.root.origin)


def _content_type(draft: Draft) -> str:
    """Find the header: in the dictionary of headers if one is made anyway."""
    if any(isinstance(step, Take) and step.source == "header" for step in draft.plan.steps):
        if "headers" not in draft.prepared:
            draft.prepared.add("headers")
            draft.text.line(f"headers = {draft.constant('read_headers', read_headers)}(scope)")
        return 'headers.get(b"content-type")'
    return f'{draft.constant("find_header", find_header)}(scope, b"content-type")'


def decoded(draft: Draft, body: BodyPlan) -> str:
    """Write the decoding of the bytes."""
    if draft.decode is None:
        tell = None if draft.observation is None else teller(draft.services.observation_key)
        draft.decode = body_decoder(draft.services, body.strict, draft.where, tell)
    decode = draft.constant("decode_body", draft.decode)
    return f"{decode}(raw, content_type, scope)"


def _fast_variable(draft: Draft, fast: ModelField) -> str:
    """Reserve the local of the parameter that is the whole body: it is filled before its step comes."""
    for step in draft.plan.steps:
        if isinstance(step, Take) and step.field is fast:
            variable = draft.text.local(fast.name)
            draft.variables[id(step.call), fast.name] = variable
            return variable
    raise AssertionError("a body field belongs to a step")


def emit_take_body(draft: Draft, step: Take) -> None:
    """Write how a parameter gets its part of a JSON body."""
    body = draft.plan.body
    assert body is not None, "a body parameter needs a body"
    draft.fallible = True
    text, item = draft.text, step.field
    make = key_taker if body.embed else whole_taker
    known = draft.variables.get((id(step.call), item.name))
    if known is not None and draft.is_body_first:
        return
    draft.note(f"body {described(item)}", step.call.origin)
    if known is not None:
        with text.block(f"if {known} is {draft.constant('UNSET', UNSET)}:"):
            _emit_taken(draft, item, known, make)
        return
    variable = draft.variables[id(step.call), item.name] = text.local(item.name)
    _emit_taken(draft, item, variable, make)


def _emit_taken(draft: Draft, item: ModelField, variable: str, make: Callable[[Item], Any]) -> None:
    """Write the validation of a parameter's part of the parsed body."""
    take = draft.constant(f"take_{item.name}", make(item_of(item)))
    draft.text.line(f"{variable}, wrong = {take}(body)")
    draft.perhaps_wrong()


def emit_absent_body(draft: Draft, step: Take) -> None:
    """Write what a body parameter is where no body ever comes, on a WebSocket: its default, or an error."""
    draft.fallible = True
    text, item = draft.text, step.field
    variable = draft.variables[id(step.call), item.name] = text.local(item.name)
    draft.note(f"body {described(item)}", step.call.origin)
    loc: Location = ("body", item.alias) if should_embed(flat_body_params(draft.plan.root)) else ("body",)
    take = draft.constant(f"take_{item.name}", partial(item_of(item).settle, loc=loc))
    text.line(f"{variable}, wrong = {take}({draft.constant('UNSET', UNSET)})")
    draft.perhaps_wrong()


def _emit_read_form(draft: Draft, body: BodyPlan) -> None:
    read = draft.constant("read_form", form_reader(draft.services.body_error, body.form_limits))
    draft.note("body, as a form", draft.plan.root.origin)
    draft.text.line(f"form = await {read}(request)")
    draft.text.line(f"exits.append({draft.constant('FormExit', FormExit)}(form))")
    emit_body_noted(draft, "form")


def emit_take_form(draft: Draft, call: Call, embed: bool) -> None:
    """Write how all form parameters of one call get their values, together: unknown keys matter to models."""
    draft.fallible = True
    text = draft.text
    single = len(call.body_params) == 1 and not embed and not form_models(call.body_params[0])
    take = draft.constant("take_form", form_taker([form_item(item) for item in call.body_params], whole=single))
    names = [text.local(item.name) for item in call.body_params]
    for item, variable in zip(call.body_params, names, strict=True):
        draft.variables[id(call), item.name] = variable
    draft.note("form " + ", ".join(map(described, call.body_params)), call.origin)
    values = ", ".join(names) + ("," if len(names) == 1 else "")
    text.line(f"({values}), wrong = await {take}(form)")
    draft.perhaps_wrong()

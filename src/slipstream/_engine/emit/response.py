"""The text that calls the endpoint and makes a response of its result.

There are two shapes. Where nobody chose a response class, the result becomes JSON bytes (`payload`)
and both messages are written in place. Everything else becomes a Response object (`result`).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.responses import Response

from slipstream._engine.emit.calls import arguments, invocation
from slipstream._engine.emit.draft import Draft
from slipstream._engine.emit.observed import ENDPOINT, SERIALIZATION, operation
from slipstream._engine.plan.describe import name_of
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.runtime.response import (
    JSON_HEADERS,
    JSON_TYPE,
    has_body,
    json_messages,
    json_response,
    plain_encoder,
    respond,
    respond_open,
    result_checker,
    result_wrapper,
)
from slipstream._engine.runtime.stream import item_dumper, stream_wrapper
from slipstream._engine.schema.aliases import has_aliases
from slipstream._engine.schema.trust import trusted_model
from slipstream._engine.schema.user_code import may_run_user_code

_SHORT = 60
"""Most characters of an expression that is one half of a conditional expression."""


def is_payload(draft: Draft) -> bool:
    """Whether the result becomes JSON bytes, written in place."""
    reply = draft.plan.response
    return reply.response_class is None and reply.stream is None


def emit_endpoint(draft: Draft) -> None:
    """Write the call of the endpoint."""
    text, root, reply = draft.text, draft.plan.root, draft.plan.response
    draft.note(f"endpoint {name_of(root)}", root.origin)
    function, given = draft.function(root), arguments(draft, root)
    if reply.stream is not None:
        wrap = draft.constant("stream", _stream(draft))
        text.line(f"result = {wrap}({function}({given}){_injected(draft)})")
        return
    with operation(draft, ENDPOINT):
        text.line(f"result = {invocation(draft, root, function, given)}")


def is_checked_by_worker(draft: Draft) -> bool:
    """Whether the endpoint's worker validates the result too: it may read attributes that block."""
    plan = draft.plan
    return plan.root.kind == "sync" and plan.response.field is not None and draft.observation is None


def is_encoded_by_worker(draft: Draft, *, as_object: bool = False) -> bool:
    """Whether the endpoint's worker makes the JSON bytes too: no user's code runs, so nobody can tell."""
    item = draft.plan.response.field
    if item is None or as_object or not is_payload(draft) or not is_checked_by_worker(draft):
        return False
    return not may_run_user_code(item.checker.core_schema)


def emit_checked(draft: Draft, *, as_object: bool = False) -> list[str]:
    """Write what the endpoint's worker does with the result: nothing, validation, or all of it.

    Returns:
        The locals to be given back.
    """
    item = draft.plan.response.field
    if item is None:
        return ["result"]
    if is_encoded_by_worker(draft, as_object=as_object):
        _emit_payload(draft)
        draft.is_encoded = True
        return ["result", "payload"]
    check = draft.constant("check_result", _checker(draft, item))
    with draft.text.block(f"if not isinstance(result, {draft.constant('Response', Response)}):"):
        draft.text.line(f"result = each({check}, result)")
    draft.is_checked = True
    return ["result"]


def emit_encoded(draft: Draft, *, as_object: bool = False) -> None:
    """Write the encoding of the endpoint's result, as far as no worker has done it.

    Args:
        as_object: Make a Response object in any case.
    """
    if draft.is_encoded or draft.plan.response.stream is not None:
        return
    if not as_object and is_payload(draft):
        _emit_payload(draft)
        return
    wrap = draft.constant("to_response", _wrapper(draft))
    wrapped = f"result = {wrap}(result{_injected(draft)})"
    if draft.observation is None:
        draft.text.line(wrapped)
    else:
        _emit_wrapped_observed(draft, wrapped)


def _emit_payload(draft: Draft) -> None:
    """Write how the result becomes JSON bytes, unless it is a Response."""
    text = draft.text
    is_response = f"isinstance(result, {draft.constant('Response', Response)})"
    item = draft.plan.response.field
    is_trusting = item is not None and draft.observation is None and not draft.is_checked
    model = trusted_model(item.checker.core_schema) if item is not None and is_trusting else None
    if model is not None:
        _emit_trusting(draft, model, is_response)
        return
    dumped = _dumped(draft)
    if len(dumped) <= _SHORT and draft.observation is None:
        text.line(f"payload = None if {is_response} else {dumped}")
        return
    with text.block(f"if {is_response}:"):
        text.line("payload = None")
    with text.block("else:"), operation(draft, SERIALIZATION):
        text.line(f"payload = {dumped}")


def _emit_wrapped_observed(draft: Draft, wrapped: str) -> None:
    """Write the making of a Response object: a serialization only where the result is not one already."""
    text = draft.text
    with text.block(f"if isinstance(result, {draft.constant('Response', Response)}):"):
        text.line(wrapped)
    with text.block("else:"), operation(draft, SERIALIZATION):
        text.line(wrapped)


def _emit_trusting(draft: Draft, model: type[Any], is_response: str) -> None:
    """Write the encoding of a result that is nearly always an instance of the response model itself."""
    text = draft.text
    dump, options = _dump(draft)
    with text.block(f"if type(result) is {draft.constant(model.__name__, model)}:"):
        text.line(f"payload = {dump}(result{options})")
    with text.block(f"elif {is_response}:"):
        text.line("payload = None")
    with text.block("else:"):
        text.line(f"payload = {_dumped(draft)}")


def _injected(draft: Draft) -> str:
    """What the endpoint may have set: the injected Response, the background tasks."""
    return "".join(f", {name}={name}" for name in ("response", "background") if draft.uses(name))


def _dumped(draft: Draft) -> str:
    """Write how the result becomes JSON bytes."""
    item = draft.plan.response.field
    if item is None:
        return f"{draft.constant('encode', plain_encoder(draft.services.jsonable))}(result)"
    dump, options = _dump(draft)
    if draft.is_checked:
        return f"{dump}(result{options})"
    check = draft.constant("check_result", _checker(draft, item))
    checked = f"each({check}, result)" if draft.is_in_hop else f"{check}(result)"
    return f"{dump}({checked}{options})"


def _dump(draft: Draft) -> tuple[str, str]:
    """Name Pydantic's writer of the response model, and write the options to call it with."""
    item = draft.plan.response.field
    assert item is not None, "there is a response model"
    # A bound method is made anew each time; the text should name one.
    if draft.dump is None:
        draft.dump = item.checker.serializer.to_json
    options = "".join(f", {key}={_option(draft, key, value)}" for key, value in _said(draft).items())
    return draft.constant("dump_result", draft.dump), options


def _said(draft: Draft) -> dict[str, Any]:
    """The options of dumping that make a difference; aliases do where there are any."""
    item, options = draft.plan.response.field, draft.plan.response.dump_options
    is_named = item is not None and not has_aliases(item.checker.core_schema)
    return {
        key: value
        for key, value in options.items()
        if (not is_named if key == "by_alias" else value is not None and value is not False)
    }


def _option(draft: Draft, key: str, value: Any) -> str:
    return repr(value) if isinstance(value, bool) else draft.constant(key, value)


def _checker(draft: Draft, item: ModelField) -> Callable[[Any], Any]:
    def refuse(errors: list[Any], result: Any) -> Exception:
        return draft.services.response_error(errors, result, draft.where(None))

    return result_checker(item.checker.validator.validate_python, refuse)


def _wrapper(draft: Draft) -> Callable[..., Any]:
    """Make the function that puts the result into a Response object."""
    reply, item = draft.plan.response, draft.plan.response.field
    if reply.response_class is None:
        return result_wrapper(json_response, _payload_of(draft), reply.status_code)
    if item is None:
        return result_wrapper(reply.response_class, draft.services.jsonable, reply.status_code)
    check, options = _checker(draft, item), reply.dump_options
    if draft.is_checked:
        return result_wrapper(reply.response_class, partial(item.serialize, **options), reply.status_code)

    def content_of(result: Any) -> Any:
        return item.serialize(check(result), **options)

    return result_wrapper(reply.response_class, content_of, reply.status_code)


def _payload_of(draft: Draft) -> Callable[[Any], bytes]:
    item = draft.plan.response.field
    if item is None:
        return plain_encoder(draft.services.jsonable)
    check, options = _checker(draft, item), draft.plan.response.dump_options
    if draft.is_checked:
        return partial(item.serialize_json, **options)
    return lambda result: item.serialize_json(check(result), **options)


def _stream(draft: Draft) -> Callable[..., Any]:
    reply, item = draft.plan.response, draft.plan.response.item_field
    assert reply.stream is not None, "only generator endpoints stream"
    check = None if item is None else _checker(draft, item)
    write = None if item is None else partial(item.serialize_json, **reply.dump_options)
    dump = item_dumper(check, write, draft.services.jsonable)
    frame = partial(draft.services.format_event, dump=dump) if reply.stream == "sse" else dump
    return stream_wrapper(reply.stream, reply.response_class or Response, frame, reply.status_code, reply.ping_interval)


def emit_send(draft: Draft, *, is_open: bool) -> None:
    """Write the sending of what `emit_encoded` made.

    Args:
        is_open: Whether dependencies are still open: an exception then goes to them first.
    """
    text = draft.text
    text.comment("reply")
    if not is_payload(draft):
        _emit_respond(draft, is_open)
        return
    with text.block("if payload is None:"):
        _emit_respond(draft, is_open)
    with text.block("else:"):
        _emit_messages(draft, is_open)


def _emit_respond(draft: Draft, is_open: bool) -> None:
    background = ", background" if draft.uses("background") else ""
    call = draft.constant("respond_open", respond_open) if is_open else draft.constant("respond", respond)
    fail = "" if is_open else f", {draft.constant('fail', draft.services.fail)}"
    draft.complete_scope()
    draft.text.line(f"await {call}(result, scope, receive, send{fail}{background})")
    if is_open:
        draft.text.line("sent = True")


def _emit_messages(draft: Draft, is_open: bool) -> None:
    text, status = draft.text, draft.plan.response.status_code or 200
    if is_open:
        text.line("sent = True")
    if draft.uses("response"):
        make = draft.constant("json_messages", json_messages)
        text.line(f"start, end = {make}(payload, response.status_code or {status}, response.headers.raw)")
        text.line("await send(start)")
        text.line("await send(end)")
    else:
        if has_body(status) and draft.is_direct:
            text.line(f"reply({status}, {draft.constant('JSON_HEADERS', JSON_HEADERS)}, payload)")
            _emit_background(draft)
            return
        json_type = headers = draft.constant("JSON_TYPE", JSON_TYPE)
        if has_body(status):
            text.line('length = (b"content-length", b"%d" % len(payload))')
            headers = f"length, {json_type}"
        text.line(f'await send({{"type": "http.response.start", "status": {status}, "headers": [{headers}]}})')
        content = "payload" if has_body(status) else 'b""'
        text.line(f'await send({{"type": "http.response.body", "body": {content}}})')
    _emit_background(draft)


def _emit_background(draft: Draft) -> None:
    if draft.uses("background"):
        draft.text.line("await background()")

"""The text that calls the endpoint and makes JSON bytes (`payload`) or a Response (`result`) of what it returns."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from inspect import isawaitable
from typing import Any

from starlette.responses import Response

from slipstream._engine.abc import Services
from slipstream._engine.emit.calls import arguments, invocation
from slipstream._engine.emit.pen import Pen
from slipstream._engine.plan.describe import name_of
from slipstream._engine.plan.fields import ModelField
from slipstream._engine.plan.model import Plan
from slipstream._engine.plan.program import Await, Check, Encode, Invoke
from slipstream._engine.runtime import response, stream
from slipstream._engine.types import ENDPOINT


def emit_invoke(pen: Pen, step: Invoke) -> None:
    root = pen.plan.root
    pen.note(f"endpoint {name_of(root)}", root.origin)
    call = invocation(pen, root, pen.callee(root), arguments(pen, root))
    with pen.layer.operation(pen, ENDPOINT):
        pen.line(f"result = {call}" if step.is_kept else call)


def emit_await(pen: Pen, step: Await) -> None:
    """Write the wait for an awaitable that a sync function returned, as a wrapper around an async one does."""
    with pen.block(f"if {pen.constant('isawaitable', isawaitable)}(result):"):
        pen.line("result = await result")


def emit_check(pen: Pen, step: Check) -> None:
    check = pen.made("check_result", partial(result_refuser, pen.services, pen.plan, step.field))
    with pen.block(f"if not isinstance(result, {pen.constant('Response', Response)}):"):
        pen.line(f"result = each({check}, result)")


def emit_encode(pen: Pen, step: Encode) -> None:
    root = pen.plan.root
    if step.into == "stream":
        pen.note(f"endpoint {name_of(root)}", root.origin)
        function, given = pen.callee(root), arguments(pen, root)
        wrap = pen.made("stream", partial(streamer, pen.services, pen.plan))
        pen.line(f"result = {wrap}({function}({given}){_injected(pen)})")
    elif step.into == "response":
        wrap = pen.made("to_response", partial(_wrapper, pen, step))
        wrapped = f"{wrap}(result{_injected(pen)})"
        pen.layer.encode(pen, "result", wrapped, wrapped)
    elif step.trusts is not None:
        _emit_trusting(pen, step, step.trusts)
    else:
        pen.layer.encode(pen, "payload", "None", _dumped(pen, step))


def _emit_trusting(pen: Pen, step: Encode, model: type[Any]) -> None:
    """Write the encoding of a result that is mostly an instance of the response model, and then is not validated."""
    dump, options = _dump(pen, step)
    with pen.block(f"if type(result) is {pen.constant(model.__name__, model)}:"):
        pen.line(f"payload = {dump}(result{options})")
    with pen.block(f"elif isinstance(result, {pen.constant('Response', Response)}):"):
        pen.line("payload = None")
    with pen.block("else:"):
        pen.line(f"payload = {_dumped(pen, step)}")


def _injected(pen: Pen) -> str:
    return "".join(f", {name}={name}" for name in ("response", "background") if name in pen.plan.objects)


def _dumped(pen: Pen, step: Encode) -> str:
    item = pen.plan.response.field
    if item is None:
        convert = partial(response.convert, pen.services.jsonable, pen.plan.root.origin)
        return f"{pen.made('encode', partial(response.plain_encoder, convert))}(result)"
    dump, options = _dump(pen, step)
    if step.is_checked:
        return f"{dump}(result{options})"
    check = pen.made("check_result", partial(result_refuser, pen.services, pen.plan, item))
    checked = f"each({check}, result)" if pen.is_in_hop else f"{check}(result)"
    return f"{dump}({checked}{options})"


def _dump(pen: Pen, step: Encode) -> tuple[str, str]:
    """Return the name of the response model's serializer, and its options as arguments."""
    item = pen.plan.response.field
    assert item is not None, "there is a response model"
    options = "".join(
        f", {key}={value if isinstance(value, bool) else pen.constant(key, value)}"
        for key, value in step.options.items()
    )
    return pen.made("dump_result", lambda: item.checker.serializer.to_json), options


def result_refuser(services: Services, plan: Plan, item: ModelField) -> Callable[[Any], Any]:
    """Make the function that validates a result, or one item of a stream."""
    return response.result_checker(
        item.checker.validator.validate_python,
        lambda errors, result: services.response_error(errors, result, plan.where(None)),
    )


def _wrapper(pen: Pen, step: Encode) -> Callable[..., Any]:
    spec, item = pen.plan.response, pen.plan.response.field
    if spec.is_events:
        frame = partial(pen.services.format_event, dump=stream.item_dumper(None, None, pen.services.jsonable))
        return response.result_wrapper(
            stream.event_stream, lambda result: stream.events(result, frame, spec.ping_interval), spec.status_code
        )
    is_json = spec.response_class is None
    convert = partial(response.convert, pen.services.jsonable, pen.plan.root.origin)
    content_of = response.plain_encoder(convert) if is_json else convert
    if item is not None:
        write: Callable[..., Any] = partial(item.serialize_json if is_json else item.serialize, **spec.dump_options)
        check = result_refuser(pen.services, pen.plan, item)
        content_of = write if step.is_checked else lambda result: write(check(result))
    return response.result_wrapper(spec.response_class or response.json_response, content_of, spec.status_code)


def streamer(services: Services, plan: Plan) -> Callable[..., Any]:
    """Make the function that puts what a generator endpoint yields into a Response."""
    spec, item = plan.response, plan.response.item_field
    assert spec.stream is not None, "only generator endpoints stream"
    check = None if item is None else result_refuser(services, plan, item)
    write = None if item is None else partial(item.serialize_json, **spec.dump_options)
    dump = stream.item_dumper(check, write, services.jsonable)
    frame = partial(services.format_event, dump=dump) if spec.stream == "sse" else dump
    return stream.stream_wrapper(
        spec.stream, spec.response_class or Response, frame, spec.status_code, spec.ping_interval
    )


def emit_send(pen: Pen, *, is_open: bool) -> None:
    """Write the sending of the response; `is_open` says whether an exception goes to open dependencies first."""
    encode = pen.program.response
    pen.comment("reply")
    if encode is None or encode.into != "bytes":
        _emit_respond(pen, is_open)
        return
    with pen.block("if payload is None:"):
        _emit_respond(pen, is_open)
    with pen.block("else:"):
        if is_open:
            pen.line("sent = True")
        status = pen.plan.response.status_code or 200
        if "response" in pen.plan.objects:
            make = pen.constant("json_messages", response.messages_adding(pen.plan.limits))
            pen.line(f"start, end = {make}(payload, response.status_code or {status}, response.headers.raw)")
            with pen.dialect.unless_replied(pen, lambda: 'reply(start["status"], start["headers"], end["body"], True)'):
                pen.line("await send(start)")
                pen.line("await send(end)")
        else:
            pen.dialect.send_json(pen, status)
        if "background" in pen.plan.objects and is_open:
            pen.line("await background()")
        elif "background" in pen.plan.objects:
            pen.dialect.show_scope(pen)
            run = pen.constant("run_tasks", response.run_tasks)
            pen.line(f"await {run}(background, scope, receive, send, {pen.constant('fail', pen.services.fail)})")


def _emit_respond(pen: Pen, is_open: bool) -> None:
    has_own = pen.program.response is not None and pen.program.response.into != "bytes"
    background = ", background" if "background" in pen.plan.objects and not has_own else ""
    limits = pen.plan.limits
    name, send = ("respond_open", response.respond_open) if is_open else ("respond", response.respond)
    call = pen.made(name, lambda: response.adding(send, limits))
    fail = "" if is_open else f", {pen.made('fail', lambda: response.adding(pen.services.fail, limits))}"
    is_stream = pen.program.response is not None and pen.program.response.into == "stream"
    with nullcontext() if background or is_stream else pen.dialect.unless_replied(pen, lambda: _replied(pen)):
        pen.dialect.show_scope(pen)
        pen.line(f"await {call}(result, scope, receive, send{fail}{background})")
    if is_open:
        pen.line("sent = True")


def _replied(pen: Pen) -> str:
    return f"{pen.made('reply_whole', lambda: response.replier(pen.plan.limits))}(result, reply)"

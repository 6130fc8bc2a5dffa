"""From an endpoint's result to the messages of a response, and what stands before its `send`."""

import json
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json
from starlette import responses
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.responses import JSONResponse, Response

from slipstream._engine.errors import AWAIT, NotAwaited, warn
from slipstream._engine.runtime.plain import is_plain
from slipstream._engine.runtime.values import located
from slipstream._engine.types import ASGIApp, ErrorDetail, Fail, Message, Receive, Reply, Scope, Send
from slipstream.limits import Limits

_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_ascii_text = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def plain_encoder(jsonable: Callable[[Any], Any]) -> Callable[[Any], bytes]:
    """Make the encoder of results without a response model; `jsonable` converts results that are not plain."""

    def encode(value: Any) -> bytes:
        try:
            if is_plain(value):
                return to_json(value)
        except Exception:
            pass  # what follows raises what FastAPI raises
        return dump(jsonable(value))

    return encode


def convert(jsonable: Callable[[Any], Any], origin: Any, value: Any) -> Any:
    """Convert a result without a response model; errors name the endpoint, `origin`."""
    if isinstance(value, BaseException):
        warn(f"the endpoint returned an exception, {value!r}, as its result", origin, _RAISE)
    try:
        return jsonable(value)
    except Exception as exc:
        if isinstance(value, Awaitable):
            raise NotAwaited(origin) from exc
        raise


_RAISE = "write `raise` in the place of `return`"


def dump(value: Any) -> bytes:
    """Write JSON-compatible values as FastAPI's JSONResponse does, but NaN as null and lone surrogates escaped."""
    try:
        text = _text(value)
    except ValueError:
        value = finite(value)
        text = _text(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _ascii_text(value).encode()


def finite(value: Any) -> Any:
    """Replace NaN and infinities by None, all the way down."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key if is_finite(key) else json.dumps(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


def is_finite(value: Any) -> bool:
    """Whether JSON has all numbers in a value."""
    if isinstance(value, float):
        return math.isfinite(value)
    return all(map(is_finite, value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()))


def blank_response() -> Response:
    """Make the response object that endpoints and dependencies set headers and status on."""
    response = Response()
    del response.headers["content-length"]
    response.status_code = None  # type: ignore[assignment]  # not set yet
    return response


_CALL: Any = Response.__call__
RESPONSE_CALL: Any = _CALL if getattr(_CALL, "__globals__", None) is vars(responses) else None
"""Starlette's own call, which sends status, headers and body as they are; None if a tool had replaced it before.

A tool or a subclass may put another into a class later, and that one is called.
"""


def reply_whole(response: Any, reply: Reply) -> bool:
    """Send a Response object by `reply`; return False if it has to be called instead, as an ASGI app."""
    try:
        if type(response).__call__ is not RESPONSE_CALL or response.background is not None:
            return False
        status, headers, content = response.status_code, response.raw_headers, response.body
    except AttributeError:
        return False
    return type(content) is bytes and reply(status, headers, content, True)


def replier(limits: Limits) -> Callable[[Any, Reply], bool]:
    """Return `reply_whole`, or a function that does the same and adds to the headers."""
    if not are_any(limits):
        return reply_whole
    return lambda response, reply: reply_whole(response, reply_adding(reply, limits))


async def respond(
    response: Any, scope: Scope, receive: Receive, send: Send, fail: Fail, background: Any = None
) -> None:
    """Send a Response object and run background tasks; answer exceptions, since all dependencies are closed."""
    try:
        await respond_open(response, scope, receive, send, background)
    except Exception as exc:
        await fail(exc, scope, receive, send, started=RESPONSE_STARTED in scope)


async def respond_open(response: Any, scope: Scope, receive: Receive, send: Send, background: Any = None) -> None:
    """Send a Response object, then run background tasks; if it raises after the start, the scope says so."""
    watch = Watch(send)
    try:
        await response(scope, receive, watch)
        if background is not None and background is not response.background:
            await background()
    except BaseException:
        if watch.started:
            scope[RESPONSE_STARTED] = True
        raise


async def run_later(background: Any, ran: int) -> None:
    """Run the tasks that clean-up has added after the first `ran` tasks were run."""
    if len(background.tasks) > ran:
        await type(background)(background.tasks[ran:])()


def injected_tasks(response: Any) -> BackgroundTasks:
    """Return the background tasks that were injected, of a response that has them alone or after its own."""
    background = getattr(response, "background", None)
    tasks = background if isinstance(background, BackgroundTasks) else BackgroundTasks()
    inner = tasks.tasks[-1].func if tasks.tasks else None
    return inner if isinstance(inner, BackgroundTasks) else tasks


async def run_tasks(background: BackgroundTasks, scope: Scope, receive: Receive, send: Send, fail: Fail) -> None:
    """Run background tasks after a response has been sent and all dependencies are closed."""
    try:
        await background()
    except Exception as exc:
        await fail(exc, scope, receive, send, started=True)


def has_body(status: int) -> bool:
    return not (status < 200 or status in (204, 205, 304))


def json_messages(payload: bytes, status: int, raw_headers: Sequence[tuple[bytes, bytes]]) -> tuple[Message, Message]:
    """Make both messages of a JSON response with the endpoint's own status and headers."""
    headers = [JSON_TYPE, *raw_headers]
    if has_body(status):
        headers.insert(0, (b"content-length", b"%d" % len(payload)))
    else:
        payload = b""
    return (
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": payload},
    )


JSON_TYPE = (b"content-type", b"application/json")
JSON_HEADERS = (JSON_TYPE,)


def result_wrapper(
    make: Callable[..., Any], content_of: Callable[[Any], Any], status: int | None
) -> Callable[..., Any]:
    """Make the function that puts a result into a Response object by the class `make`; `content_of` converts it."""
    if getattr(make, "render", None) is JSONResponse.render:
        make = partial(_json_response, make)

    def wrap(result: Any, response: Any = None, background: Any = None) -> Any:
        if isinstance(result, Response):
            own = result.background
            if background is None or own is background:
                return result
            twin = copy(result)  # others may use the original
            twin.background = background if own is None else BackgroundTasks([own, BackgroundTask(background)])
            return twin
        reply = make_response(partial(make, content_of(result)), status, response, background)
        if not has_body(reply.status_code):
            reply.body = b""
        return reply

    return wrap


def _json_response(make: Callable[..., Any], content: Any, **options: Any) -> Any:
    """Call Starlette's JSONResponse, with null in the place of numbers that JSON has not."""
    try:
        return make(content, **options)
    except ValueError:
        return make(finite(content), **options)


def make_response(make: Callable[..., Any], status: int | None, injected: Any, background: Any) -> Any:
    """Make a Response object; a status set on the `injected` response counts before `status`, its headers are added."""
    options: dict[str, Any] = {"background": background}
    chosen = (injected.status_code if injected is not None else None) or status
    if chosen:
        options["status_code"] = chosen
    reply = make(**options)
    if injected is not None:
        reply.headers.raw.extend(injected.headers.raw)
    return reply


def result_checker(
    validate: Callable[..., Any], refuse: Callable[[list[ErrorDetail], Any], Exception]
) -> Callable[[Any], Any]:
    """Make the function that validates a result; `refuse` makes the exception for an invalid one."""

    def check(result: Any) -> Any:
        try:
            return validate(result, from_attributes=True)
        except ValidationError as exc:
            error = refuse(located(exc, ("response",)), result)
        if isinstance(result, (Awaitable, BaseException)):
            error.add_note(_RAISE if isinstance(result, BaseException) else AWAIT)
        raise error  # without a context, as in FastAPI

    return check


json_response = partial(Response, media_type="application/json")
"""Puts JSON text into a Response object."""


NOSNIFF = (b"x-content-type-options", b"nosniff")


def are_any(limits: Limits) -> bool:
    return bool(limits.nosniff or limits.cookie_flags)


def added(headers: Iterable[tuple[bytes, bytes]], limits: Limits) -> list[tuple[bytes, bytes]]:
    """Return the headers of a response with what they lack."""
    complete = [(name, _flagged(value, limits) if name == b"set-cookie" else value) for name, value in headers]
    if limits.nosniff and NOSNIFF[0] not in dict(complete):
        complete.append(NOSNIFF)
    return complete


def _flagged(cookie: bytes, limits: Limits) -> bytes:
    has = {part.partition(b"=")[0].strip().lower() for part in cookie.split(b";")[1:]}
    flags = [flag.encode() for flag in limits.cookie_flags or ()]
    return b"; ".join([cookie, *(flag for flag in flags if flag.partition(b"=")[0].lower() not in has)])


def adder(send: Send, limits: Limits) -> Send:
    async def send_more(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": added(message.get("headers", ()), limits)}
        await send(message)

    return send_more


def adding(call: Fail, limits: Limits) -> Fail:
    """Have a function of `(what, scope, receive, send, …)` send through `adder`, if anything is added."""
    if not are_any(limits):
        return call

    def call_adding(what: Any, scope: Scope, receive: Receive, send: Send, *rest: Any, **options: Any) -> Any:
        if "reply" in options:
            options["reply"] = reply_adding(options["reply"], limits)
        return call(what, scope, receive, adder(send, limits), *rest, **options)

    return call_adding


def quick_replier(reply_quickly: Callable[[Any, Any, Reply], bool], limits: Limits) -> Callable[..., bool]:
    """Have quick replies to exceptions sent with what their headers lack, if anything is added."""
    if not are_any(limits):
        return reply_quickly
    return lambda exc, scope, reply: reply_quickly(exc, scope, reply_adding(reply, limits))


def reply_adding(reply: Reply, limits: Limits) -> Reply:
    """Have responses sent with what their headers lack, if anything is added."""
    if not are_any(limits):
        return reply

    def reply_more(
        status: int, headers: Sequence[tuple[bytes, bytes]], content: bytes, is_complete: bool = False
    ) -> bool:
        return reply(status, added(headers, limits), content, is_complete)

    return reply_more


def messages_adding(limits: Limits) -> Callable[..., Any]:
    if not are_any(limits):
        return json_messages
    return lambda payload, status, headers: json_messages(payload, status, added(headers, limits))


RESPONSE_STARTED = "slipstream.response_started"
"""Key that an inner layer puts into the scope if it raises after its response has started.

A layer that holds responses back cannot rely on it, and uses a `Watch`.
"""


@dataclass(eq=False, slots=True)
class Watch:
    """A `send` that knows whether a response has started."""

    send: Send
    started: bool = False

    def __call__(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.started = True
        return self.send(message)


async def call_watched(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Call an app; if it raises after its response has started, set `RESPONSE_STARTED` in the scope."""
    watch = Watch(send)
    try:
        await app(scope, receive, watch)
    except BaseException:
        if watch.started:
            scope[RESPONSE_STARTED] = True
        raise

"""The text of a handler around its steps: one dialect for each way to call it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.requests import Request
from starlette.websockets import WebSocket

from slipstream._engine.abc import Services
from slipstream._engine.codegen.load import Source
from slipstream._engine.codegen.writer import literal
from slipstream._engine.emit.body import emit_size_check
from slipstream._engine.emit.calls import emit_leave
from slipstream._engine.emit.pen import Dialect, Layer, Pen
from slipstream._engine.emit.response import emit_send
from slipstream._engine.emit.steps import emit_steps
from slipstream._engine.plan.program import Leave, Manner, Program
from slipstream._engine.runtime.additions import NOSNIFF, adding
from slipstream._engine.runtime.body import body_reader, no_body
from slipstream._engine.runtime.cleanup import inner_failure, open_failure, open_shield
from slipstream._engine.runtime.response import JSON_HEADERS, JSON_TYPE, blank_response, has_body, run_later
from slipstream._engine.runtime.strict import json_size
from slipstream._engine.runtime.values import UNSET
from slipstream._engine.types import ErrorDetail, Scope

FUNCTION = "handle"
EXITS = "slipstream.exits"
CLOSING = "slipstream.closing"
DEPENDENCIES = "fastapi.dependencies"
"""FastAPI's name, which dashboards use, of the operation that reads the request and calls dependencies."""


def emit_handler(program: Program, services: Services, dialect: Dialect, layer: Layer) -> Source:
    """Write the function that carries out a program, in the phrases of a dialect and of a layer over it."""
    pen = Pen(program, services, dialect, layer)
    with pen.block(f"async def {FUNCTION}({dialect.parameters}):"):
        dialect.write(pen)
    return Source(FUNCTION, pen.text, pen.shape, pen.constants)


def emit_lists(pen: Pen, exits: str = "[]", closing: str = "[]") -> None:
    if pen.program.errors == "gathered":
        pen.line("errors = []")
    if pen.program.exits is not None:
        pen.line(f"exits = {exits}")
    if pen.program.closing is not None:
        pen.line(f"closing = {closing}")


def emit_core(pen: Pen, closing: Leave | None) -> None:
    """Write the creation of the shield and of context objects, all steps, and the closing of a list."""
    program = pen.program
    if program.is_shielded:
        pen.line(f"shield = {pen.constant('open_shield', open_shield)}(exits)")
    if "response" in pen.plan.objects:
        pen.line(f"response = {pen.constant('blank_response', blank_response)}()")
    if "background" in pen.plan.objects:
        pen.line(f"background = {pen.constant('background_tasks', pen.services.background_tasks)}()")
    with closed(pen, closing):
        if program.read is not None:
            emit_steps(pen, [program.read])
        with pen.layer.operation(pen, DEPENDENCIES):
            emit_steps(pen, program.feeding)
            pen.layer.solved(pen)
        emit_steps(pen, program.ending)


@contextmanager
def closed(pen: Pen, leave: Leave | None) -> Iterator[None]:
    """Put the text inside into a `try`, and write the closing of a list; without a list write nothing."""
    if leave is None:
        yield
        return
    with pen.block("try:"):
        yield
        emit_leave(pen, leave)
    with pen.block("except BaseException as exc:"):
        fail = pen.made("fail_closing", lambda: inner_failure(pen.services.swallowed_error))
        pen.line(f"raise await {fail}({leave.exits}, exc)")


def emit_last_leave(pen: Pen, leave: Leave) -> None:
    """Write the closing of what stayed open for the response, and that background tasks of the clean-up are run."""
    has_tasks = "background" in pen.plan.objects
    if has_tasks:
        pen.line("ran = len(background.tasks)")
    emit_leave(pen, leave)
    if has_tasks:
        pen.line(f"await {pen.constant('run_later', run_later)}(background, ran)")


def emit_failure(pen: Pen, *, sent: str, known: str) -> None:
    """Write that an exception is thrown into open dependencies and then answered, by a function that gets `known`."""
    if pen.program.exits is not None:
        with pen.block("except BaseException as exc:"):
            pen.dialect.show_scope(pen)
            answer = adding(pen.services.fail, pen.plan.limits)
            fail = pen.constant("fail_open", open_failure(answer, pen.services.swallowed_error))
            pen.line(f"return await {fail}(exits, exc, {sent}, scope, receive, send{known})")
    else:
        with pen.block("except Exception as exc:"):
            pen.dialect.show_scope(pen)
            fail = pen.made("fail", lambda: adding(pen.services.fail, pen.plan.limits))
            pen.line(f"return await {fail}(exc, scope, receive, send, started=False{known})")


class AsgiDialect(Dialect):
    """The usual dialect of a path operation, an ASGI application: `await handle(scope, receive, send)`."""

    name = "asgi"
    where = "scope"
    """Expression of the scope from which errors take method and mount path."""
    objects = {"request": "request", "connection": "request", "response": "response", "background": "background"}

    def write(self, pen: Pen) -> None:
        # The response is sent inside of the `try` only if dependencies are still open then.
        program = pen.program
        emit_lists(pen)
        if program.keeps_raw and "raw" not in self.parameters.split(", "):
            pen.line("raw = None")
        if program.makes_request:
            pen.line(f"request = {pen.constant('Request', Request)}(scope, receive, send)")
            pen.layer.enter(pen)
        if program.exits is not None:
            pen.line("sent = False")
        with pen.block("try:"):
            if "raw" in self.parameters and (program.read is None or pen.plan.is_form):
                emit_size_check(pen, pen.plan.limits.body_size)
            emit_core(pen, program.closing)
            if program.exits is not None:
                emit_send(pen, is_open=True)
                emit_last_leave(pen, program.exits)
        known = ", body=raw" if program.keeps_raw else ", connection=request" if program.makes_request else ""
        emit_failure(pen, sent="sent", known=known)
        if program.exits is None:
            emit_send(pen, is_open=False)

    def read_raw(self, pen: Pen) -> None:
        from_request = pen.program.reads_request
        read = body_reader(pen.services.body_error, from_request=from_request, most=json_size(pen.plan.limits))
        name = pen.constant("read_request_body" if from_request else "read_body", read)
        pen.line(f"raw = await {name}({'request' if from_request else 'receive'})")

    def refusal(self, pen: Pen, errors: str, body: str) -> str:
        def refuse(errors: list[ErrorDetail], body: Any, scope: Scope | None) -> Exception:
            return pen.services.request_error(
                errors, None if body is UNSET else body, pen.plan.where(scope), pen.plan.limits
            )

        return f"{pen.made('request_error', lambda: refuse)}({errors}, {body}, {self.where})"

    def send_json(self, pen: Pen, status: int) -> None:
        json_type = headers = pen.constant("JSON_TYPE", JSON_TYPE)
        content = 'b""'
        if has_body(status):
            pen.line('length = (b"content-length", b"%d" % len(payload))')
            headers, content = f"length, {json_type}", "payload"
        if pen.plan.limits.nosniff:
            headers += f", {pen.constant('NOSNIFF', NOSNIFF)}"
        pen.line(f'await send({{"type": "http.response.start", "status": {status}, "headers": [{headers}]}})')
        pen.line(f'await send({{"type": "http.response.body", "body": {content}}})')


class DirectDialect(AsgiDialect):
    """The dialect of the direct door: the body comes as `raw`, `reply(status, headers, content)` sends a response."""

    name = "direct"
    parameters = "scope, receive, send, raw, reply"

    def read_raw(self, pen: Pen) -> None:
        # `raw` is a parameter, but a Request has to keep the body for the user's code.
        if pen.program.reads_request:
            super().read_raw(pen)

    def show_scope(self, pen: Pen) -> None:
        # If the plan shows the scope, it has been completed before.
        if not pen.plan.shows_scope:
            pen.line(f"{pen.made('complete_scope', lambda: pen.services.complete_scope)}(scope)")

    def send_json(self, pen: Pen, status: int) -> None:
        if has_body(status):
            every = (*JSON_HEADERS, NOSNIFF) if pen.plan.limits.nosniff else JSON_HEADERS
            headers = pen.constant("JSON_HEADERS", every)
            pen.line(f"reply({status}, {headers}, payload)")
        else:
            super().send_json(pen, status)


class RequestDialect(AsgiDialect):
    """The dialect of route classes: `await handle(request)` returns a Response, and exceptions pass through.

    The caller puts the lists `EXITS` and `CLOSING` into the scope, and closes them.
    """

    name = "request"
    parameters = "request"
    manner = Manner(gives="response", has_request=True)

    def write(self, pen: Pen) -> None:
        pen.line("scope = request.scope")
        emit_lists(pen, f"scope[{literal(EXITS)}]", f"scope[{literal(CLOSING)}]")
        pen.layer.enter(pen)
        emit_core(pen, None)
        pen.line("return result")


class WebSocketDialect(Dialect):
    """The dialect of WebSocket endpoints, which send and receive themselves."""

    name = "websocket"
    manner = Manner(gives="nothing")
    connection = "websocket"
    objects = {"websocket": "websocket", "connection": "websocket", "response": "response", "background": "background"}

    def write(self, pen: Pen) -> None:
        emit_lists(pen)
        pen.line(f"websocket = {pen.constant('WebSocket', WebSocket)}(scope, receive, send)")
        pen.layer.enter(pen)
        with pen.block("try:"):
            emit_core(pen, pen.program.closing)
            if pen.program.exits is not None:
                emit_leave(pen, pen.program.exits)
        emit_failure(pen, sent="False", known=", connection=websocket")

    def refusal(self, pen: Pen, errors: str, body: str) -> str:
        def refuse(errors: list[ErrorDetail], scope: Scope) -> Exception:
            return pen.services.websocket_error(errors, pen.plan.where(scope))

        return f"{pen.made('websocket_error', lambda: refuse)}({errors}, scope)"


class EventDialect(AsgiDialect):
    """The dialect of handlers of events, whose result is returned; exceptions pass through to the caller.

    `scope_of(connection)` makes a scope; it is called only if a dependency reads the scope or asks for a Request.
    """

    name = "event"
    parameters = "connection, event, scope_of"
    manner = Manner(gives="value")
    objects = {**AsgiDialect.objects, "link": "connection", "event": "event"}
    where = "None"

    def write(self, pen: Pen) -> None:
        program = pen.program
        emit_lists(pen)
        if program.reads_scope:
            pen.line("scope = scope_of(connection)")
        if program.makes_request:
            pen.line(f"request = {pen.constant('Request', Request)}(scope, {pen.constant('no_body', no_body)})")
        with closed(pen, program.exits):
            emit_core(pen, program.closing)
            if "background" in pen.plan.objects:
                pen.line("await background()")
        pen.line("return result")


DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (AsgiDialect(), DirectDialect(), RequestDialect(), WebSocketDialect(), EventDialect())
}

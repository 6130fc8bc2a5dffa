"""The text of a handler: its steps, and what stands around them in each dialect, which is a way to call it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.websockets import WebSocket

from slipstream._engine.abc import Services
from slipstream._engine.codegen import Source, literal
from slipstream._engine.emit import values
from slipstream._engine.emit.calls import emit_again, emit_leave, emit_mark, emit_solve
from slipstream._engine.emit.pen import Dialect, Layer, Pen
from slipstream._engine.emit.response import emit_await, emit_check, emit_encode, emit_invoke, emit_send
from slipstream._engine.errors import shown
from slipstream._engine.plan import model, program
from slipstream._engine.runtime.body import no_body
from slipstream._engine.runtime.cleanup import inner_failure, open_failure, open_shield
from slipstream._engine.runtime.response import (
    JSON_HEADERS,
    NOSNIFF,
    adding,
    blank_response,
    has_body,
    quick_replier,
    run_later,
)
from slipstream._engine.runtime.threads import in_one_thread
from slipstream._engine.types import CLOSING, DEPENDENCIES, EXITS

FUNCTION = "handle"


def emit_handler(arranged: program.Program, services: Services, dialect: Dialect, layer: Layer) -> Source:
    """Write the function that carries out a program, in the phrases of a dialect and of a layer over it."""
    pen = Pen(arranged, services, dialect, layer)
    with pen.block(f"async def {FUNCTION}({dialect.parameters}):"):
        dialect.write(pen)
    return Source(FUNCTION, pen.text, pen.shape, pen.constants)


def emit_steps(pen: Pen, steps: Sequence[program.Act]) -> None:
    for step in steps:
        try:
            _WRITERS[type(step)](pen, step)
        except Exception as exc:
            if isinstance(step, model.Take):
                annotation = shown(step.field.field_info.annotation)
                exc.add_note(f"for the parameter {step.field.name}: {annotation}\n  at {step.call.origin}")
            raise


def emit_refuse(pen: Pen, step: program.Refuse) -> None:
    """Write the raising of gathered errors; a body that was validated from its bytes is parsed now, for the error."""
    read = pen.program.read
    body = pen.body if read is None or read.fast is None else values.decoded(pen, read.body)
    with pen.block("if errors:"):
        pen.layer.refused(pen)
        pen.line(f"raise {pen.dialect.refusal(pen, 'errors', body)}")


def emit_hop(pen: Pen, step: program.Hop) -> None:
    for take in step.shares:
        values.prepare(pen, take)
    prepared = set(pen.prepared)
    shared = ["errors", *([] if pen.program.fast_body is None else pen.variables.values())]
    with pen.function("def work(each):", shared):
        pen.is_in_hop = True
        emit_steps(pen, step.steps)
        given_back = ", ".join(_local(pen, act) for act in step.gives)
        if given_back:
            pen.line(f"return {given_back}")
        pen.is_in_hop = False
    pen.prepared = prepared  # locals of the worker's function are not seen outside
    target = f"{given_back} = " if given_back else ""
    pen.line(f"{target}await {pen.constant('in_one_thread', in_one_thread)}(work)")


def _local(pen: Pen, act: program.Act) -> str:
    if isinstance(act, model.Take):
        return pen.variables[id(act.call), act.field.name]
    if isinstance(act, model.Solve):
        return pen.results[id(act.call)]
    return "payload" if isinstance(act, program.Encode) else "result"


_WRITERS: dict[type[program.Act], Callable[[Pen, Any], None]] = {
    program.ReadBody: values.emit_read_body,
    model.Take: values.emit_take,
    program.TakeJson: values.emit_take_json,
    program.TakeForm: values.emit_take_form,
    program.Mark: emit_mark,
    model.Solve: emit_solve,
    program.Open: emit_solve,
    model.Again: emit_again,
    program.Refuse: emit_refuse,
    program.Invoke: emit_invoke,
    program.Await: emit_await,
    program.Check: emit_check,
    program.Encode: emit_encode,
    program.Hop: emit_hop,
}


def emit_lists(pen: Pen, exits: str = "[]", closing: str = "[]") -> None:
    if pen.program.errors == "gathered":
        pen.line("errors = []")
    if pen.program.exits is not None:
        pen.line(f"exits = {exits}")
    if pen.program.closing is not None:
        pen.line(f"closing = {closing}")


def emit_core(pen: Pen, closing: program.Leave | None) -> None:
    """Write the creation of the shield and of context objects, all steps, and the closing of a list."""
    if pen.program.is_shielded:
        pen.line(f"shield = {pen.constant('open_shield', open_shield)}(exits)")
    if "response" in pen.plan.objects:
        pen.line(f"response = {pen.constant('blank_response', blank_response)}()")
    if "background" in pen.plan.objects:
        pen.line(f"background = {pen.constant('background_tasks', pen.services.background_tasks)}()")
    with closed(pen, closing):
        if pen.program.read is not None:
            emit_steps(pen, [pen.program.read])
        with pen.layer.operation(pen, DEPENDENCIES):
            emit_steps(pen, pen.program.feeding)
            pen.layer.solved(pen)
        emit_steps(pen, pen.program.ending)


@contextmanager
def closed(pen: Pen, leave: program.Leave | None) -> Iterator[None]:
    """Put the text inside into a `try`, and write the closing of a list; without a list write nothing."""
    if leave is None:
        yield
        return
    with pen.block("try:"):
        yield
        emit_leave(pen, leave)
    with pen.block("except BaseException as exc:"):
        fail = pen.made("fail_closing", lambda: inner_failure(pen.services.swallowed_error))
        pen.dialect.raise_closing(pen, f"await {fail}({leave.exits}, exc{pen.dialect.place})")


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
            pen.dialect.reply_quickly(pen)
            pen.dialect.show_scope(pen)
            fail = pen.made("fail", lambda: adding(pen.services.fail, pen.plan.limits))
            pen.line(f"return await {fail}(exc, scope, receive, send, started=False{known})")


class AsgiDialect(Dialect):
    """The usual dialect of a path operation, an ASGI application: `await handle(scope, receive, send)`."""

    name = "asgi"
    facts: ClassVar[str] = ""
    """More arguments of the function that answers exceptions."""

    def write(self, pen: Pen) -> None:
        # The response is sent inside of the `try` only if dependencies are still open then.
        is_open = pen.program.exits is not None
        emit_lists(pen)
        if pen.program.keeps_raw and "raw" not in self.parameters.split(", "):
            pen.line("raw = None")
        if pen.program.makes_request:
            pen.line(f"request = {pen.constant('Request', Request)}(scope, receive, send)")
            pen.layer.enter(pen)
        if is_open:
            pen.line("sent = False")
        with pen.block("try:"):
            if "raw" in self.parameters and (pen.program.read is None or pen.plan.is_form):
                values.emit_size_check(pen, pen.plan.limits.body_size)
            emit_core(pen, pen.program.closing)
            if pen.program.exits is not None:
                has_tasks = "background" in pen.plan.objects
                emit_send(pen, is_open=True)
                if has_tasks:
                    pen.line("ran = len(background.tasks)")
                emit_leave(pen, pen.program.exits)
                if has_tasks:  # clean-up may have added some
                    pen.line(f"await {pen.constant('run_later', run_later)}(background, ran)")
        known = ", body=raw" if pen.program.keeps_raw else ", connection=request" if pen.program.makes_request else ""
        emit_failure(pen, sent="sent", known=known + self.facts)
        if not is_open:
            emit_send(pen, is_open=False)


class DirectDialect(AsgiDialect):
    """The dialect of the direct door: the body comes as `raw`, `reply(status, headers, content)` sends a response."""

    name = "direct"
    parameters = "scope, receive, send, raw, reply"
    facts = ", reply=reply"

    def read_raw(self, pen: Pen) -> None:
        # `raw` is a parameter, but a Request has to keep the body for the user's code.
        if pen.program.reads_request:
            super().read_raw(pen)

    def show_scope(self, pen: Pen) -> None:
        # If the plan shows the scope, it has been completed before.
        if not pen.plan.shows_scope:
            pen.line(f"{pen.made('complete_scope', lambda: pen.services.complete_scope)}(scope)")

    def reply_quickly(self, pen: Pen) -> None:
        quickly, limits = pen.services.reply_quickly, pen.plan.limits
        with pen.block(f"if {pen.made('reply_quickly', lambda: quick_replier(quickly, limits))}(exc, scope, reply):"):
            pen.line("return")

    def unless_replied(self, pen: Pen, reply: Callable[[], str]) -> AbstractContextManager[None]:
        return pen.block(f"if not {reply()}:")

    def send_json(self, pen: Pen, status: int) -> None:
        if has_body(status):
            every = (*JSON_HEADERS, NOSNIFF) if pen.plan.limits.nosniff else JSON_HEADERS
            headers = pen.constant("JSON_HEADERS", every)
            pen.line(f"reply({status}, {headers}, payload)")
        else:
            super().send_json(pen, status)


class RequestDialect(Dialect):
    """The dialect of route classes: `await handle(request)` returns a Response, and exceptions pass through.

    The caller puts the lists `EXITS` and `CLOSING` into the scope, and closes them.
    """

    name = "request"
    parameters = "request"
    manner = program.Manner(gives="response", has_request=True)

    def write(self, pen: Pen) -> None:
        pen.line("scope = request.scope")
        emit_lists(pen, f"scope[{literal(EXITS)}]", f"scope[{literal(CLOSING)}]")
        pen.layer.enter(pen)
        emit_core(pen, None)
        pen.line("return result")


class WebSocketDialect(Dialect):
    """The dialect of WebSocket endpoints, which send and receive themselves."""

    name = "websocket"
    manner = program.Manner(gives="nothing")
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

    def raise_closing(self, pen: Pen, failure: str) -> None:
        pen.line(f"failure = {failure}")
        with pen.block("if failure is not None:"):
            pen.line("raise failure")

    def refusal(self, pen: Pen, errors: str, body: str) -> str:
        refuse = pen.made("websocket_error", lambda: lambda errors, scope: pen.refuse(errors, None, scope))
        return f"{refuse}({errors}, scope)"


class EventDialect(Dialect):
    """The dialect of handlers of events, whose result is returned; exceptions pass through to the caller.

    `scope_of(connection)` makes a scope; it is called only if a dependency reads the scope or asks for a Request.
    """

    name = "event"
    parameters = "connection, event, scope_of"
    manner = program.Manner(gives="value")
    objects = {**Dialect.objects, "link": "connection", "event": "event"}
    where = "None"
    place = ""

    def write(self, pen: Pen) -> None:
        emit_lists(pen)
        if pen.program.reads_scope:
            pen.line("scope = scope_of(connection)")
        if pen.program.makes_request:
            pen.line(f"request = {pen.constant('Request', Request)}(scope, {pen.constant('no_body', no_body)})")
        with closed(pen, pen.program.exits):
            emit_core(pen, pen.program.closing)
            if "background" in pen.plan.objects:
                pen.line("await background()")
        pen.line("return result")


DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (AsgiDialect(), DirectDialect(), RequestDialect(), WebSocketDialect(), EventDialect())
}

"""A handler that is an ASGI application: `await handle(scope, receive, send)`."""

from typing import Any

from starlette.requests import Request

from slipstream._engine.emit.calls import emit_leave
from slipstream._engine.emit.handler import closed, emit_core, emit_failure, emit_lists, emit_objects
from slipstream._engine.emit.pen import Dialect, Pen
from slipstream._engine.emit.response import emit_send
from slipstream._engine.runtime.body import body_reader
from slipstream._engine.runtime.response import JSON_TYPE, has_body
from slipstream._engine.runtime.values import UNSET
from slipstream._engine.types import ErrorDetail, Scope


class AsgiDialect(Dialect):
    """The usual dialect of a path operation."""

    name = "asgi"
    where = "scope"
    """Expression of the scope from which errors take method and mount path."""
    objects = {"request": "request", "connection": "request", "response": "response", "background": "background"}

    def write(self, pen: Pen) -> None:
        # The response is sent inside of the `try` only if dependencies are still open then.
        program = pen.program
        emit_lists(pen)
        if program.keeps_raw:
            self.announce_raw(pen)
        if program.makes_request:
            pen.line(f"request = {pen.constant('Request', Request)}(scope, receive, send)")
            pen.layer.enter(pen)
        if program.exits is not None:
            pen.line("sent = False")
        with pen.block("try:"):
            emit_objects(pen)
            with closed(pen, pen.program.closing):
                emit_core(pen)
            if program.exits is not None:
                emit_send(pen, is_open=True)
                emit_leave(pen, program.exits)
        known = ", body=raw" if program.keeps_raw else ", connection=request" if program.makes_request else ""
        emit_failure(pen, sent="sent", known=known)
        if program.exits is None:
            emit_send(pen, is_open=False)

    def announce_raw(self, pen: Pen) -> None:
        pen.line("raw = None")

    def read_raw(self, pen: Pen) -> None:
        from_request = pen.program.reads_request
        read = body_reader(pen.services.body_error, from_request=from_request)
        name = pen.constant("read_request_body" if from_request else "read_body", read)
        pen.line(f"raw = await {name}({'request' if from_request else 'receive'})")

    def refusal(self, pen: Pen, errors: str, body: str) -> str:
        def refuse(errors: list[ErrorDetail], body: Any, scope: Scope | None) -> Exception:
            return pen.services.request_error(errors, None if body is UNSET else body, pen.plan.where(scope))

        return f"{pen.made('request_error', lambda: refuse)}({errors}, {body}, {self.where})"

    def send_json(self, pen: Pen, status: int) -> None:
        json_type = headers = pen.constant("JSON_TYPE", JSON_TYPE)
        content = 'b""'
        if has_body(status):
            pen.line('length = (b"content-length", b"%d" % len(payload))')
            headers, content = f"length, {json_type}", "payload"
        pen.line(f'await send({{"type": "http.response.start", "status": {status}, "headers": [{headers}]}})')
        pen.line(f'await send({{"type": "http.response.body", "body": {content}}})')


ASGI = AsgiDialect()

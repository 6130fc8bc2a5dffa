"""Called as an ASGI app, `await handle(scope, receive, send)`, and answers by messages."""

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


class Asgi(Dialect):
    """The usual dialect of a path operation."""

    name = "asgi"
    where = "scope"
    """Expression of the scope that says, for errors, where the request was sent to."""
    objects = {"request": "request", "connection": "request", "response": "response", "background": "background"}

    def write(self, pen: Pen) -> None:
        """Write the inside: a response is sent after the `try` unless dependencies are still open then."""
        program, text = pen.program, pen.text
        emit_lists(pen)
        if program.keeps_raw:
            self.announce_raw(pen)
        if program.makes_request:
            text.line(f"request = {pen.constant('Request', Request)}(scope, receive, send)")
            pen.layer.enter(pen)
        if program.exits is not None:
            text.line("sent = False")
        with text.block("try:"):
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
        """Write what `raw` is before the body is read."""
        pen.text.line("raw = None")

    def read_raw(self, pen: Pen) -> None:
        """Write the reading, from the Request where there is one."""
        if pen.program.reads_request:
            read = pen.constant("read_request_body", body_reader(pen.services.body_error, from_request=True))
            pen.text.line(f"raw = await {read}(request)")
        else:
            read = pen.constant("read_body", body_reader(pen.services.body_error))
            pen.text.line(f"raw = await {read}(receive)")

    def refusal(self, pen: Pen, errors: str, body: str) -> str:
        """Write the exception that is answered with 422."""

        def refuse(errors: list[ErrorDetail], body: Any, scope: Scope | None) -> Exception:
            return pen.services.request_error(errors, None if body is UNSET else body, pen.plan.where(scope))

        return f"{pen.made('request_error', lambda: refuse)}({errors}, {body}, {self.where})"

    def send_json(self, pen: Pen, status: int) -> None:
        """Write the two messages."""
        text = pen.text
        json_type = headers = pen.constant("JSON_TYPE", JSON_TYPE)
        content = 'b""'
        if has_body(status):
            text.line('length = (b"content-length", b"%d" % len(payload))')
            headers, content = f"length, {json_type}", "payload"
        text.line(f'await send({{"type": "http.response.start", "status": {status}, "headers": [{headers}]}})')
        text.line(f'await send({{"type": "http.response.body", "body": {content}}})')


ASGI = Asgi()

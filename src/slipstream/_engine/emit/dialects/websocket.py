"""A handler that is an ASGI application for a WebSocket, on which the endpoint sends and receives."""

from starlette.websockets import WebSocket

from slipstream._engine.emit.calls import emit_leave
from slipstream._engine.emit.handler import closed, emit_core, emit_failure, emit_lists, emit_objects
from slipstream._engine.emit.pen import Dialect, Pen
from slipstream._engine.plan.program import Manner
from slipstream._engine.types import ErrorDetail, Scope


class WebSocketDialect(Dialect):
    """The dialect of WebSocket endpoints."""

    name = "websocket"
    manner = Manner(gives="nothing")
    connection = "websocket"
    objects = {"websocket": "websocket", "connection": "websocket", "response": "response", "background": "background"}

    def write(self, pen: Pen) -> None:
        emit_lists(pen)
        pen.line(f"websocket = {pen.constant('WebSocket', WebSocket)}(scope, receive, send)")
        pen.layer.enter(pen)
        with pen.block("try:"):
            emit_objects(pen)
            with closed(pen, pen.program.closing):
                emit_core(pen)
            if pen.program.exits is not None:
                emit_leave(pen, pen.program.exits)
        emit_failure(pen, sent="False", known=", connection=websocket")

    def refusal(self, pen: Pen, errors: str, body: str) -> str:
        def refuse(errors: list[ErrorDetail], scope: Scope) -> Exception:
            return pen.services.websocket_error(errors, pen.plan.where(scope))

        return f"{pen.made('websocket_error', lambda: refuse)}({errors}, scope)"


WEBSOCKET = WebSocketDialect()

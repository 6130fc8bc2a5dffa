"""What is recorded of one request or connection: its span, the spans of its operations, the data for processors.

Generated handlers call `enter`, `read`, `solved`, `invalid` and `operation` (`_engine/abc.py: Observation`).
"""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry import context as contexts
from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode, set_span_in_context
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException, WebSocketException
from starlette.requests import Request
from starlette.types import Message, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from slipstream._engine.errors import function_name
from slipstream._foreign.opentelemetry import logs_api
from slipstream.background import run_task
from slipstream.exceptions import RequestValidationError, WebSocketRequestValidationError
from slipstream.telemetry._attributes import Attributes, type_of
from slipstream.telemetry._data import CONTEXT_KEY, TelemetryData
from slipstream.telemetry._signals import Instruments, attempt

_Severity = logs_api().SeverityNumber
_NOTHING: Final[AbstractContextManager[None]] = nullcontext()
_ANSWERS = (HTTPException, WebSocketException, RequestValidationError, WebSocketRequestValidationError)
"""Exceptions that answer a request; they are not failures."""

TRACER = "a tracer of OpenTelemetry"
_SPAN = "a span of OpenTelemetry"
_METRIC = "a metric of OpenTelemetry"

TASK = "fastapi.background_task"
"""FastAPI's name of the span of a background task."""

_REQUEST_CRASH = ("http.server.request.exception", "Unhandled exception in FastAPI request")
_CONNECTION_CRASH = ("fastapi.websocket.exception", "Unhandled exception in FastAPI WebSocket connection")
"""Event and body of the log record of an exception that nobody handled."""


@dataclass(eq=False)
class Observation:
    """What is recorded of one request or connection, once: a request when its response is complete."""

    kind: str
    """First word of the span's name: the method, or "WS"."""
    base: str
    """The root path, and the templates of mounts below it."""
    version: str | None
    logger: Any
    instruments: Instruments | None
    active: Attributes
    """Attributes of the number of active requests, for `instruments`."""
    pass_on: Send
    function: str = ""
    route: str | None = None
    status: int | None = None
    is_done: bool = False

    def __post_init__(self) -> None:
        self._noted = TelemetryData()
        self.data: TelemetryData | None = self._noted

    def begin(self, span: Span | None, parent: Context, tracer: Any) -> None:
        """Make the observation and the request's span current; `tracer` records operations if that span is recorded."""
        self.span = span
        self.tracer = None if span is None or not attempt(_SPAN, span.is_recording) else tracer
        context = contexts.set_value(CONTEXT_KEY, self, parent)
        self.context = context if span is None else set_span_in_context(span, context)
        self._tokens = (contexts.attach(self.context), run_task.set(self._run_task))
        self._begun = time.perf_counter()
        if self.instruments is not None:
            attempt(_METRIC, self.instruments.active.add, 1, self.active, self.context)

    async def send(self, message: Message) -> None:
        """Pass a message on; the last one of the response ends the measurement."""
        kind = message["type"]
        if kind == "http.response.start":
            self.status = message["status"]
        await self.pass_on(message)
        is_last = kind == "http.response.pathsend" or (
            kind == "http.response.body" and not message.get("more_body", False)
        )
        # After the answer to an exception, the exception itself may follow, and is recorded too.
        if is_last and ((self.status or 0) < 500 or sys.exc_info()[1] is None):
            self.finish()

    def enter(self, connection: Request[Any] | WebSocket, function: str) -> None:
        """Note the Request or WebSocket, and the module and qualified name of the endpoint."""
        self.function = function
        if isinstance(connection, WebSocket):
            self._noted.websocket = connection
        else:
            self._noted.request = connection

    def read(self, body: Any) -> None:
        self._noted.body = body

    def solved(self, values: dict[str, Any]) -> None:
        self._noted.values = values
        self._noted.errors = []

    def invalid(self, errors: Sequence[Any], values: dict[str, Any] | None = None) -> None:
        """Note the errors of a request, and log that it was refused, without its input."""
        self._noted.errors = errors
        if values is not None:
            self._noted.values = values
        found = {"fastapi.validation.error_count": len(errors)}
        self._emit(_Severity.WARN, "fastapi.validation.failed", "Request validation failed", found)

    def operation(self, name: str) -> AbstractContextManager[None]:
        """Record a `with` block as a span of this name."""
        return _NOTHING if self.tracer is None else Operation(self, name, self.function, is_failure)

    def mounted(self, path: str) -> None:
        """Note that a mounted application serves, below a template such as `/tenants/{tenant}`."""
        self.base += path
        self.routed("/{path}")

    def routed(self, path: str) -> None:
        """Note the route that serves, by its template below the mounts."""
        self.route = self.base + path
        if self.span is not None:
            attempt(_SPAN, self.span.update_name, f"{self.kind} {self.route}")

    def failed(self, exc: BaseException) -> None:
        """Record what has ended the request, and log an exception that nobody handled."""
        if is_farewell(exc):
            return
        if isinstance(exc, Exception):
            event, body = _CONNECTION_CRASH if self.kind == "WS" else _REQUEST_CRASH
            self._emit(_Severity.ERROR, event, body, {}, exc)
        self.finish(type_of(exc))

    def _emit(
        self, severity: Any, event: str, body: str, attributes: dict[str, Any], exc: BaseException | None = None
    ) -> None:
        if self.logger is None:
            return
        if self.route is not None:
            attributes["http.route"] = self.route
        if exc is not None:
            attributes["exception.type"] = type_of(exc)
        attempt(
            "a logger of OpenTelemetry",
            self.logger.emit,
            timestamp=time.time_ns(),
            context=self.context,
            severity_number=severity,
            severity_text=severity.name,
            body=body,
            attributes=attributes,
            event_name=event,
            exception=exc,
        )

    async def _run_task(self, task: BackgroundTask) -> None:
        """Run a background task; every exception is a failure, since the response has been sent."""
        if self.tracer is None:
            await task()
        else:
            with Operation(self, TASK, function_name(task.func), lambda exc: isinstance(exc, Exception)):
                await task()

    def finish(self, error_type: str | None = None) -> None:
        """Record the request, with the class of the exception that ended it; only the first call counts."""
        if self.is_done:
            return
        self.is_done = True
        elapsed_s = time.perf_counter() - self._begun
        if error_type is None and self.status is not None and self.status >= 500:
            error_type = str(self.status)
        known = {"http.route": self.route, "http.response.status_code": self.status, "error.type": error_type}
        outcome = {name: value for name, value in known.items() if value is not None}
        if self.instruments is not None:
            version = {"network.protocol.version": self.version} if self.version else {}
            found = self.active | version | outcome
            attempt(_METRIC, self.instruments.duration.record, elapsed_s, found, self.context)
            attempt(_METRIC, self.instruments.active.add, -1, self.active, self.context)
        if self.span is not None:
            attempt(_SPAN, self.span.set_attributes, outcome)
            if error_type is not None:
                attempt(_SPAN, self.span.set_status, Status(StatusCode.ERROR))
            attempt(_SPAN, self.span.end)

    def close(self) -> None:
        """Undo `begin`, and drop the data, which contexts that outlive the request still refer to."""
        self.finish()
        self.data = self.tracer = None
        self._noted = TelemetryData()
        was, task = self._tokens
        contexts.detach(was)
        run_task.reset(task)


@dataclass(slots=True)
class Operation:
    """The span of one operation, current inside of a `with` block; `function` is the one that runs."""

    observation: Observation
    name: str
    function: str
    is_failure: Callable[[BaseException], bool]
    _span: Any = None
    _token: Any = None

    def __enter__(self) -> None:
        # The parent is the request's span, also if an open dependency has made another span current.
        context = self.observation.context
        tracer: Any = self.observation.tracer
        known = {"code.function.name": self.function}
        self._span = attempt(TRACER, tracer.start_span, self.name, context, attributes=known)
        if self._span is not None:
            self._token = contexts.attach(set_span_in_context(self._span, context))

    def __exit__(self, kind: Any, exc: BaseException | None, traceback: Any) -> None:
        span = self._span
        if span is None:
            return
        contexts.detach(self._token)
        if exc is not None and self.is_failure(exc):
            attempt(_SPAN, span.set_attribute, "error.type", type_of(exc))
            attempt(_SPAN, span.set_status, Status(StatusCode.ERROR))
        attempt(_SPAN, span.end)


def is_failure(exc: BaseException) -> bool:
    """Whether an exception is an error, and not an answer, a regular close or a cancellation."""
    return isinstance(exc, Exception) and not isinstance(exc, _ANSWERS) and not is_farewell(exc)


def is_farewell(exc: BaseException) -> bool:
    """Whether a client has closed its WebSocket with a code of a regular end."""
    return isinstance(exc, WebSocketDisconnect) and exc.code in (1000, 1001)

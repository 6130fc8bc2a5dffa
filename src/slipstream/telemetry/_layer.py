"""The ASGI layer outside of everything else: spans and metrics of whole requests and connections."""

import sys
import time
from typing import Any

from opentelemetry import context as contexts, propagate
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import SpanKind
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from slipstream.telemetry._attributes import (
    Attributes,
    http_attributes,
    known_methods,
    method_of,
    metric_attributes,
    type_of,
    websocket_attributes,
)
from slipstream.telemetry._data import CONTEXT_KEY, SCOPE_KEY
from slipstream.telemetry._observation import TRACER, Observation, is_farewell
from slipstream.telemetry._signals import Instruments, Signals, attempt


class _Headers(Getter[list[tuple[bytes, bytes]]]):
    """Reads trace context from ASGI's headers."""

    def get(self, carrier: list[tuple[bytes, bytes]], key: str) -> list[str] | None:
        wanted = key.lower().encode("latin-1")
        values = [value.decode("latin-1") for name, value in carrier if name == wanted]
        # The propagator of baggage reads the first value only.
        return [",".join(values)] if values and wanted == b"baggage" else values or None

    def keys(self, carrier: list[tuple[bytes, bytes]]) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier]


_HEADERS = _Headers()
_METRIC = "a metric of OpenTelemetry"
_CRASH = {
    "http": ("http.server.request.exception", "Unhandled exception in FastAPI request"),
    "websocket": ("fastapi.websocket.exception", "Unhandled exception in FastAPI WebSocket connection"),
}
"""Event and body of the log record of an exception that nobody handled."""


class TelemetryLayer:
    """Records the requests and connections that an ASGI app serves."""

    def __init__(self, app: ASGIApp, signals: Signals) -> None:
        self.app = app
        self.signals = signals
        self._known_methods = known_methods()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve and record, unless an outer layer has decided about this request."""
        kind = scope["type"]
        if SCOPE_KEY in scope or kind not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        signals = self.signals
        tracer, logger = signals.tracer(), signals.logger()
        instruments = signals.instruments() if kind == "http" else None
        if tracer is None and logger is None and instruments is None:
            await self.app(scope, receive, send)
            return
        exclude = signals.settings.exclude
        if exclude is not None and attempt("the application's `exclude`", exclude, scope):
            scope[SCOPE_KEY] = None
            # A request that another one makes in this process has the other's context.
            token = contexts.attach(contexts.set_value(CONTEXT_KEY, None))
            try:
                await self.app(scope, receive, send)
            finally:
                contexts.detach(token)
                scope.pop(SCOPE_KEY, None)
        else:
            await self._record(scope, receive, send, self._begun(scope, tracer, logger), instruments)

    async def _record(
        self, scope: Scope, receive: Receive, send: Send, observation: Observation, instruments: Instruments | None
    ) -> None:
        kind = scope["type"]
        request = _Request(observation, instruments, scope, send, self._known_methods)
        scope[SCOPE_KEY] = observation
        try:
            await self.app(scope, receive, request.send if kind == "http" else send)
        except BaseException as exc:
            if not is_farewell(exc):
                if isinstance(exc, Exception):
                    observation.failed(exc, *_CRASH[kind])
                request.finish(type_of(exc))
            raise
        finally:
            request.finish()
            observation.close()
            scope.pop(SCOPE_KEY, None)

    def _begun(self, scope: Scope, tracer: Any, logger: Any) -> Observation:
        """Begin an observation; its span is a child of the span that the request's headers name."""
        is_http = scope["type"] == "http"
        kind = method_of(scope, self._known_methods)[1] if is_http else "WS"
        root = scope.get("root_path", "").rstrip("/")
        observation = Observation(kind, root, tracer, logger, with_operations=self.signals.settings.operation_spans)
        if tracer is None:
            observation.begin(None, contexts.get_current())
            return observation
        headers = scope.get("headers", [])
        parent = attempt("a propagator of OpenTelemetry", propagate.extract, headers, getter=_HEADERS) or Context()
        known = http_attributes(scope, self._known_methods) if is_http else websocket_attributes(scope)
        span = attempt(TRACER, tracer.start_span, kind, parent, kind=SpanKind.SERVER, attributes=known)
        observation.begin(span, parent)
        return observation


class _Request:
    """Measures a request or connection; it is recorded once, a request when its response is complete."""

    __slots__ = ("_begun", "_instruments", "_is_done", "_known", "_observation", "_scope", "_send", "_status")

    def __init__(
        self,
        observation: Observation,
        instruments: Instruments | None,
        scope: Scope,
        send: Send,
        known_methods: frozenset[str],
    ) -> None:
        self._observation = observation
        self._instruments = instruments
        self._scope = scope
        self._send = send
        self._status: int | None = None
        self._is_done = False
        self._begun = time.perf_counter()
        self._known: Attributes = {}
        if instruments is not None:
            self._known = metric_attributes(scope, known_methods)
            attempt(_METRIC, instruments.active.add, 1, self._known, observation.context)

    async def send(self, message: Message) -> None:
        """Pass a message on; the last one of the response ends the measurement."""
        kind = message["type"]
        if kind == "http.response.start":
            self._status = message["status"]
        await self._send(message)
        is_last = kind == "http.response.pathsend" or (
            kind == "http.response.body" and not message.get("more_body", False)
        )
        # After the answer to an exception, the exception itself may follow, and is recorded too.
        if is_last and ((self._status or 0) < 500 or sys.exc_info()[1] is None):
            self.finish()

    def finish(self, error_type: str | None = None) -> None:
        """Record the request, with the class of the exception that ended it; only the first call counts."""
        if self._is_done:
            return
        self._is_done = True
        elapsed_s = time.perf_counter() - self._begun
        observation, instruments, status = self._observation, self._instruments, self._status
        if error_type is None and status is not None and status >= 500:
            error_type = str(status)
        known = {"http.route": observation.route, "http.response.status_code": status, "error.type": error_type}
        outcome = {name: value for name, value in known.items() if value is not None}
        if instruments is not None:
            found = dict(self._known)
            version = self._scope.get("http_version")
            if version:
                found["network.protocol.version"] = version
            found |= outcome
            attempt(_METRIC, instruments.duration.record, elapsed_s, found, observation.context)
            attempt(_METRIC, instruments.active.add, -1, self._known, observation.context)
        observation.end(outcome)

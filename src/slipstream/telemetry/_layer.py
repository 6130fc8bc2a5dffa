"""The ASGI layer outside of everything else: spans and metrics of whole requests and connections."""

from typing import Any

from opentelemetry import context as contexts, propagate
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import SpanKind
from starlette.types import ASGIApp, Receive, Scope, Send

from slipstream.telemetry._attributes import (
    http_attributes,
    known_methods,
    method_of,
    metric_attributes,
    websocket_attributes,
)
from slipstream.telemetry._data import CONTEXT_KEY, SCOPE_KEY
from slipstream.telemetry._observation import TRACER, Observation
from slipstream.telemetry._signals import Instruments, Signals, attempt


class _Headers(Getter[list[tuple[bytes, bytes]]]):
    def get(self, carrier: list[tuple[bytes, bytes]], key: str) -> list[str] | None:
        wanted = key.lower().encode("latin-1")
        values = [value.decode("latin-1") for name, value in carrier if name == wanted]
        # The propagator of baggage reads the first value only.
        return [",".join(values)] if values and wanted == b"baggage" else values or None

    def keys(self, carrier: list[tuple[bytes, bytes]]) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier]


_HEADERS = _Headers()


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
            await self._record(scope, receive, send, tracer, logger, instruments)

    async def _record(
        self, scope: Scope, receive: Receive, send: Send, tracer: Any, logger: Any, instruments: Instruments | None
    ) -> None:
        """Serve and record; the span is a child of the span that the request's headers name."""
        is_http, known_methods = scope["type"] == "http", self._known_methods
        kind = method_of(scope, known_methods)[1] if is_http else "WS"
        active = {} if instruments is None else metric_attributes(scope, known_methods)
        root, version = scope.get("root_path", "").rstrip("/"), scope.get("http_version")
        observation = Observation(kind, root, version, logger, instruments, active, send)
        if tracer is None:
            observation.begin(None, contexts.get_current(), None)
        else:
            headers = scope.get("headers", [])
            parent = attempt("a propagator of OpenTelemetry", propagate.extract, headers, getter=_HEADERS) or Context()
            known = http_attributes(scope, known_methods) if is_http else websocket_attributes(scope)
            span = attempt(TRACER, tracer.start_span, kind, parent, kind=SpanKind.SERVER, attributes=known)
            observation.begin(span, parent, tracer if self.signals.settings.operation_spans else None)
        scope[SCOPE_KEY] = observation
        try:
            await self.app(scope, receive, observation.send if is_http else send)
        except BaseException as exc:
            observation.failed(exc)
            raise
        finally:
            observation.close()
            scope.pop(SCOPE_KEY, None)

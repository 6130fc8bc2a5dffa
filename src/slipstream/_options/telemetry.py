"""Options of `FastAPI(telemetry={...})`."""

from collections.abc import Callable, MutableMapping
from typing import Any, Protocol

from typing_extensions import TypedDict


class TracerProvider(Protocol):
    """The used part of `opentelemetry.trace.TracerProvider`; the package need not be installed."""

    def get_tracer(self, instrumenting_module_name: str, *args: Any, **kwargs: Any) -> Any: ...


class MeterProvider(Protocol):
    """The used part of `opentelemetry.metrics.MeterProvider`."""

    def get_meter(self, name: str, *args: Any, **kwargs: Any) -> Any: ...


class LoggerProvider(Protocol):
    """The used part of `opentelemetry._logs.LoggerProvider`."""

    def get_logger(self, name: str, *args: Any, **kwargs: Any) -> Any: ...


class TelemetryConfig(TypedDict, total=False):
    """Options of an application's telemetry; providers that it gives are never shut down here."""

    tracer_provider: TracerProvider | None
    """Makes the spans. Default: the global provider, if there is one."""

    meter_provider: MeterProvider | None
    """Makes the metrics. Default: the global provider, if there is one."""

    logger_provider: LoggerProvider | None
    """Takes the log records. Default: the global provider, if there is one."""

    tracing: bool
    """Whether requests and WebSocket connections get spans. Default: True."""

    metrics: bool
    """Whether HTTP requests are measured: duration in seconds, number in flight. Default: True."""

    logs: bool
    """Whether refused requests and unhandled exceptions are logged, the latter with traceback. Default: True."""

    operation_spans: bool
    """Whether dependencies, endpoint, serialization and background tasks get spans of their own. Default: True."""

    auto_configure: bool
    """Whether exporters are added at start-up for the OTLP endpoints that the environment names.
    Default: whether FASTAPI_OTEL_AUTO_CONFIGURE is "true"."""

    exclude: Callable[[MutableMapping[str, Any]], bool] | None
    """Takes the ASGI scope; returns whether nothing of the request is recorded. Default: all are recorded."""

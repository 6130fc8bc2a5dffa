"""Options of `FastAPI(telemetry={...})`."""

from collections.abc import Callable, MutableMapping
from typing import Any, Protocol

from typing_extensions import TypedDict


class TracerProvider(Protocol):
    """`opentelemetry.trace.TracerProvider`, as far as it is used; the package need not be installed."""

    def get_tracer(self, instrumenting_module_name: str, *args: Any, **kwargs: Any) -> Any:
        """Return what makes spans."""
        ...


class MeterProvider(Protocol):
    """`opentelemetry.metrics.MeterProvider`, as far as it is used."""

    def get_meter(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Return what makes instruments."""
        ...


class LoggerProvider(Protocol):
    """`opentelemetry._logs.LoggerProvider`, as far as it is used."""

    def get_logger(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Return what emits log records."""
        ...


class TelemetryConfig(TypedDict, total=False):
    """What may be said about an application's telemetry; what is not said keeps its default.

    Providers that an application hands over are its own: they are never shut down here.
    """

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
    """Whether refused requests and unhandled exceptions become log records, the latter with message and traceback.
    Default: True."""

    operation_spans: bool
    """Whether dependencies, endpoint, serialization and background tasks get spans of their own. Default: True."""

    auto_configure: bool
    """Whether exporters are added at start-up for the OTLP endpoints that the environment names.
    Default: whether FASTAPI_OTEL_AUTO_CONFIGURE is "true"."""

    exclude: Callable[[MutableMapping[str, Any]], bool] | None
    """Takes the ASGI scope; what it returns True for leaves no trace of any kind. Default: nothing is left out."""

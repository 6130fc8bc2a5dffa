"""Private names of OpenTelemetry: its logs, which all of its packages still keep under names with an underscore.

Without them no log record is made, and all else is recorded as ever. Nothing of OpenTelemetry is loaded from here
until it is asked for, apart from what the importer has loaded.
"""

import sys
from collections.abc import Callable
from typing import Any

_GLOBAL_SETTERS = (
    ("opentelemetry.trace", "_set_tracer_provider"),
    ("opentelemetry.metrics._internal", "_set_meter_provider"),
    ("opentelemetry._logs._internal", "_set_logger_provider"),
)
"""Where OpenTelemetry's API keeps a global provider that somebody sets."""

_PROXIES = ("_ProxyMeterProvider", "ProxyLoggerProvider", "ProxyTracerProvider")
"""What the API answers with while nobody has set a provider."""

LOGS_API = "opentelemetry._logs"
LOG_EXPORT = (
    "opentelemetry.sdk._logs:LoggerProvider",
    "opentelemetry.sdk._logs.export:BatchLogRecordProcessor",
    "opentelemetry.exporter.otlp.proto.http._log_exporter:OTLPLogExporter",
)
"""Where the SDK's provider of loggers is, its processor in batches, and the exporter over HTTP. A place that is not
there is a warning at start-up, and nothing is exported."""

API_MODULES = ("opentelemetry.trace", "opentelemetry.metrics", LOGS_API)
"""Modules by which a program may have set a provider."""


def is_instrumented(app: Any) -> bool:
    """Whether OpenTelemetry's own instrumentation says that it records an application."""
    return bool(getattr(app, "_is_instrumented_by_opentelemetry", False))


def is_unset(provider: Any) -> bool:
    """Whether a global provider is what the API answers with while nobody has set one."""
    cls = type(provider)
    return cls.__name__ in _PROXIES and cls.__module__.startswith("opentelemetry.")


def watch_global_providers(notice: Callable[[], None]) -> None:
    """Have a function called after a global provider is set.

    The API tells nobody when one is set. Its setters are wrapped, where there are such functions.
    """
    for module, name in _GLOBAL_SETTERS:
        setter = getattr(sys.modules.get(module), name, None)
        if callable(setter) and not hasattr(setter, "slipstream_watches"):
            setattr(sys.modules[module], name, _noticed(setter, notice))


def _noticed(setter: Callable[..., None], notice: Callable[[], None]) -> Callable[..., None]:
    def set_provider(*args: Any, **kwargs: Any) -> None:
        setter(*args, **kwargs)
        notice()

    set_provider.slipstream_watches = True  # type: ignore[attr-defined]  # functions take any attribute
    return set_provider


class _NoLogs:
    """Stands for the API of logs where there is none."""

    class NoOpLoggerProvider:
        """Provides nothing."""

    class SeverityNumber:
        """The numbers of the levels in use."""

        WARN, ERROR = 13, 17

    get_logger_provider = NoOpLoggerProvider


def logs_api() -> Any:
    """Return the module of the API of logs, or what says that nobody listens."""
    try:
        from opentelemetry import _logs  # noqa: PLC0415 - takes long
    except ImportError:
        return _NoLogs
    names = ("NoOpLoggerProvider", "get_logger_provider", "set_logger_provider", "SeverityNumber")
    return _logs if all(callable(getattr(_logs, name, None)) for name in names) else _NoLogs

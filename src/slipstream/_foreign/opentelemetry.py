"""Private names of OpenTelemetry: its logs, which in all its packages still have names with an underscore.

Without them no log record is made; traces and metrics are recorded. This module imports nothing of OpenTelemetry until
a function is called.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

_GLOBAL_SETTERS = (
    ("opentelemetry.trace", "_set_tracer_provider"),
    ("opentelemetry.metrics._internal", "_set_meter_provider"),
    ("opentelemetry._logs._internal", "_set_logger_provider"),
)
"""The functions of OpenTelemetry's API that set global providers, by module and name."""

_PROXIES = ("_ProxyMeterProvider", "ProxyLoggerProvider", "ProxyTracerProvider")
"""Classes of the providers that the API returns while none is set."""

LOGS_API = "opentelemetry._logs"
LOG_EXPORT = (
    "opentelemetry.sdk._logs:LoggerProvider",
    "opentelemetry.sdk._logs.export:BatchLogRecordProcessor",
    "opentelemetry.exporter.otlp.proto.http._log_exporter:OTLPLogExporter",
)
"""The SDK's logger provider, batch processor and HTTP exporter. If one is missing, a warning is logged at start-up."""


def is_instrumented(app: Any) -> bool:
    return bool(getattr(app, "_is_instrumented_by_opentelemetry", False))


def is_unset(provider: Any) -> bool:
    """Whether a global provider is the API's stand-in for one that is not set."""
    cls = type(provider)
    return cls.__name__ in _PROXIES and cls.__module__.startswith("opentelemetry.")


def watch_global_providers(notice: Callable[[], None]) -> None:
    """Call a function after a global provider is set: the API has no such hook, so its setters are wrapped."""
    for module, name in _GLOBAL_SETTERS:
        setter = getattr(sys.modules.get(module), name, None)
        if callable(setter) and getattr(setter, "func", None) is not _set_and_notice:
            setattr(sys.modules[module], name, partial(_set_and_notice, setter, notice))


def _set_and_notice(setter: Callable[..., None], notice: Callable[[], None], *args: Any, **kwargs: Any) -> None:
    setter(*args, **kwargs)
    notice()


class _NoLogs:
    """The API of logs where it is missing."""

    class NoOpLoggerProvider:
        pass

    class SeverityNumber:
        WARN, ERROR = 13, 17

    get_logger_provider = NoOpLoggerProvider


def logs_api() -> Any:
    """Return the module of the API of logs, or `_NoLogs`."""
    try:
        from opentelemetry import _logs  # noqa: PLC0415 - takes long
    except ImportError:
        return _NoLogs
    names = ("NoOpLoggerProvider", "get_logger_provider", "set_logger_provider", "SeverityNumber")
    return _logs if all(callable(getattr(_logs, name, None)) for name in names) else _NoLogs

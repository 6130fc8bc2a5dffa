"""Who listens at this moment: a tracer, instruments and a logger, looked up again when a provider has changed.

A provider or exporter that raises is logged, once for each kind of failure, and otherwise treated as absent.
"""

import sys
from collections.abc import Callable
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider

from slipstream._foreign.opentelemetry import is_unset, logs_api
from slipstream.logger import logger
from slipstream.telemetry._attributes import SCHEMA_URL
from slipstream.telemetry._settings import Settings

NAME = "slipstream"
"""Name of the instrumentation scope."""

DURATION_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Bounds of the histogram of durations, in seconds, as the semantic conventions advise."""

_logs = logs_api()

_DEAF = (NoOpTracerProvider, NoOpMeterProvider, _logs.NoOpLoggerProvider)


def is_deaf(provider: Any) -> bool:
    """Whether a provider records nothing: none was set, or one of the API's that does nothing."""
    return isinstance(provider, _DEAF) or is_unset(provider)


class Instruments:
    """What requests are measured with."""

    def __init__(self, meter: Any) -> None:
        self.duration = meter.create_histogram(
            "http.server.request.duration",
            unit="s",
            description="Duration of HTTP server requests.",
            explicit_bucket_boundaries_advisory=DURATION_BOUNDS_S,
        )
        self.active = meter.create_up_down_counter(
            "http.server.active_requests", unit="{request}", description="Number of active HTTP server requests."
        )


class Signals:
    """The listeners of one application."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        version = getattr(sys.modules[NAME], "__version__", None)
        self._tracer = _Cached(lambda provider: provider.get_tracer(NAME, version, schema_url=SCHEMA_URL))
        self._meter = _Cached(lambda provider: Instruments(provider.get_meter(NAME, version, schema_url=SCHEMA_URL)))
        self._logger = _Cached(lambda provider: provider.get_logger(NAME, version, schema_url=SCHEMA_URL))

    @property
    def tracer(self) -> Any:
        """Makes spans; None if tracing is off or no provider records it."""
        given = self.settings.tracer_provider
        return self._tracer.of(given or trace.get_tracer_provider()) if self.settings.tracing else None

    @property
    def instruments(self) -> Instruments | None:
        """Measure requests; None if metrics are off or no provider records them."""
        given = self.settings.meter_provider
        return self._meter.of(given or metrics.get_meter_provider()) if self.settings.metrics else None

    @property
    def logger(self) -> Any:
        """Takes log records; None if logs are off or no provider records them."""
        given = self.settings.logger_provider
        return self._logger.of(given or _logs.get_logger_provider()) if self.settings.logs else None

    @property
    def are_heard(self) -> bool:
        """Whether anybody listens to anything."""
        return self.tracer is not None or self.instruments is not None or self.logger is not None


class _Cached:
    """What was made of a provider, until there is another provider."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make
        self._provider: Any = None
        self._made: Any = None

    def of(self, provider: Any) -> Any:
        """Return what was made of a provider; None if the provider records nothing."""
        if provider is not self._provider:
            made = None
            if not is_deaf(provider):
                try:
                    made = self._make(provider)
                except Exception:
                    complain(f"{type(provider).__name__} of OpenTelemetry")
            self._made = made
            self._provider = provider
        return self._made


_complained: set[str] = set()


def complain(what: str) -> None:
    """Log, once for each `what`, that something of OpenTelemetry has just raised; requests go on without it."""
    if what not in _complained:
        _complained.add(what)
        logger.exception(
            "telemetry: %s failed; requests are served all the same, further failures are not logged", what
        )

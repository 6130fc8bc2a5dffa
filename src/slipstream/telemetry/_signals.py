"""Who listens at this moment: a tracer, instruments and a logger, looked up again when a provider has changed.

A provider or exporter that raises is logged, once for each kind of failure, and otherwise treated as absent.
"""

import sys
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

from opentelemetry import metrics, trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider

from slipstream._foreign.opentelemetry import is_unset, logs_api
from slipstream.logger import logger
from slipstream.telemetry._attributes import SCHEMA_URL
from slipstream.telemetry._settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

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
        scope: dict[str, Any] = {"schema_url": SCHEMA_URL}
        version = getattr(sys.modules[NAME], "__version__", None)
        self.tracer = _Listener[Any](
            (lambda: trace.get_tracer_provider()) if settings.tracing else None,
            settings.tracer_provider,
            lambda provider: provider.get_tracer(NAME, version, **scope),
        )
        self.instruments = _Listener(
            (lambda: metrics.get_meter_provider()) if settings.metrics else None,
            settings.meter_provider,
            lambda provider: Instruments(provider.get_meter(NAME, version, **scope)),
        )
        self.logger = _Listener[Any](
            (lambda: _logs.get_logger_provider()) if settings.logs else None,
            settings.logger_provider,
            lambda provider: provider.get_logger(NAME, version, **scope),
        )

    @property
    def are_heard(self) -> bool:
        """Whether anybody listens to anything."""
        return self.tracer() is not None or self.instruments() is not None or self.logger() is not None


class _Listener(Generic[T]):
    """What takes one signal: made of the given provider or else of the global one, until that is another.

    A call returns None where the signal is off (`get_global` is None), or the provider fails or records nothing.
    """

    def __init__(self, get_global: Callable[[], Any] | None, given: Any, make: Callable[[Any], T]) -> None:
        self._get_global, self._given, self._make = get_global, given, make
        self._provider: Any = None
        self._made: T | None = None

    def __call__(self) -> T | None:
        if self._get_global is None:
            return None
        provider = self._given or self._get_global()
        if provider is not self._provider:
            is_heard = not is_deaf(provider)
            name = f"{type(provider).__name__} of OpenTelemetry"
            self._made = attempt(name, self._make, provider) if is_heard else None
            self._provider = provider
        return self._made


_complained: set[str] = set()


def attempt(what: str, act: Callable[P, T], *args: P.args, **options: P.kwargs) -> T | None:
    """Call something of OpenTelemetry; where it raises, log that once for each `what`, and return None."""
    try:
        return act(*args, **options)
    except Exception:
        if what not in _complained:
            _complained.add(what)
            logger.exception(
                "telemetry: %s failed; requests are served all the same, further failures are not logged", what
            )
        return None

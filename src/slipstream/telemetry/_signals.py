"""Who listens at this moment: a tracer, instruments and a logger, looked up again when a provider has changed.

A provider or exporter that raises is logged, once for each kind of failure, and otherwise treated as absent.
"""

import sys
from collections.abc import Callable
from operator import methodcaller
from typing import Any, Generic, ParamSpec, TypeVar

from opentelemetry import metrics, trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider

from slipstream._foreign.opentelemetry import is_unset, logs_api
from slipstream.logger import logger
from slipstream.telemetry._attributes import SCHEMA_URL
from slipstream.telemetry._settings import LOGS, METRICS, TRACES, Settings, Signal

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
        self.tracer = _Listener[Any](settings, TRACES, trace)
        self.instruments = _Listener(settings, METRICS, metrics, Instruments)
        self.logger = _Listener[Any](settings, LOGS, _logs)

    @property
    def are_heard(self) -> bool:
        return self.tracer() is not None or self.instruments() is not None or self.logger() is not None


class _Listener(Generic[T]):
    """What takes one signal: made of the given provider or else of the global one, until that is another.

    A call returns None where the signal is off, or the provider fails or records nothing.
    """

    def __init__(self, settings: Settings, signal: Signal, api: Any, refine: Callable[[Any], T] | None = None) -> None:
        version = getattr(sys.modules[NAME], "__version__", None)
        make = methodcaller(f"get_{signal.source}", NAME, version, schema_url=SCHEMA_URL)
        self._make = make if refine is None else lambda provider: refine(make(provider))
        self._get_global = methodcaller(f"get_{signal.provider}")  # looked up at each call: tests replace the function
        self._api = api
        self._given = getattr(settings, signal.provider)
        self._is_wanted = getattr(settings, signal.switch)
        self._provider: Any = None
        self._made: T | None = None

    def __call__(self) -> T | None:
        if not self._is_wanted:
            return None
        provider = self._given or self._get_global(self._api)
        if provider is not self._provider:
            name = f"{type(provider).__name__} of OpenTelemetry"
            self._made = None if is_deaf(provider) else attempt(name, self._make, provider)
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

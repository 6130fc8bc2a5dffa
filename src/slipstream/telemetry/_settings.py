"""From what a user wrote as `telemetry={...}` to settings, defaults and environment put in."""

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from slipstream._foreign.opentelemetry import LOG_EXPORT, LOGS_API
from slipstream.exceptions import FastAPIError

AUTO_CONFIGURE = "FASTAPI_OTEL_AUTO_CONFIGURE"
"""Environment variable: "true", in any case of letters, adds exporters for the endpoints that the environment names."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A kind of what is recorded: names of its options, and in OpenTelemetry's API, its SDK and its OTLP exporter."""

    name: str
    """What environment variables call it."""
    switch: str
    """The option that turns it on and off."""
    source: str
    """What the API calls its source: `get_tracer` of a provider, which is the option `tracer_provider`."""
    api: str
    parts: tuple[str, str, str]
    """Classes of a provider, of what stands between it and an exporter, and of an exporter; imported when needed."""
    add: str
    """The provider's method that takes the second of them."""

    @property
    def provider(self) -> str:
        """The option that gives a provider; the API's functions are `get_` and `set_` with this name."""
        return f"{self.source}_provider"


_OTLP = "opentelemetry.exporter.otlp.proto.http"
_SPAN_EXPORT = (
    "opentelemetry.sdk.trace:TracerProvider",
    "opentelemetry.sdk.trace.export:BatchSpanProcessor",
    f"{_OTLP}.trace_exporter:OTLPSpanExporter",
)
_METRIC_EXPORT = (
    "opentelemetry.sdk.metrics:MeterProvider",
    "opentelemetry.sdk.metrics.export:PeriodicExportingMetricReader",
    f"{_OTLP}.metric_exporter:OTLPMetricExporter",
)
TRACES = Signal("TRACES", "tracing", "tracer", "opentelemetry.trace", _SPAN_EXPORT, "add_span_processor")
METRICS = Signal("METRICS", "metrics", "meter", "opentelemetry.metrics", _METRIC_EXPORT, "add_metric_reader")
LOGS = Signal("LOGS", "logs", "logger", LOGS_API, LOG_EXPORT, "add_log_record_processor")
SIGNALS = (TRACES, METRICS, LOGS)


@dataclass(frozen=True, slots=True)
class Settings:
    """What `TelemetryConfig` says, complete."""

    tracer_provider: Any = None
    meter_provider: Any = None
    logger_provider: Any = None
    tracing: bool = True
    metrics: bool = True
    logs: bool = True
    operation_spans: bool = True
    auto_configure: bool = False
    exclude: Callable[[MutableMapping[str, Any]], bool] | None = None

    @classmethod
    def of(cls, config: Mapping[str, Any] | None) -> "Settings":
        """Read a configuration, ignoring unknown keys; FastAPIError if it needs OpenTelemetry and that is missing."""
        given = {key: value for key, value in dict(config or {}).items() if key in cls.__slots__}
        wanted = [each.provider for each in SIGNALS if given.get(each.provider) is not None]
        wanted += ["auto_configure"] if given.get("auto_configure") else []
        if wanted and not is_installed():
            raise FastAPIError(
                f"telemetry={{{wanted[0]!r}: ...}} needs OpenTelemetry, which is not installed\n"
                "  install it: pip install 'slipstream[telemetry]'"
            )
        given.setdefault("auto_configure", os.environ.get(AUTO_CONFIGURE, "").strip().lower() == "true")
        return cls(**given)

    @property
    def wanted(self) -> list[Signal]:
        return [each for each in SIGNALS if getattr(self, each.switch)]

    @property
    def names_provider(self) -> bool:
        """Whether a provider was given for a signal that is wanted."""
        return any(getattr(self, each.provider) is not None for each in self.wanted)

    @property
    def may_be_heard(self) -> bool:
        """Whether somebody might listen: a provider was given, or this process has imported OpenTelemetry's API.

        Nothing is imported here: without the API, no provider can have been set.
        """
        if not self.wanted:
            return False
        if self.names_provider or any(each.api in sys.modules for each in SIGNALS):
            return True
        # By these variables the API finds providers for itself.
        chosen = (f"OTEL_PYTHON_{each.provider.upper()}" for each in SIGNALS)
        return any(map(os.environ.get, chosen)) and is_installed()


def is_installed() -> bool:
    if "opentelemetry.trace" in sys.modules:
        return True
    try:
        return importlib.util.find_spec("opentelemetry.trace") is not None
    except ImportError:
        return False

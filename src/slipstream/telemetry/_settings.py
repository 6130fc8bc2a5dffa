"""From what a user wrote as `telemetry={...}` to settings, defaults and environment put in."""

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from slipstream._foreign.opentelemetry import API_MODULES
from slipstream.exceptions import FastAPIError

AUTO_CONFIGURE = "FASTAPI_OTEL_AUTO_CONFIGURE"
"""Environment variable: "true", in any case of letters, adds exporters for the endpoints that the environment names."""

_PROVIDERS = ("tracer_provider", "meter_provider", "logger_provider")
_CHOSEN = ("OTEL_PYTHON_TRACER_PROVIDER", "OTEL_PYTHON_METER_PROVIDER", "OTEL_PYTHON_LOGGER_PROVIDER")
"""Environment variables by which OpenTelemetry's API finds providers for itself."""


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
        wanted = [name for name in _PROVIDERS if given.get(name) is not None]
        if given.get("auto_configure"):
            wanted.append("auto_configure")
        if wanted and not is_installed():
            raise FastAPIError(
                f"telemetry={{{wanted[0]!r}: ...}} needs OpenTelemetry, which is not installed\n"
                "  install it: pip install 'slipstream[telemetry]'"
            )
        given.setdefault("auto_configure", os.environ.get(AUTO_CONFIGURE, "").strip().lower() == "true")
        return cls(**given)

    @property
    def is_silent(self) -> bool:
        """Whether nothing at all is to be recorded."""
        return not (self.tracing or self.metrics or self.logs)

    @property
    def names_provider(self) -> bool:
        """Whether a provider was given for a signal that is wanted."""
        wanted = zip((self.tracing, self.metrics, self.logs), _PROVIDERS, strict=True)
        return any(is_wanted and getattr(self, name) is not None for is_wanted, name in wanted)

    @property
    def may_be_heard(self) -> bool:
        """Whether somebody might listen: a provider was given, or this process has imported OpenTelemetry's API.

        Nothing is imported here: without the API, no provider can have been set.
        """
        if self.is_silent:
            return False
        return (
            self.names_provider
            or any(name in sys.modules for name in API_MODULES)
            or (any(map(os.environ.get, _CHOSEN)) and is_installed())
        )


def is_installed() -> bool:
    """Whether OpenTelemetry's API can be imported."""
    if "opentelemetry.trace" in sys.modules:
        return True
    try:
        return importlib.util.find_spec("opentelemetry.trace") is not None
    except ImportError:
        return False

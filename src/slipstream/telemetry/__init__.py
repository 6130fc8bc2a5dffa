"""OpenTelemetry: spans, metrics and log records of requests and WebSocket connections.

Nothing here imports OpenTelemetry until somebody listens: a provider was given, a global one is set, or the
environment asks for exporters. How it works: docs/design/0010-telemetry.md.
"""

from slipstream._options.levels import TelemetryConfig
from slipstream.telemetry._data import TelemetryData, get_telemetry_data

__all__ = ["TelemetryConfig", "TelemetryData", "get_telemetry_data"]

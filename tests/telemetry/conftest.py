"""Providers of the SDK that keep what they are told in memory, and an environment that says nothing."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from slipstream.telemetry import _signals


@dataclass
class Heard:
    """Three providers, and what they have heard."""

    tracer_provider: TracerProvider = field(default_factory=lambda: TracerProvider(shutdown_on_exit=False))
    spans_in: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)
    records_in: InMemoryLogRecordExporter = field(default_factory=InMemoryLogRecordExporter)

    def __post_init__(self) -> None:
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self.spans_in))
        self.meter_provider = MeterProvider([self.reader], shutdown_on_exit=False)
        self.logger_provider = LoggerProvider(shutdown_on_exit=False)
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self.records_in))

    def config(self, **more: Any) -> Any:
        """What to give as `telemetry=`."""
        return {
            "tracer_provider": self.tracer_provider,
            "meter_provider": self.meter_provider,
            "logger_provider": self.logger_provider,
            **more,
        }

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.spans_in.get_finished_spans())

    @property
    def names(self) -> list[str]:
        """Names of the spans, in the order in which they ended."""
        return [span.name for span in self.spans]

    @property
    def records(self) -> list[ReadableLogRecord]:
        return list(self.records_in.get_finished_logs())

    @property
    def events(self) -> list[str | None]:
        """Names of the events that were logged."""
        return [record.log_record.event_name for record in self.records]

    def points(self, name: str = "http.server.request.duration") -> list[Any]:
        """What a metric holds, by attributes."""
        data = self.reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def close(self) -> None:
        self.tracer_provider.shutdown()
        self.meter_provider.shutdown()
        self.logger_provider.shutdown()


@pytest.fixture
def heard() -> Iterator[Heard]:
    heard = Heard()
    yield heard
    heard.close()


@pytest.fixture(autouse=True)
def _nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("OTEL_", "FASTAPI_OTEL_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_complaints_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures of providers are logged once in a process."""
    monkeypatch.setattr(_signals, "_complained", set())

"""The way without OpenTelemetry's private names: its logs, and the functions that set providers."""

import sys
from pkgutil import resolve_name
from typing import Any

import pytest
from opentelemetry import _logs, trace

from slipstream import FastAPI
from slipstream._foreign.opentelemetry import LOG_EXPORT, is_unset, logs_api, watch_global_providers
from slipstream.telemetry import _observation, _signals
from slipstream.testclient import TestClient


def test_what_is_there_is_known() -> None:
    """Otherwise nobody would get log records, and nobody would notice."""
    assert logs_api() is _logs
    assert (logs_api().SeverityNumber.WARN.value, logs_api().SeverityNumber.ERROR.value) == (13, 17)
    assert all(map(callable, map(resolve_name, LOG_EXPORT)))


@pytest.mark.parametrize("way", ["gone", "another shape"])
def test_without_an_api_of_logs_nobody_listens(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are served, and traces and metrics are made as ever."""
    if way == "gone":
        monkeypatch.delattr("opentelemetry._logs")
        monkeypatch.setitem(sys.modules, "opentelemetry._logs", None)
    else:
        monkeypatch.setattr(_logs, "get_logger_provider", None)

    found = logs_api()
    monkeypatch.setattr(_signals, "_logs", found)
    monkeypatch.setattr(_observation, "_Severity", found.SeverityNumber)
    monkeypatch.setattr(_signals, "_DEAF", (*_signals._DEAF, found.NoOpLoggerProvider))
    app = FastAPI(telemetry={"tracer_provider": trace.NoOpTracerProvider()})

    @app.get("/{number}")
    async def read(number: int) -> int:
        return number

    with TestClient(app) as client:
        statuses = [client.get(path).status_code for path in ("/1", "/none")]

    assert (found.SeverityNumber.WARN, found.SeverityNumber.ERROR) == (13, 17)
    assert _signals.is_deaf(found.get_logger_provider())
    assert statuses == [200, 422]


def test_setters_that_are_gone_are_not_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider is then noticed at the next change of the application."""
    monkeypatch.delattr("opentelemetry.trace._set_tracer_provider")
    monkeypatch.setattr("opentelemetry._logs._internal._set_logger_provider", "a text")

    watch_global_providers(lambda: None)

    assert not hasattr(trace, "_set_tracer_provider")


def test_a_provider_of_an_unknown_class_is_taken_for_one_that_was_set() -> None:
    """It is asked for a tracer, and answers with what does nothing."""
    unknown: Any = object()

    assert not is_unset(unknown)

"""What may be said about telemetry, and what holds where nothing is said."""

import sys

import pytest

from slipstream import FastAPI
from slipstream.exceptions import FastAPIError
from slipstream.telemetry import _settings
from slipstream.telemetry._settings import Settings

from .conftest import Heard


def test_what_is_not_said_keeps_its_default() -> None:
    """All signals are on; exporters are added only if somebody asks."""
    assert Settings.of(None) == Settings.of({}) == Settings()
    assert Settings.of({"tracing": False, "unknown": 1}) == Settings(tracing=False)


@pytest.mark.parametrize(("said", "expected"), [("true", True), ("TRUE", True), ("1", False), ("", False)])
def test_the_environment_may_ask_for_exporters(monkeypatch: pytest.MonkeyPatch, said: str, expected: bool) -> None:
    """The program need not change between a laptop and production; what the program says wins."""
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", said)

    assert Settings.of({}).auto_configure is expected
    assert Settings.of({"auto_configure": False}).auto_configure is False


@pytest.mark.parametrize("option", ["tracer_provider", "auto_configure"])
def test_what_needs_opentelemetry_says_so_where_it_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    """Not an ImportError at the first request."""
    monkeypatch.setattr(_settings, "is_installed", lambda: False)

    with pytest.raises(FastAPIError, match=rf"(?s){option}.*not installed.*slipstream\[telemetry\]"):
        FastAPI(telemetry={option: True})  # type: ignore[misc]  # the key is drawn


def test_what_needs_nothing_is_taken_where_opentelemetry_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that runs with and without; the environment alone never stops one."""
    monkeypatch.setattr(_settings, "is_installed", lambda: False)
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")

    app = FastAPI(telemetry={"tracing": False, "exclude": lambda scope: True})

    assert not app.observer.is_heard


def test_nobody_is_heard_before_opentelemetry_is_imported(monkeypatch: pytest.MonkeyPatch, heard: Heard) -> None:
    """Who has not imported it cannot have set a provider, and importing it takes tens of milliseconds."""
    for signal in _settings.SIGNALS:
        monkeypatch.delitem(sys.modules, signal.api)

    assert not Settings().may_be_heard
    assert Settings(tracer_provider=heard.tracer_provider).may_be_heard
    assert not Settings(tracing=False, metrics=False, logs=False).may_be_heard


def test_a_provider_chosen_by_the_environment_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenTelemetry's API loads it when it is asked."""
    for signal in _settings.SIGNALS:
        monkeypatch.delitem(sys.modules, signal.api)
    monkeypatch.setenv("OTEL_PYTHON_TRACER_PROVIDER", "some_provider")

    assert Settings().may_be_heard


def test_a_provider_counts_only_for_a_signal_that_is_wanted(heard: Heard) -> None:
    """`route.source` shows what will serve."""
    assert Settings(tracer_provider=heard.tracer_provider).names_provider
    assert not Settings(tracer_provider=heard.tracer_provider, tracing=False).names_provider

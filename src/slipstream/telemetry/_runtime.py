"""Exporters that the environment asks for: OTLP over HTTP, added at start-up, flushed at shut-down.

Environment: `OTEL_EXPORTER_OTLP_ENDPOINT` (a base URL) or `OTEL_EXPORTER_OTLP_{TRACES,METRICS,LOGS}_ENDPOINT` (as it
is), `OTEL_{TRACES,METRICS,LOGS}_EXPORTER` ("otlp" or "none"), `OTEL_EXPORTER_OTLP[_{SIGNAL}]_PROTOCOL`
("http/protobuf"), `OTEL_SDK_DISABLED`. The SDK and its exporter read the rest: headers, service name, delays.

Nothing here stops an application: what cannot be set up is logged as a warning. Functions have FastAPI's names.
"""

import atexit
import os
import re
from collections.abc import Callable
from importlib import import_module
from pkgutil import resolve_name
from threading import Lock
from typing import Any

import anyio.to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from slipstream._foreign.opentelemetry import is_unset
from slipstream.exceptions import FastAPIError
from slipstream.logger import logger
from slipstream.telemetry._settings import SIGNALS, Settings, Signal

_owned: list[Any] = []
"""What was added to providers here, to be flushed and shut down here."""

_configured: list[tuple[Signal, Any]] = []
"""Signals and the providers to which an exporter was added."""

_lock = Lock()

_LAST_WORDS = frozenset({"lifespan.startup.failed", "lifespan.shutdown.failed", "lifespan.shutdown.complete"})


async def lifespan(config: Settings, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a lifespan scope: add exporters before start-up, and flush them before the server gets the last message."""
    if config.auto_configure:
        await anyio.to_thread.run_sync(_configure_from_environment, config)

    async def flushing(message: Message) -> None:
        if message["type"] in _LAST_WORDS and _owned:
            await anyio.to_thread.run_sync(_empty, list(_owned), "force_flush")
        await send(message)

    await app(scope, receive, flushing)


def _configure_from_environment(config: Settings) -> None:
    """Add an exporter for each signal that is wanted and has an endpoint; a warning where that does not work."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return
    try:
        endpoints = [(signal, _export_endpoint(signal.name)) for signal in config.wanted]
        with _lock:
            for signal, endpoint in endpoints:
                if endpoint is not None:
                    _export(signal, endpoint, getattr(config, signal.provider))
    except ImportError:
        logger.warning(
            "telemetry: no exporter was added, for the SDK of OpenTelemetry or its OTLP exporter is not installed; "
            "install what fastapi[opentelemetry] has: pip install 'slipstream[telemetry]', "
            "or give telemetry={'auto_configure': False}",
            exc_info=True,
        )
    except Exception as exc:
        logger.warning("telemetry: no exporter was added: %s", exc, exc_info=not isinstance(exc, FastAPIError))


def _export_endpoint(signal: str) -> str | None:
    """Read where a signal goes; None if the environment does not say so, or says that it goes nowhere."""
    endpoint = _read(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    if endpoint is None:
        base = _read("OTEL_EXPORTER_OTLP_ENDPOINT")
        if base is None:
            return None
        endpoint = f"{base.rstrip('/')}/v1/{signal.lower()}"
    exporter = (_read(f"OTEL_{signal}_EXPORTER") or "otlp").lower()
    if exporter == "none":
        return None
    if exporter != "otlp":
        raise FastAPIError(f"OTEL_{signal}_EXPORTER is {exporter!r}, where only otlp or none is known")
    protocol = _read(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or _read("OTEL_EXPORTER_OTLP_PROTOCOL")
    if protocol not in (None, "http/protobuf"):
        raise FastAPIError(f"the protocol for {signal.lower()} is {protocol!r}, where only http/protobuf is known")
    if not _HTTP_URL.match(endpoint):
        raise FastAPIError(f"the endpoint for {signal.lower()} must be an absolute HTTP URL, not {endpoint!r}")
    return endpoint


def _read(name: str) -> str | None:
    """Read an environment variable; None if it is not set or empty."""
    return os.environ.get(name, "").strip() or None


_HTTP_URL = re.compile(r"https?://(\[[^]/?#]+]|[^[/?#])", re.IGNORECASE)


def _export(signal: Signal, endpoint: str, given: Any) -> None:
    """Add an exporter to the given provider, or to the global one, which is made if it is not set."""
    make_provider, make_component, make_exporter = map(resolve_name, signal.parts)
    provider = given if given is not None else _global_provider(signal, make_provider)
    target = _registration_provider(provider)
    if any(done is signal and known is target for done, known in _configured):
        return
    add = getattr(target, signal.add, None)
    if add is None:
        raise FastAPIError(
            f"{type(provider).__name__} does not support adding an OTLP exporter\n"
            f"  give another telemetry[{signal.provider!r}], or telemetry={{'auto_configure': False}}"
        )
    exporter = component = make_exporter(endpoint=endpoint)
    try:
        component = make_component(exporter)
        add(component)
    except BaseException:
        component.shutdown()
        raise
    _owned.append(component)
    _configured.append((signal, target))


def _registration_provider(provider: Any) -> Any:
    """Return what takes exporters: a provider that takes none of any signal may wrap one that does."""
    takes = any(hasattr(provider, each.add) for each in SIGNALS)
    return provider if takes else getattr(provider, "provider", provider)


def _global_provider(signal: Signal, make_provider: Callable[..., Any]) -> Any:
    """Return the global provider; if none is set, set a new one. Of two that are set at once, the first counts."""
    api = import_module(signal.api)
    get_global = getattr(api, f"get_{signal.provider}")
    provider = get_global()
    if not is_unset(provider):
        return provider
    made = make_provider(shutdown_on_exit=False)
    getattr(api, f"set_{signal.provider}")(made)
    provider = get_global()
    if provider is not made:
        made.shutdown()
    return provider


def _shutdown() -> None:
    """Send what the exporters hold, for the last time; registered for the end of the process."""
    with _lock:
        components, _owned[:], _configured[:] = list(_owned), [], []
    _empty(components, "shutdown")


def _empty(components: list[Any], method: str) -> None:
    for component in components:
        try:
            getattr(component, method)()
        except Exception:
            logger.exception("FastAPI telemetry cleanup failed: an exporter could not be emptied")


atexit.register(_shutdown)

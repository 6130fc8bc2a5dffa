"""Whether applications are observed by telemetry, decided after a change and not at each request.

Without an observed application in the process, requests are served as if there were no telemetry. With one, every route
looks for an observation in the scope, since a mounted application does not know which application it is mounted in.
"""

from collections.abc import Callable
from functools import partial
from operator import methodcaller
from typing import Any
from weakref import WeakSet

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from slipstream._app.refresh import version
from slipstream._engine.entry.asgi import Choose, Target
from slipstream._engine.router.table import Miss, Table
from slipstream._foreign.opentelemetry import is_instrumented, watch_global_providers
from slipstream.telemetry import _runtime
from slipstream.telemetry._data import SCOPE_KEY
from slipstream.telemetry._settings import Settings

_observed: WeakSet["Observer"] = WeakSet()
"""The observers of observed applications."""


def is_observing() -> bool:
    """Whether any application in the process is observed."""
    return bool(_observed)


class Observer:
    """The telemetry of one application."""

    def __init__(self, app: Starlette, settings: Settings) -> None:
        self._app = app
        self.settings = settings
        self._signals: Any = None  # a Signals, whose module imports OpenTelemetry
        self._has_served = False

    @property
    def is_heard(self) -> bool:
        """Whether the application is observed, as last decided."""
        return self in _observed

    @property
    def is_expected(self) -> bool:
        """Whether requests are observed, or probably will be; for `explain`, before the first request."""
        return self.is_heard or (self.settings.names_provider and not self._is_observed_by_others())

    def around(self, stack: ASGIApp) -> ASGIApp:
        if not self.is_heard:
            return stack
        from slipstream.telemetry._layer import TelemetryLayer  # noqa: PLC0415 - imports OpenTelemetry

        return TelemetryLayer(stack, self._signals)

    def lifespans(self, choose: Choose) -> Choose:
        """Have start-up add exporters and shut-down flush them, if that may be necessary."""
        if not self.settings.wanted or (self._has_served and not self.settings.auto_configure):
            return choose

        def choose_observed(scope: Scope) -> Target:
            target = choose(scope)
            if scope["type"] == "lifespan":
                return Target(None, None, partial(_runtime.lifespan, self.settings, target.handler))
            return target

        return choose_observed

    def decide(self, scope: Scope) -> bool:
        """Decide whether the application is observed; return whether that holds until the next change.

        Before the first request it does not hold, since start-up may set providers.
        """
        self._has_served = self._has_served or scope["type"] != "lifespan"
        if not self.settings.wanted or not self._has_served:
            return not self.settings.wanted
        is_heard = self.settings.may_be_heard and not self._is_observed_by_others() and self._are_signals_heard()
        if is_heard != self.is_heard:
            (_observed.add if is_heard else _observed.discard)(self)
            version.bump()  # tables are made again, with or without handlers that look for an observation
        return True

    def _are_signals_heard(self) -> bool:
        from slipstream.telemetry._signals import Signals  # noqa: PLC0415 - OpenTelemetry takes tens of milliseconds

        if self._signals is None:
            self._signals = Signals(self.settings)
        is_heard: bool = self._signals.are_heard
        if not is_heard:
            watch_global_providers(version.bump)
        return is_heard

    def _is_observed_by_others(self) -> bool:
        """Whether OpenTelemetry's own instrumentation records the application."""
        return is_instrumented(self._app) or any(
            cls.__name__ == "OpenTelemetryMiddleware" and cls.__module__.startswith("opentelemetry.instrumentation.")
            for middleware in self._app.user_middleware
            for cls in getattr(middleware.cls, "__mro__", ())
        )


def reporting(report: Callable[[Any], object], plain: ASGIApp, observed: Callable[[], ASGIApp]) -> ASGIApp:
    """Make an app that serves by `plain`; with an observation in the scope it reports, then serves by `observed()`."""
    serve_observed: ASGIApp | None = None

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal serve_observed
        observation = scope.get(SCOPE_KEY)
        if observation is None:
            await plain(scope, receive, send)
            return
        report(observation)
        if serve_observed is None:
            serve_observed = observed()
        await serve_observed(scope, receive, send)

    return serve


def reporting_route(route: object, handler: ASGIApp) -> ASGIApp:
    """Have the handler of a foreign route, or of a mount, report the route's path."""
    template = getattr(route, "path_format", None)
    if template is None:
        return handler
    if hasattr(route, "app") and template.endswith("/{path}") and not hasattr(route, "endpoint"):
        report = methodcaller("mounted", template.removesuffix("/{path}"))
    else:
        report = methodcaller("routed", template)
    return reporting(report, handler, lambda: handler)


class ReportingTable(Table):
    """A table that reports the path of a route that fits but for the method or a slash."""

    def miss(self, scope: Scope, path: str) -> Miss:
        """Look for a reason, and report its route to the observation in the scope, if there is one."""
        miss = super().miss(scope, path)
        observation, nearest = scope.get(SCOPE_KEY), miss.partial or miss.redirected
        if observation is not None and nearest is not None:
            route = nearest.value.context or nearest.value.route
            if hasattr(route, "template_of"):
                template = route.template_of({**scope, "path": miss.redirect_path or scope["path"]})
            else:
                template = getattr(route, "path_format", None)
            if template is not None:
                observation.routed(template)
        return miss

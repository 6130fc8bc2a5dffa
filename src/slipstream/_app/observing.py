"""Whether anybody observes requests, decided when something changes and not at each request.

While nobody does, an application serves with what it would serve with if there were no telemetry at all. As soon as
one application in the process is observed, every route looks for an observation in the scope: a mounted application
does not know what it is mounted in.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol
from weakref import WeakSet

from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from slipstream._app.refresh import version
from slipstream._engine.entry.asgi import Choose, Target, route_path
from slipstream._engine.router.table import Miss, Table
from slipstream._foreign.opentelemetry import is_instrumented, watch_global_providers
from slipstream.telemetry import _runtime
from slipstream.telemetry._data import SCOPE_KEY
from slipstream.telemetry._settings import Settings

_observed: WeakSet["Observer"] = WeakSet()
"""The observers that are heard."""


def is_observing() -> bool:
    """Whether any application in the process is observed."""
    return bool(_observed)


class Observable(Protocol):
    """What an observer asks of an application."""

    user_middleware: list[Middleware]


class Observer:
    """The telemetry of one application.

    Args:
        app: The application.
        settings: What is to be recorded.
    """

    def __init__(self, app: Observable, settings: Settings) -> None:
        self._app = app
        self.settings = settings
        self._signals: Any = None  # Signals, whose module imports OpenTelemetry
        self._has_served = False

    @property
    def is_heard(self) -> bool:
        """Whether the application was observed when that was last decided."""
        return self in _observed

    @property
    def is_expected(self) -> bool:
        """Whether requests are, or are going to be, observed, as far as one can tell before the first of them."""
        return self.is_heard or (self.settings.names_provider and not self._is_observed_by_others())

    def around(self, stack: ASGIApp) -> ASGIApp:
        """Put the telemetry around what serves; nothing where nobody listens."""
        if not self.is_heard:
            return stack
        from slipstream.telemetry._layer import TelemetryLayer  # noqa: PLC0415 - imports OpenTelemetry

        return TelemetryLayer(stack, self._signals)

    def lifespans(self, choose: Choose) -> Choose:
        """Look after start-up and shut-down, where exporters may have to be added and emptied."""
        if self.settings.is_silent or (self._has_served and not self.settings.auto_configure):
            return choose

        def choose_or_look_after(scope: Scope) -> Target:
            target = choose(scope)
            if scope["type"] == "lifespan":
                return Target(None, None, partial(self._serve_lifespan, target.handler))
            return target

        return choose_or_look_after

    async def _serve_lifespan(self, serve: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await _runtime.lifespan(config=self.settings, app=serve, scope=scope, receive=receive, send=send)

    def decide(self, scope: Scope) -> bool:
        """Find out whether anybody listens; nobody can know before the first request, for start-up may set providers.

        Args:
            scope: Of what comes in now.

        Returns:
            Whether the answer holds until something changes.
        """
        self._has_served = self._has_served or scope["type"] != "lifespan"
        if self.settings.is_silent or not self._has_served:
            return self.settings.is_silent
        is_heard = self._may_observe() and self._are_signals_heard()
        if is_heard != self.is_heard:
            (_observed.add if is_heard else _observed.discard)(self)
            version.bump()  # tables are made anew, with or without places that look for an observation
        return True

    def _may_observe(self) -> bool:
        return self.settings.may_be_heard and not self._is_observed_by_others()

    def _are_signals_heard(self) -> bool:
        # Imported when somebody may listen: OpenTelemetry takes tens of milliseconds.
        from slipstream.telemetry._signals import Signals  # noqa: PLC0415 - see above

        if self._signals is None:
            self._signals = Signals(self.settings)
        is_heard: bool = self._signals.are_heard
        if not is_heard:
            watch_global_providers(version.bump)
        return is_heard

    def _is_observed_by_others(self) -> bool:
        """Whether OpenTelemetry's own instrumentation records this application already."""
        return is_instrumented(self._app) or any(
            cls.__name__ == "OpenTelemetryMiddleware" and cls.__module__.startswith("opentelemetry.instrumentation.")
            for middleware in self._app.user_middleware
            for cls in getattr(middleware.cls, "__mro__", ())
        )


def choosing(template: str, plain: ASGIApp, observed: Callable[[], ASGIApp]) -> ASGIApp:
    """Make the handler of a path operation that serves observed requests in another way.

    Args:
        template: Path of the operation, with the names of its parameters.
        plain: Serves the others.
        observed: Returns what serves observed requests; called when the first comes.
    """
    serve_observed: ASGIApp | None = None

    async def choose(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal serve_observed
        observation = scope.get(SCOPE_KEY)
        if observation is None:
            await plain(scope, receive, send)
            return
        observation.routed(template)
        if serve_observed is None:
            serve_observed = observed()
        await serve_observed(scope, receive, send)

    return choose


def telling(route: BaseRoute, handler: ASGIApp) -> ASGIApp:
    """Have a foreign route or a mount tell the observation, if there is one, that it serves."""
    template = getattr(route, "path_format", None)
    if template is None:
        return handler
    is_mount = hasattr(route, "app") and template.endswith("/{path}") and not hasattr(route, "endpoint")
    prefix = template.removesuffix("/{path}")

    async def tell(scope: Scope, receive: Receive, send: Send) -> None:
        observation = scope.get(SCOPE_KEY)
        if observation is not None:
            if is_mount:
                observation.mounted(prefix)
            else:
                observation.routed(template)
        await handler(scope, receive, send)

    return tell


class TellingTable(Table):
    """A table that tells the observation, if there is one, which route a request fits but for its method or a slash."""

    def miss(self, scope: Scope, path: str) -> Miss:
        """Say why nothing serves a request."""
        miss = super().miss(scope, path)
        observation = scope.get(SCOPE_KEY)
        if observation is not None:
            nearest = miss.partial
            if miss.redirect_path is not None:
                moved = {**scope, "path": miss.redirect_path}
                nearest = super().miss(moved, route_path(moved)).partial
            template = None if nearest is None else getattr(nearest.value.route, "path_format", None)
            if template is not None:
                observation.routed(template)
        return miss

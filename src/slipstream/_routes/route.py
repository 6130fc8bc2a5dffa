"""What path operations and WebSocket endpoints have in common: how they match, and what serves them."""

import re
from typing import Any

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from slipstream._app.observing import choosing, is_observing
from slipstream._app.refresh import version
from slipstream._engine.compile import Compiled, Dialect
from slipstream._engine.entry.asgi import as_direct
from slipstream._engine.plan.model import Call, Plan
from slipstream._engine.router.pattern import Pattern
from slipstream._engine.types import DirectApp
from slipstream._routes.compiler import Compiler, overrides_of
from slipstream.types import DecoratedCallable


def by_pattern(matches: DecoratedCallable) -> DecoratedCallable:
    """Say that a `matches` method answers as the route's pattern does, so that the table need not ask it."""
    matches.is_by_pattern = True  # type: ignore[attr-defined]  # functions take any attribute
    return matches


class PlannedRoute(BaseRoute):
    """What path operations and WebSocket endpoints share: a pattern, a plan, and the handlers compiled from it."""

    pattern: Pattern
    path_format: str
    dependency_overrides_provider: Any | None
    _compiler: Compiler
    _app: ASGIApp | None = None

    @property
    def plan(self) -> Plan:
        """What is done for a request, as data; the OpenAPI document is read from it too."""
        return self._compiler.plan

    @property
    def compiled(self) -> Compiled:
        """What serves the route under the overrides that hold now: plan, source and handler."""
        provider = self.dependency_overrides_provider
        is_observed = getattr(getattr(provider, "observer", None), "is_expected", False)
        return self._compiler.compiled(overrides_of(provider), self._dialect, is_observed=is_observed)

    @property
    def source(self) -> str:
        """The generated Python that serves the route, under the overrides that hold now."""
        return self.compiled.source.text

    @property
    def _dialect(self) -> Dialect | None:
        """How the generated source is called; None for the usual way."""
        return None

    @property
    def dependant(self) -> Call:
        """The tree of calls, under FastAPI's name for it."""
        return self.plan.root

    @property
    def path_regex(self) -> re.Pattern[str]:
        """The path as a regular expression, made when asked for."""
        return self.pattern.regex

    @property
    def app(self) -> ASGIApp:
        """The route as an ASGI app; one that is put in its place serves from the next request on."""
        return self._serve if self._app is None else self._app

    @app.setter
    def app(self, app: ASGIApp) -> None:
        self._app = None if app == self._serve else app
        version.bump()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve with what is compiled, overrides looked up for each request."""
        await self._own_handler()(scope, receive, send)

    def handler(self, provider: object = None) -> ASGIApp:
        """Return what serves the route now, compiled if it has to be.

        Args:
            provider: Whose overrides hold; the route's own provider by default.
        """
        return self._own_handler(provider) if self._app is None else self._app

    def _own_handler(self, provider: object = None) -> ASGIApp:
        """Return what serves the route unless somebody put an app in its place."""
        overrides = overrides_of(self.dependency_overrides_provider if provider is None else provider)
        handler = self._compiler.compiled(overrides).handler
        if not is_observing():
            return handler
        return choosing(self.path_format, handler, lambda: self._compiler.compiled(overrides, is_observed=True).handler)

    def direct_handler(self) -> tuple[DirectApp, bool]:
        """Return what serves the route now in the direct dialect, and whether it shows the scope to anybody."""
        return as_direct(self.handler()), True

    @by_pattern
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether the route serves a request or a WebSocket, as Starlette asks it."""
        match, child_scope = super().matches(scope)
        if match != Match.NONE:
            child_scope["route"] = self
        return match, child_scope

"""The base of path operations and WebSocket endpoints: how they match and which handler serves them."""

import re
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from operator import methodcaller
from typing import Any

from starlette.routing import BaseRoute, Match, get_name
from starlette.types import ASGIApp, Receive, Scope, Send

from slipstream._app.dispatch import known
from slipstream._app.limits import limits_of
from slipstream._app.observing import is_observing, reporting
from slipstream._app.refresh import WatchedClass, version
from slipstream._engine.entry.asgi import as_direct
from slipstream._engine.errors import UnresolvedAnnotation, warn
from slipstream._engine.plan.model import Plan
from slipstream._engine.router.pattern import Pattern, read_pattern
from slipstream._engine.signature.names import Frames, running
from slipstream._engine.types import Dialect, DirectApp
from slipstream._routes.compiler import Compiled, Compiler, overrides_of, wrapped_app
from slipstream._routes.context import CONTEXT, Inclusion, noted
from slipstream._routes.dependant import Dependant
from slipstream._routes.half_public import is_walked, stepwise
from slipstream.limits import Limits

_READ = frozenset(
    {
        "_compiler", "response_fields", "stream_kind", "response_field", "stream_item_field", "body_field",
        "_embed_body_fields",
    }
)  # fmt: skip
"""Attributes that a route lacks until its endpoint is read."""


class PlannedRoute(BaseRoute, metaclass=WatchedClass):
    """A route with a pattern, a plan, and handlers compiled from the plan."""

    dependency_overrides_provider: Any | None
    _compiler: Compiler
    _app: ASGIApp | None = None
    tells_steps = True
    """Whether an observer hears of its body, dependencies and endpoint, and not only of its path."""
    limits: Limits | None = None
    """What the route, and the routers and inclusions around it, say of limits."""
    _waiting: tuple[Callable[[Frames | None], None], Frames] | None = None
    """What reads the endpoint later, and the functions in which its names may be local."""

    def _serve_at(self, path: str, endpoint: Callable[..., Any], name: str | None) -> None:
        """Set the attributes that follow from path, endpoint and name."""
        self.path, self.endpoint = path, endpoint
        self.name = get_name(endpoint) if name is None else name
        self.pattern: Pattern = read_pattern(path, is_relative=True)
        self.path_format = self.pattern.path_format
        self.param_convertors = dict(self.pattern.convertors)

    def _read_if_defined(self, read: Callable[[Frames | None], None], frames: Frames | None = None) -> None:
        """Read the endpoint, now or, while a name of its annotations is not defined, when what is read is needed."""
        try:
            read(frames)
        except UnresolvedAnnotation:
            self._waiting = read, running() if frames is None else frames

    @property
    def is_read(self) -> bool:
        """Whether the endpoint has been read; not while a name of an annotation is not defined."""
        return self._waiting is None

    def settle(self) -> None:
        """Read the endpoint if that had to wait; raise UnresolvedAnnotation if a name is still not defined."""
        if self._waiting is not None:
            read, frames = self._waiting
            read(frames)
            self._waiting = None

    @property
    def plan(self) -> Plan:
        """The plan without overrides; the OpenAPI document is made from it too."""
        return self._compiler.plan

    @property
    def limits_in_force(self) -> Limits:
        return limits_of(self.dependency_overrides_provider, self.limits)

    @property
    def compiled(self) -> Compiled:
        """Plan, source and handler under the current overrides."""
        provider = self.dependency_overrides_provider
        is_observed = getattr(getattr(provider, "observer", None), "is_expected", False)
        limits = self.limits_in_force
        return self._compiler.compiled(overrides_of(provider), self._dialect, is_observed=is_observed, limits=limits)

    @property
    def source(self) -> str:
        """The handler's generated Python under the current overrides."""
        text: str = self.compiled.source.text
        return text

    @property
    def _dialect(self) -> Dialect | None:
        return None

    @property
    def dependant(self) -> Dependant:
        """The tree of calls under FastAPI's names; a change of it, or another tree, holds from the next request on."""
        if self._compiler.owner is not self:  # a package has copied the route's attributes
            self._compiler = self._compiler.copied(self)
        return self._compiler.dependant

    @dependant.setter
    def dependant(self, dependant: Dependant) -> None:
        self._compiler = self._compiler.with_tree(dependant, self)
        version.bump()

    @property
    def path_regex(self) -> re.Pattern[str]:
        return self.pattern.regex

    @property
    def app(self) -> ASGIApp:
        """The route as an ASGI app; an app that is assigned serves from the next request on."""
        return self.serve if self._app is None else self._app

    @app.setter
    def app(self, app: ASGIApp) -> None:
        self._app = None if app == self.serve else app
        version.bump()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._own_handler()(scope, receive, send)

    def handler(self) -> ASGIApp:
        """Return the assigned app or the handler under the current overrides, compiled if necessary."""
        self.settle()
        return self._own_handler() if self._app is None else self._app

    def _own_handler(self) -> ASGIApp:
        report, limits = methodcaller("routed", self.path_format), self.limits_in_force
        if is_walked(self.plan, self.dependency_overrides_provider):
            plan = replace(self.plan, limits=limits)
            walk = wrapped_app(stepwise(plan, self.dependency_overrides_provider), is_async=True)
            return reporting(report, walk, lambda: walk) if is_observing() else walk
        overrides = overrides_of(self.dependency_overrides_provider)
        handler = self._compiler.compiled(overrides, limits=limits).handler
        if not is_observing():
            return handler
        compiled = partial(self._compiler.compiled, overrides, is_observed=self.asked.tells_steps, limits=limits)
        return reporting(report, handler, lambda: compiled().handler)

    def direct_handler(self) -> tuple[DirectApp, bool]:
        """Return the handler in the direct dialect, and whether user code may see the scope."""
        return as_direct(self.handler()), True

    @property
    def asked(self) -> "PlannedRoute":
        """The route whose `matches`, `handle` and `get_route_handler` count: that of its own router."""
        return self

    def included(self, inclusion: Inclusion) -> "PlannedRoute":
        """Return the route's twin under an inclusion."""
        raise NotImplementedError

    @known
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match a scope as Starlette's routes do; within an included router, by the path of the inclusion."""
        match, child_scope = super(PlannedRoute, _served(self, scope)).matches(scope)
        if match != Match.NONE:
            child_scope["route"] = self.asked
        return match, child_scope

    @known
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request as Starlette's routes do; within an included router, with the options of the inclusion."""
        await super(PlannedRoute, _served(self, scope)).handle(scope, receive, send)


def warn_of_untaken(route: PlannedRoute, path: str) -> None:
    """Warn of parameters in the route's own part of its path that nothing takes and no Request shows.

    Only if the endpoint has a parameter that may have been meant: none is marked as a query parameter that has a name
    like it, or none but one, which must be given. Many programs leave a parameter of the path alone.
    """
    names = [name for name in route.pattern.names if f"{{{name}" in path]
    if not names:
        return
    root = route.plan.root
    calls = list(root.walk())
    if any(kind in ("request", "connection", "websocket") for call in calls for _, kind in call.contexts):
        return
    taken = {field.validation_alias or field.alias for call in calls for field in call.path_params}
    unmarked = {slot.name for slot in root.signature.slots if not slot.marked}
    others = {field.name: field.required for field in root.query_params if field.name in unmarked}
    for name in names:
        if name in taken:
            continue
        only = [other for other, is_required in others.items() if is_required and len(others) == 1]
        for likely in get_close_matches(name, others, 1) or only:
            claim = f"nothing takes the path's parameter {name!r}; did you mean it by {likely!r}?"
            warn(claim, root.origin, f"write a parameter {name}, or leave {{{name}}} out of the path")


def _served(route: PlannedRoute, scope: Scope) -> PlannedRoute:
    """Return the context in a scope if it is one of the route's, else the route."""
    context = noted(scope, CONTEXT)
    return context if context is not None and context.original_route is route else route


def _read_first(route: PlannedRoute, name: str) -> Any:
    if route._waiting is None or name not in _READ:
        raise AttributeError(f"{type(route).__name__!r} object has no attribute {name!r}")
    route.settle()
    return getattr(route, name)


# Not in the class, where a type checker would take every misspelt attribute for one.
setattr(PlannedRoute, "__getattr__", _read_first)  # noqa: B010 - see above

"""What `include_router` adds to the routes of a router, and the node that it puts among the parent's routes.

The included router is not changed, and routes that are added to it later are served too. What is served under the
prefix are twins of its routes, made when they are needed and kept until the router changes.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import is_not
from typing import Any, Protocol, TypeAlias, runtime_checkable

from starlette import routing
from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Host, Match, Mount, Route, WebSocketRoute, compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from slipstream._app.dispatch import known, overrides
from slipstream._app.limits import guarded
from slipstream._app.observing import is_observing, reporting_route
from slipstream._app.refresh import Latest, Lock
from slipstream._engine.errors import NotARouter
from slipstream._options.inherited import merged, repeated
from slipstream._options.levels import InclusionOptions, LevelOptions, RouteOptions
from slipstream._routes.context import CONTEXT, ROUTER, EffectiveRouteContext, ForeignContext, note, noting
from slipstream.exceptions import FastAPIError
from slipstream.limits import Limits


class IncludableRouter(Protocol):
    """The router as inclusions use it."""

    mark: int

    @property
    def routes(self) -> Sequence[BaseRoute]: ...
    @property
    def _low_priority_routes(self) -> Sequence[BaseRoute]: ...
    @property
    def default(self) -> ASGIApp: ...
    def contains(self, router: "IncludableRouter") -> bool: ...
    def matches(self, scope: Scope) -> tuple[Match, Scope]: ...
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None: ...


@runtime_checkable
class IncludableRoute(Protocol):
    """A route that makes its twin itself; `relocated` makes those of Starlette's classes."""

    def included(self, inclusion: "Inclusion") -> BaseRoute: ...


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The options for the routes of a router, merged from the routers and inclusions above them."""

    router: IncludableRouter
    options: LevelOptions

    @classmethod
    def of(cls, parent: IncludableRouter, router: IncludableRouter, given: InclusionOptions) -> "Inclusion":
        """Merge the options of a parent, of its `include_router` call and of the included router."""
        return cls(router, merged(LevelOptions, parent, given, repeated(LevelOptions, router)))

    def around(self, inner: "Inclusion") -> "Inclusion":
        """Merge an inclusion inside this one into it."""
        return Inclusion(inner.router, merged(LevelOptions, self.options, inner.options))

    def __getattr__(self, name: str) -> Any:
        """Return an option, or the router under FastAPI's name for it."""
        if name == "included_router":
            return self.router
        if name.startswith("__") or name not in self.options:
            raise AttributeError(name)
        return self.options[name]  # type: ignore[literal-required]  # any option

    def options_of(self, route: object) -> RouteOptions:
        """Return the options of a path operation's twin; the route has its own as attributes."""
        return merged(RouteOptions, self.options, repeated(LevelOptions, self.router), route)


def check_prefix(prefix: str) -> None:
    """Raise AssertionError for a prefix that does not begin with a slash, or ends with one."""
    if prefix:
        assert prefix.startswith("/"), "A path prefix must start with '/'"
        assert not prefix.endswith("/"), "A path prefix must not end with '/', as the routes will start with '/'"


def check_inclusion(parent: IncludableRouter, router: IncludableRouter, prefix: str) -> None:
    """Raise the errors of `APIRouter.include_router`."""
    if not hasattr(router, "contains"):
        raise NotARouter(router)
    assert parent is not router, (
        "Cannot include the same APIRouter instance into itself. Did you mean to include a different router?"
    )
    assert not router.contains(parent), (
        "Cannot include an APIRouter instance that already includes this router. "
        "Did you mean to include a different router?"
    )
    check_prefix(prefix)
    for route in () if prefix else effective(router.routes):
        if getattr(route, "path", None) == "":
            name = getattr(route, "name", "unknown")
            raise FastAPIError(f"Prefix and path cannot be both empty (path operation: {name})")


class Twins:
    """The twins of a router's routes; made again, with new handlers, only when the list of routes or `mark` changes."""

    def __init__(self, inclusion: Inclusion, attribute: str) -> None:
        self._inclusion, self._attribute = inclusion, attribute
        self._lock = Lock()
        self._mark = -1
        self._originals: list[BaseRoute] = []
        self._made: list[BaseRoute] = []
        self._contexts: list[Context] = []

    def get(self) -> Sequence[BaseRoute]:
        """Return the twins of the routes in the router's attribute, nodes of included routers among them."""
        router = self._inclusion.router
        with self._lock:
            mark, routes, known = router.mark, list(getattr(router, self._attribute)), self._originals
            if mark != self._mark or len(routes) != len(known) or any(map(is_not, routes, known)):
                self._made = list(self._make(routes))
                self._contexts = list(map(_context, self._made))
                self._originals, self._mark = routes, mark
            return self._made

    def contexts(self) -> list["Context"]:
        """Return the contexts of the twins; the list is another when the twins are."""
        self.get()
        return self._contexts

    def _make(self, routes: Sequence[BaseRoute]) -> Iterator[BaseRoute]:
        for route in routes:
            twin = relocated(route, self._inclusion)
            if twin is not None:
                twin.__dict__["original_route"] = route
                yield twin


def _context(twin: BaseRoute) -> "Context":
    if isinstance(twin, (IncludedRouter, EffectiveRouteContext)):
        return twin
    return ForeignContext(twin.__dict__["original_route"], twin)


class IncludedRouter(BaseRoute):
    """The node for an included router among the routes of its parent."""

    def __init__(self, inclusion: Inclusion) -> None:
        self.include_context, self.original_router = inclusion, inclusion.router
        self.twins, self.low_priority_twins = Twins(inclusion, "routes"), Twins(inclusion, "_low_priority_routes")
        self._effective, self._low_priority = Latest(self._list), Latest(self._list_low_priority)

    def included(self, inclusion: Inclusion) -> "IncludedRouter":
        """Return the node's twin, under an inclusion of its parent."""
        return IncludedRouter(inclusion.around(self.include_context))

    def effective_routes(self) -> Sequence[BaseRoute]:
        """Return the twins of all routes of the router, and of those that it includes."""
        return self._effective.get()

    def effective_candidates(self) -> list["Context"]:
        """Return the contexts of the router's routes in order, and the nodes of the routers that it includes."""
        return self.twins.contexts()

    def effective_route_contexts(self) -> Iterator[EffectiveRouteContext]:
        """Yield the contexts of all routes of the router, those of the routers that it includes in their places."""
        for candidate in self.effective_candidates():
            if isinstance(candidate, IncludedRouter):
                yield from candidate.effective_route_contexts()
            else:
                yield candidate

    def effective_low_priority_routes(self) -> Sequence[BaseRoute]:
        """Return the twins of what the router, and those that it includes, serve after all other routes."""
        return self._low_priority.get()

    def _list(self) -> Sequence[BaseRoute]:
        return tuple(effective(self.twins.get()))

    def _list_low_priority(self) -> Sequence[BaseRoute]:
        nodes = [route for route in self.original_router.routes if isinstance(route, IncludedRouter)]
        inner = [route.included(self.include_context) for route in nodes]
        return tuple(low_priority(self.low_priority_twins.get(), inner))

    @property
    def asks(self) -> bool:
        """Whether the router, or one of its routes, has a `matches` of its own, or the router a `handle`."""
        if any(overrides(self.original_router, name) for name in ("matches", "handle")):
            return True
        with suppress(Exception):  # raised again where the routes are listed
            return any(
                route.asks if isinstance(route, IncludedRouter) else overrides(route, "matches")
                for route in self.twins.get()
            )
        return False

    @known
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Ask the router, whose `matches` asks `match` of this node unless its class overrides it."""
        with noting(scope, ROUTER, self):
            return self.original_router.matches(scope)[0], {}

    @known
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the router serve; its `handle` calls `serve` of this node unless its class overrides it."""
        note(scope, ROUTER, self)
        await self.original_router.handle(scope, receive, send)

    def match(self, scope: Scope) -> tuple[Match, Scope, "Context | None"]:
        """Ask the routes in order; the first full match counts, else the first partial one."""
        best: tuple[Match, Scope, Context | None] = Match.NONE, {}, None
        for candidate in self.effective_candidates():
            if isinstance(candidate, IncludedRouter) or candidate.starlette_route is not None:
                match, child_scope = candidate.matches(scope)
            else:
                with noting(scope, CONTEXT, candidate):
                    match, child_scope = candidate.original_route.matches(scope)
            if match == Match.FULL:
                return match, child_scope, candidate
            if match == Match.PARTIAL and best[0] == Match.NONE:
                best = match, child_scope, candidate
        return best

    def template_of(self, scope: Scope) -> str | None:
        """Return the path, with its parameters in braces, of the route that fits a scope; for telemetry."""
        chosen = self.match(scope)[2]
        if isinstance(chosen, IncludedRouter):
            return chosen.template_of(scope)
        return None if chosen is None else getattr(chosen.starlette_route or chosen, "path_format", None)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve with the route that `match` finds, or with the router's default."""
        _, child_scope, chosen = self.match(scope)
        scope.update(child_scope)
        if chosen is None:
            handle = guarded(self.original_router.default, self.include_context.options["limits"] or Limits())
        elif isinstance(chosen, IncludedRouter):
            handle = chosen.handle
        else:
            note(scope, CONTEXT, chosen)
            handle = (chosen.starlette_route or chosen.original_route).handle
            if is_observing():
                handle = reporting_route(chosen.starlette_route or chosen, handle)
        await handle(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Return the path of a twin."""
        return routing.Router(self.effective_routes()).url_path_for(name, **path_params)


Context: TypeAlias = IncludedRouter | EffectiveRouteContext
"""What a router has among its routes as they are served."""


def relocated(route: BaseRoute, inclusion: Inclusion) -> BaseRoute | None:
    """Make the twin of a route; None for a class of routes that is not known here."""
    if isinstance(route, IncludableRoute):
        return route.included(inclusion)
    prefix, limits = inclusion.options["prefix"], inclusion.options["limits"]
    if isinstance(route, Route):
        plain = Route(
            prefix + route.path, route.endpoint, methods=list(route.methods or []), name=route.name,
            include_in_schema=route.include_in_schema,
        )  # fmt: skip
        plain.app = guarded(plain.app, limits or Limits())
        return plain
    if isinstance(route, WebSocketRoute):
        socket = WebSocketRoute(prefix + route.path, route.endpoint, name=route.name)
        socket.__dict__["limits"] = limits
        return socket
    if isinstance(route, Mount):
        moved = copy.copy(route)
        moved.path = (prefix + route.path).rstrip("/")
        moved.path_regex, moved.path_format, moved.param_convertors = compile_path(moved.path + "/{path:path}")
        moved.__dict__["limits"] = limits
        return moved
    if isinstance(route, Host):
        app = routing.Router(routes=[Mount(prefix, app=route.app)]) if prefix else route.app
        host = Host(route.host, app=app, name=route.name)
        host.__dict__["limits"] = limits
        return host
    return None


def effective(routes: Sequence[BaseRoute]) -> Iterator[BaseRoute]:
    """Yield routes, those of included routers in their places."""
    for route in routes:
        if isinstance(route, IncludedRouter):
            yield from effective(route.twins.get())
        else:
            yield route


def low_priority(own: Sequence[BaseRoute], routes: Sequence[BaseRoute]) -> Iterator[BaseRoute]:
    """Yield a router's own low-priority routes, then those of the routers that are included among its routes."""
    yield from own
    for route in routes:
        if isinstance(route, IncludedRouter):
            yield from route.effective_low_priority_routes()

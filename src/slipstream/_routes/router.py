"""A Starlette router that looks its routes up in a table, and the node of one that `include_router` has included.

The included router is not changed, and routes that are added to it later are served too. What is served under the
prefix are twins of its routes, made when they are needed and kept until the router changes.
"""

import copy
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias, cast

from starlette import routing
from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Host, Match, Mount, Route, WebSocketRoute, compile_path
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from slipstream._app.dispatch import Dispatcher, known, overrides
from slipstream._app.limits import foreign, guarded, limited, limits_of
from slipstream._app.observing import is_observing, reporting_route
from slipstream._app.refresh import Latest, WatchedList, version
from slipstream._engine.entry.lifespan import Context as Lifetime, as_context, from_events, lifespan
from slipstream._engine.errors import NotARouter, warn
from slipstream._engine.plan.tree import is_overridden
from slipstream._engine.signature.origin import origin_of
from slipstream._options.levels import LevelOptions, RouterOptions
from slipstream._options.merging import merged
from slipstream._routes.compiler import Overrides, overrides_of
from slipstream._routes.context import CONTEXT, ROUTER, EffectiveRouteContext, Inclusion, note, noted, noting
from slipstream._routes.frontend import Frontend, FrontendGroup
from slipstream._routes.route import PlannedRoute
from slipstream.exceptions import FastAPIError
from slipstream.limits import Limits
from slipstream.types import DecoratedCallable


def decorator(
    register: Callable[[DecoratedCallable], object], argument: object
) -> Callable[[DecoratedCallable], DecoratedCallable]:
    """Make a decorator that calls `register`; its `argument` is no function, or the parentheses have been forgotten."""
    if inspect.isroutine(argument):
        claim = f"{argument.__name__!r} is not registered: its decorator has no parentheses"
        warn(claim, origin_of(argument), 'write the decorator with its argument, such as @app.get("/items")')

    def decorate(function: DecoratedCallable) -> DecoratedCallable:
        register(function)
        return function

    return decorate


def settle(routes: Sequence[BaseRoute]) -> None:
    """Have every route, of mounted applications too, read its endpoint; raise UnresolvedAnnotation if one cannot."""
    for route in effective(routes):
        if isinstance(route, PlannedRoute):
            route.settle()
        else:
            settle(getattr(getattr(route, "starlette_route", route), "routes", ()))


def warn_of_mounted(routes: Sequence[BaseRoute], overrides: Overrides) -> None:
    """Warn of overrides that a mounted application would need too: those of the outer application do not hold there."""
    for mount in (route for route in routes if isinstance(route, routing.Mount)):
        missing = overrides.keys() - overrides_of(mount.app).keys()
        inner: list[PlannedRoute] = []
        with suppress(Exception):  # the mounted application raises it to those who ask for it
            inner += [route for route in effective(mount.routes) if isinstance(route, PlannedRoute) and route.is_read]
        for call in (call for route in inner for call in route.plan.root.walk()):
            if hasattr(mount.app, "dependency_overrides") and is_overridden(call, missing):
                claim = f"the override of this dependency does not hold in the application mounted at {mount.path!r}"
                warn(claim, call.origin, "set it in the dependency_overrides of the mounted application too")


def check_prefix(prefix: str) -> None:
    if prefix:
        assert prefix.startswith("/"), "A path prefix must start with '/'"
        assert not prefix.endswith("/"), "A path prefix must not end with '/', as the routes will start with '/'"


def check_inclusion(parent: "TableRouter", router: "TableRouter", prefix: str) -> None:
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


class IncludedRouter(BaseRoute):
    """The node for an included router among the routes of its parent."""

    def __init__(self, inclusion: Inclusion) -> None:
        self.include_context = inclusion
        self.original_router: TableRouter = inclusion.router
        self._contexts = Latest(partial(self._list_contexts, "routes"))
        self._late_contexts = Latest(partial(self._list_contexts, "_low_priority_routes"))
        self._known: dict[str, dict[tuple[int, int], Context | None]] = {}
        self._effective, self._low_priority = Latest(self._list), Latest(self._list_low_priority)

    def included(self, inclusion: Inclusion) -> "IncludedRouter":
        own = self.include_context
        return IncludedRouter(Inclusion(own.router, merged(LevelOptions, inclusion.options, own.options)))

    def effective_routes(self) -> Sequence[BaseRoute]:
        """Return the twins of all routes of the router, and of those that it includes."""
        return self._effective.get()

    def effective_candidates(self) -> list["Context"]:
        """Return the contexts of the router's routes in order, and the nodes of the routers that it includes."""
        return self._contexts.get()

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

    def _list_contexts(self, attribute: str) -> list["Context"]:
        """List the contexts of the routes in an attribute of the router, nodes of included routers among them.

        A context is kept, with its handlers, while its route is in the list and the router's `mark` stays.
        """
        router, known = self.original_router, self._known.get(attribute, {})
        routes = [((router.mark, id(route)), route) for route in getattr(router, attribute)]
        contexts = {key: known.get(key) or context_of(route, self.include_context) for key, route in routes}
        self._known[attribute] = contexts
        return [context for key, _ in routes if (context := contexts[key]) is not None]

    def _list(self) -> Sequence[BaseRoute]:
        return tuple(effective(self._contexts.get()))

    def _list_low_priority(self) -> Sequence[BaseRoute]:
        nodes = [route for route in self.original_router.routes if isinstance(route, IncludedRouter)]
        inner = [route.included(self.include_context) for route in nodes]
        return tuple(low_priority(effective(self._late_contexts.get()), inner))

    @property
    def asks(self) -> bool:
        """Whether the router, or one of its routes, has a `matches` of its own, or the router a `handle`."""
        if any(overrides(self.original_router, name) for name in ("matches", "handle")):
            return True
        with suppress(Exception):  # raised again where the routes are listed
            return any(
                each.asks if isinstance(each, IncludedRouter) else overrides(each.served, "matches")
                for each in self.effective_candidates()
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
        return None if chosen is None else getattr(chosen.served, "path_format", None)

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
                handle = reporting_route(chosen.served, handle)
        await handle(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        return routing.Router(self.effective_routes()).url_path_for(name, **path_params)


Context: TypeAlias = IncludedRouter | EffectiveRouteContext
"""What a router has among its routes as they are served."""


def context_of(route: BaseRoute, inclusion: Inclusion) -> Context | None:
    """Make the context of a route, and its twin in it; None for a class of routes that is not known here."""
    twin = route.included(inclusion) if hasattr(route, "included") else relocated(route, inclusion)
    if twin is None:
        return None
    twin.__dict__["original_route"] = route
    return twin if isinstance(twin, (IncludedRouter, EffectiveRouteContext)) else EffectiveRouteContext(route, twin)


def relocated(route: BaseRoute, inclusion: Inclusion) -> BaseRoute | None:
    prefix, limits = inclusion.options["prefix"], inclusion.options["limits"]
    if isinstance(route, Route):
        plain = Route(
            prefix + route.path, route.endpoint, methods=list(route.methods or []), name=route.name,
            include_in_schema=route.include_in_schema,
        )  # fmt: skip
        plain.app = foreign(plain.app, limits or Limits())
        return plain
    twin: BaseRoute
    if isinstance(route, WebSocketRoute):
        twin = WebSocketRoute(prefix + route.path, route.endpoint, name=route.name)
    elif isinstance(route, Mount):
        twin = copy.copy(route)
        twin.path = (prefix + route.path).rstrip("/")
        twin.path_regex, twin.path_format, twin.param_convertors = compile_path(twin.path + "/{path:path}")
    elif isinstance(route, Host):
        app = routing.Router(routes=[Mount(prefix, app=route.app)]) if prefix else route.app
        twin = Host(route.host, app=app, name=route.name)
    else:
        return None
    twin.__dict__["limits"] = limits
    return twin


def effective(routes: Sequence[Any]) -> Iterator[BaseRoute]:
    """Yield routes, or what serves for contexts, those of included routers in their places."""
    for route in routes:
        if isinstance(route, IncludedRouter):
            yield from effective(route.effective_candidates())
        else:
            yield route.served if isinstance(route, EffectiveRouteContext) else route


def low_priority(own: Iterable[BaseRoute], routes: Sequence[BaseRoute]) -> Iterator[BaseRoute]:
    """Yield a router's own low-priority routes, then those of the routers that are included among its routes."""
    yield from own
    for route in routes:
        if isinstance(route, IncludedRouter):
            yield from route.effective_low_priority_routes()


class TableRouter(routing.Router):
    """A router that looks its routes up in a table; `APIRouter` adds path operations, and reads options for these."""

    mark = 0
    """How often `_mark_routes_changed` was called."""

    def __init__(self, given: RouterOptions) -> None:
        self._low_priority_routes: list[BaseRoute] = WatchedList()
        self.on_startup: list[Callable[[], Any]] = list(given["on_startup"] or [])
        self.on_shutdown: list[Callable[[], Any]] = list(given["on_shutdown"] or [])
        events: Lifetime = from_events(self.on_startup, self.on_shutdown)
        super().__init__(
            redirect_slashes=given["redirect_slashes"],
            default=given["default"],
            lifespan=cast(Lifespan[Any], as_context(given["lifespan"]) if given["lifespan"] else events),
        )
        self.routes = list(given["routes"] or [])
        self.limits, self.max_body_size = given["limits"], given["max_body_size"]
        self.middleware_stack = cast(Any, limited(self.app, self.max_body_size))
        self.dispatcher = Dispatcher(self)

    @property
    def limits_in_force(self) -> Limits:
        """The limits for what the router serves without a path operation."""
        return limits_of(getattr(self, "dependency_overrides_provider", None), self.limits)

    @property
    def routes(self) -> list[BaseRoute]:
        """The routes in order; a change of the list holds from the next request on."""
        return self._routes

    @routes.setter
    def routes(self, routes: Sequence[BaseRoute]) -> None:
        self._routes: list[BaseRoute] = WatchedList(routes)
        version.bump()

    def served_routes(self) -> Iterator[BaseRoute]:
        """Yield the routes in the order in which they are tried, those of included routers in their places.

        A node stands for its routes if one of them is to be asked itself.
        """
        replaced = overrides_of(getattr(self, "dependency_overrides_provider", None))
        if replaced:
            warn_of_mounted(self.routes, replaced)
        for route in self.routes:
            yield from [route] if isinstance(route, IncludedRouter) and route.asks else effective([route])

    @known
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match a scope by the router's routes under the inclusion that asks; nothing, where none does."""
        node = self._asking(scope)
        return (Match.NONE, {}) if node is None else node.match(scope)[:2]

    @known
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve under the inclusion that `matches` found; as an app by itself, where none asked."""
        node = self._asking(scope)
        await (self.app if node is None else node.serve)(scope, receive, send)

    def _asking(self, scope: Scope) -> IncludedRouter | None:
        node = noted(scope, ROUTER)
        return node if isinstance(node, IncludedRouter) and node.original_router is self else None

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(scope, receive, send, cast(Lifetime, self.lifespan_context), partial(settle, self.routes))
            return
        if "router" not in scope:
            scope["router"] = self
        await self.dispatcher.choose()(scope).handler(scope, receive, send)

    def _mark_routes_changed(self) -> None:
        """Count a change that packages made to a route in place; the lists count their changes themselves."""
        self.mark += 1
        version.bump()

    @property
    def _frontend_routes(self) -> FrontendGroup | None:
        found = [route for route in self._low_priority_routes if isinstance(route, Frontend)]
        return FrontendGroup(found) if found else None

    @property
    def default(self) -> ASGIApp:
        """The ASGI app for requests that no route serves: the frontends, then the app that was given."""
        routes = list(low_priority(self._low_priority_routes, self.routes))
        return FrontendGroup(routes, self._default).handle if routes else self._default

    @default.setter
    def default(self, app: ASGIApp) -> None:
        self._default = app
        version.bump()

    def contains(self, router: "TableRouter") -> bool:
        """Whether this router includes a router, directly or through others."""
        included = [route.original_router for route in self.routes if isinstance(route, IncludedRouter)]
        return any(each is router or each.contains(router) for each in included)

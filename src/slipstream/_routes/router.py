"""A Starlette router that looks its routes up in a table."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast

from starlette import routing
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from slipstream._app.dispatch import Dispatcher, known
from slipstream._app.limits import limited, limits_of
from slipstream._app.refresh import WatchedList, version
from slipstream._engine.entry.lifespan import Context, as_context, from_events, lifespan
from slipstream._engine.errors import warn
from slipstream._engine.plan.tree import is_overridden
from slipstream._options.levels import RouterOptions
from slipstream._routes.compiler import Overrides, overrides_of
from slipstream._routes.context import ROUTER, noted
from slipstream._routes.frontend import Frontend, FrontendGroup, low_priority_app
from slipstream._routes.inclusion import IncludableRouter, IncludedRouter, effective, low_priority
from slipstream._routes.route import PlannedRoute
from slipstream.limits import Limits


def settle(routes: Sequence[BaseRoute]) -> None:
    """Have every route read its endpoint that has not yet, those of mounted applications too.

    Raises:
        UnresolvedAnnotation: A name in an annotation is still not defined.
    """
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


class TableRouter(routing.Router):
    """A router that looks its routes up in a table; `APIRouter` adds path operations.

    Args:
        given: A value for every option; those of Starlette's routers, `default`, `limits` and `max_body_size` are
            read here.
    """

    mark = 0
    """How often `_mark_routes_changed` was called."""

    def __init__(self, given: RouterOptions) -> None:
        self._low_priority_routes: list[BaseRoute] = WatchedList()
        self.on_startup: list[Callable[[], Any]] = list(given["on_startup"] or [])
        self.on_shutdown: list[Callable[[], Any]] = list(given["on_shutdown"] or [])
        events: Context = from_events(self.on_startup, self.on_shutdown)
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
        overrides = overrides_of(getattr(self, "dependency_overrides_provider", None))
        if overrides:
            warn_of_mounted(self.routes, overrides)
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
            await lifespan(scope, receive, send, cast(Context, self.lifespan_context), partial(settle, self.routes))
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
        return low_priority_app(routes, self._default) if routes else self._default

    @default.setter
    def default(self, app: ASGIApp) -> None:
        self._default = app
        version.bump()

    def contains(self, router: IncludableRouter) -> bool:
        """Whether this router includes a router, directly or through others."""
        included = [route.original_router for route in self.routes if isinstance(route, IncludedRouter)]
        return any(each is router or each.contains(router) for each in included)

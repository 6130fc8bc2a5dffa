"""How a router serves: its routes are found in a table, made anew when they have changed."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from starlette import routing
from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, NoMatchFound
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from slipstream._app.dispatch import Dispatcher
from slipstream._app.limits import limited
from slipstream._app.refresh import WatchedList, version
from slipstream._engine.entry.lifespan import Context, as_context, from_events, lifespan
from slipstream._options.router import RouterOptions
from slipstream._routes.frontend import LowPriority
from slipstream._routes.inclusion import IncludableRouter, IncludedRouter, effective, low_priority


class TableRouter(routing.Router):
    """A Starlette router that finds its routes in a table, and what comes after all routes besides.

    It knows nothing of path operations: `APIRouter` does.

    Args:
        given: What routes, lifespan and bounds there are; see `RouterOptions`.
    """

    mark = 0
    """How often somebody said that routes were changed in place."""

    def __init__(self, given: RouterOptions) -> None:
        self._low_priority_routes: list[BaseRoute] = WatchedList()
        self.on_startup: list[Callable[[], Any]] = list(given["on_startup"] or [])
        self.on_shutdown: list[Callable[[], Any]] = list(given["on_shutdown"] or [])
        own: Context = from_events(self.on_startup, self.on_shutdown)
        if given["lifespan"]:
            own = as_context(given["lifespan"])
        super().__init__(
            redirect_slashes=given["redirect_slashes"], default=given["default"], lifespan=cast(Lifespan[Any], own)
        )
        self.routes = list(given["routes"] or [])
        self.max_body_size = given["max_body_size"]
        self.middleware_stack = cast(Any, limited(self.app, self.max_body_size))
        self.dispatcher = Dispatcher(self)

    @property
    def routes(self) -> list[BaseRoute]:
        """The routes in order; what is changed in the list is served from the next request on."""
        return self._routes

    @routes.setter
    def routes(self, routes: Sequence[BaseRoute]) -> None:
        self._routes: list[BaseRoute] = WatchedList(routes)
        version.bump()

    def served_routes(self) -> Iterator[BaseRoute]:
        """List the routes in the order in which they are tried, those of included routers in their places."""
        return effective(self.routes)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, WebSocket or lifespan."""
        if scope["type"] == "lifespan":
            await lifespan(scope, receive, send, cast(Context, self.lifespan_context))
            return
        if "router" not in scope:
            scope["router"] = self
        await self.dispatcher.choose()(scope).handler(scope, receive, send)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as an ASGI app."""
        await self.middleware_stack(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Build the path of a route from its name and its parameters.

        Raises:
            NoMatchFound: No route has the name and just these parameters.
        """
        for route in self.routes:
            try:
                return route.url_path_for(name, **path_params)
            except NoMatchFound:
                continue
        raise NoMatchFound(name, path_params)

    def _mark_routes_changed(self) -> None:
        """Say that routes have changed, as packages do that change them in place; the lists say it by themselves."""
        self.mark += 1
        version.bump()

    @property
    def default(self) -> ASGIApp:
        """What serves what no route does: frontends, and for the rest the app that was given."""
        routes = list(low_priority(self))
        return LowPriority(routes, self._default) if routes else self._default

    @default.setter
    def default(self, app: ASGIApp) -> None:
        self._default = app
        version.bump()

    def contains(self, router: IncludableRouter) -> bool:
        """Whether a router is among those that this one includes, directly or through others."""
        included = [route.original_router for route in self.routes if isinstance(route, IncludedRouter)]
        return any(each is router or each.contains(router) for each in included)

"""From the routes of a router to the table that serves them, made anew when something has changed."""

from collections.abc import Iterable, Iterator
from typing import Any

from starlette import routing
from starlette.routing import BaseRoute

from slipstream._app.observing import TellingTable, is_observing, telling
from slipstream._app.refresh import Latest
from slipstream._engine.entry.asgi import Choose, Target, make_chooser
from slipstream._engine.entry.guard import noting
from slipstream._engine.router.pattern import Pattern, read_pattern
from slipstream._engine.router.table import Entry, OpaqueEntry, Table
from slipstream._engine.types import ASGIApp, Receive, Reply, Scope, Send


class Dispatcher:
    """Finds the route of a request among those of one router.

    Args:
        router: Has `served_routes()`, `redirect_slashes`, and `default` for what no route serves.
    """

    def __init__(self, router: Any) -> None:
        self._router = router
        self._latest = Latest(self._look_up)

    def table(self) -> Table:
        """Return the table of the routes as they are now."""
        return self._latest.get()[0]

    def choose(self) -> Choose:
        """Return the function that looks requests up in the routes as they are now."""
        return self._latest.get()[1]

    def _look_up(self) -> tuple[Table, Choose]:
        router = self._router
        make = TellingTable if is_observing() else Table
        table = make(_entries(router.served_routes()), redirect_slashes=router.redirect_slashes)
        return table, make_chooser(table, router)


def _entries(routes: Iterable[BaseRoute]) -> Iterator[Entry | OpaqueEntry]:
    for rank, route in enumerate(routes):
        yield _entry(rank, route)


def _entry(rank: int, route: Any) -> Entry | OpaqueEntry:
    """Put a route into the table: by its pattern where its class does not match in a way of its own."""
    matching = type(route).matches
    if getattr(matching, "is_by_pattern", False):
        target = Target(route, route.endpoint, _foreign(route)) if _handles(route) else _Compiling(route).target
        return _by_pattern(rank, route, route.pattern, target)
    if matching in (routing.Route.matches, routing.WebSocketRoute.matches):
        handle = _foreign(route, route.handle if _handles(route) else route.app)
        return _by_pattern(
            rank, route, read_pattern(route.path, is_relative=True), Target(route, route.endpoint, handle)
        )
    target = Target(route, getattr(route, "endpoint", None), _foreign(route))
    return OpaqueEntry(rank=rank, matches=route.matches, value=target, prefix=_prefix(route))


def _foreign(route: Any, handle: ASGIApp | None = None) -> ASGIApp:
    """Put around a foreign app what our own handlers do by themselves."""
    app = noting(handle or route.handle)
    return telling(route, app) if is_observing() else app


def _by_pattern(rank: int, route: Any, pattern: Pattern, target: Target) -> Entry:
    if isinstance(route, routing.WebSocketRoute):
        return Entry(rank=rank, pattern=pattern, value=target, protocol="websocket")
    methods = frozenset(route.methods) if route.methods else None
    return Entry(rank=rank, pattern=pattern, value=target, methods=methods)


def _handles(route: Any) -> bool:
    """Whether a route's class handles requests in a way of its own, or an instance was given one."""
    return type(route).handle not in (routing.Route.handle, routing.WebSocketRoute.handle) or "handle" in vars(route)


def _prefix(route: BaseRoute) -> str:
    """Text that every path of a mount begins with."""
    if type(route) is not routing.Mount:
        return ""
    return (route.path + "/").partition("{")[0]


class _Compiling:
    """The handler of a route until its first request: compiles, steps aside, serves."""

    def __init__(self, route: Any) -> None:
        self.target = Target(route, route.endpoint, self, self.serve_direct)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the first request."""
        self.target.handler = self.target.route.handler()
        await self.target.handler(scope, receive, send)

    async def serve_direct(self, scope: Scope, receive: Receive, send: Send, raw: bytes, reply: Reply) -> None:
        """Serve the first request that comes in the direct dialect."""
        target = self.target
        target.direct, target.shows_scope = target.route.direct_handler()
        await target.direct(scope, receive, send, raw, reply)

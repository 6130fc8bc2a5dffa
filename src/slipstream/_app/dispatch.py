"""From the routes of a router to the table that finds them, made again when something has changed."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Protocol, cast

from starlette import routing
from starlette.routing import BaseRoute

from slipstream._app.observing import ReportingTable, is_observing, reporting_route
from slipstream._app.refresh import Latest
from slipstream._engine.entry.asgi import Choose, Target, make_chooser
from slipstream._engine.router.pattern import Pattern, read_pattern
from slipstream._engine.router.table import Entry, OpaqueEntry, Table
from slipstream._engine.runtime.watch import call_watched
from slipstream._engine.types import ASGIApp, DirectApp, Receive, Reply, Scope, Send


class Dispatchable(Protocol):
    """The router as its dispatcher uses it."""

    redirect_slashes: bool

    @property
    def default(self) -> ASGIApp: ...
    def served_routes(self) -> Iterator[BaseRoute]: ...


class CompiledRoute(Protocol):
    """A route that is found by its pattern and compiled at its first request."""

    pattern: Pattern
    endpoint: Callable[..., Any]

    def handler(self) -> ASGIApp: ...
    def direct_handler(self) -> tuple[DirectApp, bool]: ...


class Dispatcher:
    """The current table of one router's routes, and the function that looks targets up in it."""

    def __init__(self, router: Dispatchable) -> None:
        self._router = router
        self._latest = Latest(self._look_up)

    def table(self) -> Table:
        return self._latest.get()[0]

    def choose(self) -> Choose:
        return self._latest.get()[1]

    def _look_up(self) -> tuple[Table, Choose]:
        router = self._router
        make = ReportingTable if is_observing() else Table
        entries = (_entry(rank, route) for rank, route in enumerate(router.served_routes()))
        table = make(entries, redirect_slashes=router.redirect_slashes)
        return table, make_chooser(table, router)


def _entry(rank: int, route: BaseRoute) -> Entry | OpaqueEntry:
    """Make the entry of a route: with its pattern, unless its class overrides `matches`."""
    matching = type(route).matches
    if getattr(matching, "is_by_pattern", False):
        own = cast(CompiledRoute, route)
        target = Target(route, own.endpoint, _foreign(route)) if _handles(route) else _compiling(own)
        return _by_pattern(rank, route, own.pattern, target)
    if isinstance(route, _PLAIN) and matching in _MATCHING:
        handle = _foreign(route, route.handle if _handles(route) else route.app)
        pattern = read_pattern(route.path, is_relative=True)
        return _by_pattern(rank, route, pattern, Target(route, route.endpoint, handle))
    target = Target(route, getattr(route, "endpoint", None), _foreign(route))
    # Every path of a mount begins with the static text of the mount's own.
    prefix = (route.path + "/").partition("{")[0] if type(route) is routing.Mount else ""
    return OpaqueEntry(rank=rank, matches=route.matches, value=target, prefix=prefix)


_PLAIN = (routing.Route, routing.WebSocketRoute)
_MATCHING = tuple(cls.matches for cls in _PLAIN)
_HANDLING = tuple(cls.handle for cls in _PLAIN)


def _foreign(route: BaseRoute, handle: ASGIApp | None = None) -> ASGIApp:
    """Have a foreign app note a started response and report to the observation, as compiled handlers do."""
    app = partial(call_watched, handle or route.handle)
    return reporting_route(route, app) if is_observing() else app


def _by_pattern(rank: int, route: BaseRoute, pattern: Pattern, target: Target) -> Entry:
    if isinstance(route, routing.WebSocketRoute):
        return Entry(rank=rank, pattern=pattern, value=target, protocol="websocket")
    methods: Iterable[str] | None = getattr(route, "methods", None)
    return Entry(rank=rank, pattern=pattern, value=target, methods=frozenset(methods) if methods else None)


def _handles(route: BaseRoute) -> bool:
    """Whether a route's class or the route itself overrides `handle`."""
    return type(route).handle not in _HANDLING or "handle" in vars(route)


def _compiling(route: CompiledRoute) -> Target:
    """Make the target of a route; its first handlers compile the route and put the compiled ones in their places."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        target.handler = route.handler()
        await target.handler(scope, receive, send)

    async def serve_direct(scope: Scope, receive: Receive, send: Send, raw: bytes, reply: Reply) -> None:
        target.direct, target.shows_scope = route.direct_handler()
        await target.direct(scope, receive, send, raw, reply)

    target = Target(route, route.endpoint, serve, serve_direct)
    return target

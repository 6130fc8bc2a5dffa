"""From the routes of a router to the table that finds them, made again when something has changed."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NoReturn, Protocol, TypeVar, cast, runtime_checkable

from starlette import routing
from starlette.routing import BaseRoute

from slipstream._app.limits import foreign, held, limits_of
from slipstream._app.observing import ReportingTable, is_observing, reporting_route
from slipstream._app.refresh import Latest
from slipstream._engine.entry.asgi import Choose, Target, make_chooser
from slipstream._engine.router.pattern import Pattern, read_pattern
from slipstream._engine.router.table import OpaqueEntry, Table
from slipstream._engine.router.tree import Entry
from slipstream._engine.runtime.response import call_watched
from slipstream._engine.types import ASGIApp, DirectApp, Receive, Reply, Scope, Send
from slipstream.limits import Limits

M = TypeVar("M", bound=Callable[..., Any])


class Dispatchable(Protocol):
    """The router as its dispatcher uses it."""

    redirect_slashes: bool

    @property
    def default(self) -> ASGIApp: ...
    @property
    def limits_in_force(self) -> Limits: ...
    def served_routes(self) -> Iterator[BaseRoute]: ...


@runtime_checkable
class Mountable(Protocol):
    """An application that has the limits of what it is mounted in."""

    @property
    def limits_in_force(self) -> Limits: ...
    def mounted_at(self, router: object, own: Limits | None) -> None: ...


class CompiledRoute(Protocol):
    """A route that is found by its pattern and compiled at its first request."""

    pattern: Pattern
    endpoint: Callable[..., Any]

    @property
    def asked(self) -> Any: ...
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
        table = make(_entries(router), redirect_slashes=router.redirect_slashes)
        return table, make_chooser(table, router)


def _entries(router: Dispatchable) -> Iterator[Entry | OpaqueEntry]:
    """Make the entries of a router's routes; what an included route raises when it is read, requests for it raise.

    As in FastAPI, the routes before it are served.
    """
    rank = -1
    try:
        for rank, route in enumerate(router.served_routes()):
            yield _entry(rank, route, router)
    except Exception as exc:
        yield OpaqueEntry(rank=rank + 1, matches=partial(_raise, exc), value=None)


def _raise(exc: Exception, scope: Scope) -> NoReturn:
    raise exc.with_traceback(None)


def _entry(rank: int, route: BaseRoute, router: Dispatchable) -> Entry | OpaqueEntry:
    """Make the entry of a route: with its pattern, unless the route or its class overrides `matches`."""
    if isinstance(route, _PLAIN) and not overrides(route, "matches"):
        handles, own = overrides(route, "handle"), cast(CompiledRoute, route)
        if not hasattr(route, "pattern"):
            pattern, handle = read_pattern(route.path, is_relative=True), route.handle if handles else route.app
            target = Target(route, route.endpoint, _foreign(route, router, handle))
        elif handles:
            pattern, target = own.pattern, _target(own, _foreign(route, router, own.asked.handle))
        else:
            pattern, target = own.pattern, _compiling(own)
        target.refuses = handles
        if isinstance(route, routing.WebSocketRoute):
            return Entry(rank=rank, pattern=pattern, value=target, protocol="websocket")
        return Entry(rank=rank, pattern=pattern, value=target, methods=frozenset(route.methods or ()) or None)
    target = Target(route, getattr(route, "endpoint", None), _foreign(route, router))
    # Every path of a mount begins with the static text of the mount's own.
    prefix = (route.path + "/").partition("{")[0] if type(route) is routing.Mount else ""
    return OpaqueEntry(rank=rank, matches=route.matches, value=target, prefix=prefix)


_PLAIN = (routing.Route, routing.WebSocketRoute)
_KNOWN: list[object] = [
    vars(cls)[name]
    for cls in (BaseRoute, *_PLAIN, routing.Mount, routing.Host)
    for name in ("matches", "handle")
    if name in vars(cls)
]


def known(method: M) -> M:
    """Declare a `matches` or `handle` that does what the table does, so that the table need not call it."""
    _KNOWN.append(method)
    return method


def overrides(route: object, name: str) -> bool:
    """Whether a route or router has a `matches` or `handle` of its own, or one that was put on a class at run time."""
    asked = getattr(route, "asked", route)
    owners = (asked, *type(asked).__mro__)
    methods = [vars(owner)[name] for owner in owners if name in vars(owner)]
    # By identity: a wrapper may claim to be equal to what it wraps.
    return any(all(method is not one for one in _KNOWN) for method in methods)


def _foreign(route: BaseRoute, router: Dispatchable, handle: ASGIApp | None = None) -> ASGIApp:
    """Have a foreign app keep to limits, note a started response and report to the observation, as handlers do."""
    asked, own = getattr(route, "original_route", route), getattr(route, "limits", None)
    inner = getattr(asked, "app", None)
    if isinstance(inner, Mountable):  # which holds what is inside of it
        inner.mounted_at(router, own)
        app = partial(call_watched, held(handle or route.handle, inner.limits_in_force))
    else:
        app = partial(call_watched, foreign(handle or route.handle, limits_of(router, own)))
    return reporting_route(route, app) if is_observing() else app


def _compiling(route: CompiledRoute) -> Target:
    """Make the target of a route; its first handlers compile the route and put the compiled ones in their places."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        target.handler = route.handler()
        await target.handler(scope, receive, send)

    async def serve_direct(scope: Scope, receive: Receive, send: Send, raw: bytes, reply: Reply) -> None:
        target.direct, target.shows_scope = route.direct_handler()
        await target.direct(scope, receive, send, raw, reply)

    target = _target(route, serve, serve_direct)
    return target


def _target(route: CompiledRoute, handler: ASGIApp, direct: DirectApp | None = None) -> Target:
    context = None if route.asked is route else route
    return Target(route.asked, route.endpoint, handler, direct, context)

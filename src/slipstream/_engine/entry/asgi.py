"""The way of a request from the server to the handler that the table names.

Answers to what nothing serves (404, 405, the redirect for a slash) are made here too.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from starlette._utils import get_route_path
from starlette.datastructures import URL
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse

from slipstream._engine.entry.guard import HANDLERS, HandlerPair
from slipstream._engine.router.table import Found, Miss, Table
from slipstream._engine.types import ASGIApp, DirectApp, Receive, Reply, Scope, Send


class Target:
    """What serves a request: the route, its endpoint, and the handlers of the moment.

    Handlers may be replaced while the application runs: a route starts with ones that compile.

    Args:
        handler: The handler, as an ASGI app.
        direct: The handler in the direct dialect; by default the ASGI app stands in its place.
    """

    __slots__ = ("direct", "endpoint", "handler", "route", "shows_scope")

    def __init__(self, route: Any, endpoint: Any, handler: ASGIApp, direct: DirectApp | None = None) -> None:
        self.route = route
        self.endpoint = endpoint
        self.handler = handler
        self.direct = direct or as_direct(handler)
        self.shows_scope = True
        """Whether `direct` shows the scope to anybody; where it does not, it need not be complete."""


def as_direct(app: ASGIApp) -> DirectApp:
    """Make an ASGI app fit for the direct dialect: it reads and sends for itself."""

    async def serve(scope: Scope, receive: Receive, send: Send, raw: bytes, reply: Reply) -> None:
        await app(scope, receive, send)

    return serve


Choose: TypeAlias = Callable[[Scope], Target]
"""Says who serves a scope, having noted in it what that one may look for."""

Fail: TypeAlias = Callable[[Exception, Scope, Receive, Send], Awaitable[None]]
"""Answers an exception that came out of the routes."""


def make_chooser(table: Table, router: Any, handlers: HandlerPair | None = None) -> Choose:
    """Make the function that looks a request up and says who serves it.

    It is no coroutine: whoever awaits the handler that it names has one call less between itself and the endpoint.

    Args:
        table: The routes.
        router: Serves lifespans; its `default` serves what no route does.
        handlers: The registered exception handlers, as foreign routes look for them in the scope; None leaves
            those that are there.
    """
    finders, find_any, find_websocket = table.finders, table.find_any, table.match_websocket
    lifespans = Target(router, None, router)
    miss = Target(None, None, make_miss(table, router.default))

    def choose(scope: Scope) -> Target:
        kind = scope["type"]
        if kind == "http":
            find = finders.get(scope["method"], find_any)
        elif kind == "websocket":
            find = find_websocket
        else:
            return lifespans
        if "router" not in scope:
            scope["router"] = router
        if handlers is not None:
            scope[HANDLERS] = handlers
        found = find(get_route_path(scope) if scope.get("root_path") else scope["path"])
        if found is None:
            return miss
        target: Target
        target, params = found
        scope["path_params"] = {**scope["path_params"], **params} if "path_params" in scope else params
        scope["endpoint"] = target.endpoint
        scope["route"] = target.route
        return target

    def choose_mixed(scope: Scope) -> Target:
        if scope["type"] == "lifespan":
            return lifespans
        if "router" not in scope:
            scope["router"] = router
        if handlers is not None:
            scope[HANDLERS] = handlers
        found = table.match_mixed(scope, get_route_path(scope))
        return miss if found is None else enter(found, scope)

    return choose_mixed if table.is_mixed else choose


def make_direct_chooser(table: Table, router: Any, handlers: HandlerPair, choose: Choose) -> Choose:
    """Make the function that looks up a request that comes by the direct door, in a scope of its own.

    Handlers that show the scope to nobody get one with no more than path parameters, if there are any. Whoever has to
    show it all the same, after something went wrong, has it completed by `choose` first.

    Args:
        table: The routes.
        router: What the scope names as its router.
        handlers: The registered exception handlers.
        choose: What `make_chooser` made of the same; chooses where more than a look-up is needed.
    """
    finders, find_any, static = table.finders, table.find_any, table.static
    none: dict[str, Target] = {}

    def choose_direct(scope: Scope) -> Target:
        if scope["root_path"]:
            return choose(scope)
        method, path = scope["method"], scope["path"]
        target: Target | None = static.get(method, none).get(path)
        if target is None:
            found = finders.get(method, find_any)(path)
            if found is None:
                return choose(scope)
            target, scope["path_params"] = found
        if target.shows_scope:
            scope["router"] = router
            scope[HANDLERS] = handlers
            scope.setdefault("path_params", {})
            scope["endpoint"] = target.endpoint
            scope["route"] = target.route
        return target

    return choose if table.is_mixed else choose_direct


def enter(found: Found, scope: Scope) -> Target:
    """Note in the scope what a route adds to it; one that decides by itself says what that is."""
    target: Target = found.value
    if found.child_scope is not None:
        scope.update(found.child_scope)
    else:
        scope["path_params"] = {**scope.get("path_params", {}), **found.params}
        scope["endpoint"] = target.endpoint
        scope["route"] = target.route
    return target


def make_miss(table: Table, default: ASGIApp) -> ASGIApp:
    """Make the ASGI app that answers what no route serves in full.

    Args:
        table: The routes.
        default: Serves what no route fits at all.
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        miss = table.miss(scope, get_route_path(scope))
        if miss.partial is not None:
            await refuse_method(miss, scope, receive, send)
        elif miss.redirect_path is not None:
            url = URL(scope={**scope, "path": miss.redirect_path})
            await RedirectResponse(url=str(url))(scope, receive, send)
        else:
            await default(scope, receive, send)

    return serve


async def refuse_method(miss: Miss, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 405, and which methods are allowed."""
    assert miss.partial is not None, "the caller looked"
    if not miss.allowed:
        await enter(miss.partial, scope).handler(scope, receive, send)
        return
    headers = {"Allow": ", ".join(miss.allowed)}
    if "app" in scope:
        raise HTTPException(status_code=405, headers=headers)
    await PlainTextResponse("Method Not Allowed", status_code=405, headers=headers)(scope, receive, send)

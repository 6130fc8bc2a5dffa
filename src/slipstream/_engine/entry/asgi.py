"""From a request to the handler that the table names for it, or to a 404, a 405 or a redirect."""

from collections.abc import Callable
from typing import Any, TypeAlias

from starlette.datastructures import URL
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse

from slipstream._engine.entry.guard import HANDLERS, HandlerPair
from slipstream._engine.router.table import Found, Table
from slipstream._engine.types import ASGIApp, DirectApp, Receive, Reply, Scope, Send


def route_path(scope: Scope) -> str:
    """Return the path below `root_path`; the whole path if it does not lie there."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    below = path.removeprefix(root)
    is_below = path.startswith(root) and (not below or below.startswith("/"))
    return below if is_below else path


class Target:
    """What serves a request: a route, its endpoint and its handlers; the first ones compile those that replace them."""

    __slots__ = ("context", "direct", "endpoint", "handler", "refuses", "route", "shows_scope")

    def __init__(
        self, route: Any, endpoint: Any, handler: ASGIApp, direct: DirectApp | None = None, context: Any = None
    ) -> None:
        self.route = route
        self.context = context
        """The route as it is served, where that is another; its `note` writes more into the scope."""
        self.endpoint = endpoint
        self.handler = handler
        self.direct = direct or as_direct(handler)
        self.shows_scope = True
        """Whether user code may see the scope that `direct` gets; if not, it needs path parameters only."""
        self.refuses = False
        """Whether `handler` also answers methods that the route does not have."""


def as_direct(app: ASGIApp) -> DirectApp:
    """Give an ASGI app the signature of the direct dialect."""

    async def serve(scope: Scope, receive: Receive, send: Send, raw: bytes, reply: Reply) -> None:
        await app(scope, receive, send)

    return serve


Choose: TypeAlias = Callable[[Scope], Target]
"""Looks up the target for a scope and writes path parameters, endpoint and route into the scope."""


def make_chooser(table: Table, router: Any, handlers: HandlerPair | None = None) -> Choose:
    """Make the function that looks up the target of a scope; `router.default` serves what no route fits."""
    finders, find_any, find_websocket = table.finders, table.find_any, table.find_websocket
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
        found = find(route_path(scope) if scope.get("root_path") else scope["path"])
        if found is None:
            return miss
        target: Target
        target, params = found
        scope["path_params"] = {**scope["path_params"], **params} if "path_params" in scope else params
        scope["endpoint"] = target.endpoint
        scope["route"] = target.route
        if target.context is not None:
            target.context.note(scope)
        return target

    def choose_mixed(scope: Scope) -> Target:
        if scope["type"] == "lifespan":
            return lifespans
        if "router" not in scope:
            scope["router"] = router
        if handlers is not None:
            scope[HANDLERS] = handlers
        found = table.match_mixed(scope, route_path(scope))
        return miss if found is None else enter(found, scope)

    return choose_mixed if table.is_mixed else choose


def make_direct_chooser(table: Table, router: Any, handlers: HandlerPair, choose: Choose) -> Choose:
    """Make the function that looks up the target of a scope of the direct dialect, by `choose` where that fails."""
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
            if target.context is not None:
                target.context.note(scope)
        return target

    return choose if table.is_mixed else choose_direct


def enter(found: Found, scope: Scope) -> Target:
    """Write path parameters, endpoint and route into the scope, or the keys that an opaque route returned."""
    target: Target = found.value
    if found.child_scope is not None:
        scope.update(found.child_scope)
    else:
        scope["path_params"] = {**scope.get("path_params", {}), **found.params}
        scope["endpoint"] = target.endpoint
        scope["route"] = target.route
        if target.context is not None:
            target.context.note(scope)
    return target


def make_miss(table: Table, default: ASGIApp) -> ASGIApp:
    """Make the ASGI app for requests that no route serves: 405, a redirect, or `default` if no path fits."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        miss = table.miss(scope, route_path(scope))
        if miss.partial is not None:
            target = enter(miss.partial, scope)
            if target.refuses:
                await target.handler(scope, receive, send)
                return
            headers = {"Allow": ", ".join(miss.allowed)}
            if "app" in scope:
                raise HTTPException(status_code=405, headers=headers)
            await PlainTextResponse("Method Not Allowed", status_code=405, headers=headers)(scope, receive, send)
        elif miss.redirect_path is not None:
            url = URL(scope={**scope, "path": miss.redirect_path})
            await RedirectResponse(url=str(url))(scope, receive, send)
        else:
            await default(scope, receive, send)

    return serve

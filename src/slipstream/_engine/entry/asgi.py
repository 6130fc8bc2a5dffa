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
from slipstream._engine.types import ASGIApp, Receive, Scope, Send


class Target:
    """What the table returns for one route: the route, its endpoint, and the handler of the moment.

    `handler` may be replaced while the application runs: a route starts with one that compiles.
    """

    __slots__ = ("endpoint", "handler", "route")

    def __init__(self, route: Any, endpoint: Any, handler: ASGIApp) -> None:
        self.route = route
        self.endpoint = endpoint
        self.handler = handler


Fail: TypeAlias = Callable[[Exception, Scope, Receive, Send], Awaitable[None]]
"""Answers an exception that came out of the routes."""


def make_dispatch(table: Table, default: ASGIApp) -> ASGIApp:
    """Make the ASGI app that looks requests up and serves them.

    Args:
        table: The routes.
        default: Serves what no route does.
    """
    match, match_websocket = table.match, table.match_websocket

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        path = get_route_path(scope) if scope.get("root_path") else scope["path"]
        found = match(scope["method"], path) if scope["type"] == "http" else match_websocket(path)
        if found is None:
            await dispatch_miss(table, path, default, scope, receive, send)
        else:
            await enter(Found(*found), scope, receive, send)

    async def dispatch_mixed(scope: Scope, receive: Receive, send: Send) -> None:
        path = get_route_path(scope)
        found = table.match_mixed(scope, path)
        if found is None:
            await dispatch_miss(table, path, default, scope, receive, send)
        else:
            await enter(found, scope, receive, send)

    return dispatch_mixed if table.is_mixed else dispatch


def make_entry(table: Table, router: Any, handlers: HandlerPair, fail: Fail) -> ASGIApp:
    """Make the door of an application without middleware: `make_dispatch` and its guard in one function.

    Args:
        table: The routes.
        router: Serves lifespans; its `default` serves what no route does.
        handlers: The registered exception handlers, as foreign routes look for them in the scope.
        fail: Answers exceptions.
    """
    match, match_websocket = table.match, table.match_websocket
    default = router.default
    dispatch = make_dispatch(table, default)

    async def enter_directly(scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await router(scope, receive, send)
            return
        if "router" not in scope:
            scope["router"] = router
        scope[HANDLERS] = handlers
        try:
            path = get_route_path(scope) if scope.get("root_path") else scope["path"]
            found = match(scope["method"], path) if kind == "http" else match_websocket(path)
            if found is None:
                await dispatch_miss(table, path, default, scope, receive, send)
                return
            target, params = found
            outer = scope.get("path_params")
            scope["path_params"] = {**outer, **params} if outer else params
            scope["endpoint"] = target.endpoint
            scope["route"] = target.route
            await target.handler(scope, receive, send)
        except Exception as exc:
            await fail(exc, scope, receive, send)

    async def enter_mixed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await router(scope, receive, send)
            return
        if "router" not in scope:
            scope["router"] = router
        scope[HANDLERS] = handlers
        try:
            await dispatch(scope, receive, send)
        except Exception as exc:
            await fail(exc, scope, receive, send)

    return enter_mixed if table.is_mixed else enter_directly


async def enter(found: Found, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve with a route that was found; one that decides by itself also says what it adds to the scope."""
    target: Target = found.value
    if found.child_scope is not None:
        scope.update(found.child_scope)
    else:
        scope["path_params"] = {**scope.get("path_params", {}), **found.params}
        scope["endpoint"] = target.endpoint
        scope["route"] = target.route
    await target.handler(scope, receive, send)


async def dispatch_miss(table: Table, path: str, default: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer what no route serves in full."""
    miss = table.miss(scope, path)
    if miss.partial is not None:
        await refuse_method(miss, scope, receive, send)
    elif miss.redirect_path is not None:
        url = URL(scope={**scope, "path": miss.redirect_path})
        await RedirectResponse(url=str(url))(scope, receive, send)
    else:
        await default(scope, receive, send)


async def refuse_method(miss: Miss, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 405, and which methods are allowed."""
    assert miss.partial is not None, "the caller looked"
    if not miss.allowed:
        await enter(miss.partial, scope, receive, send)
        return
    headers = {"Allow": ", ".join(miss.allowed)}
    if "app" in scope:
        raise HTTPException(status_code=405, headers=headers)
    await PlainTextResponse("Method Not Allowed", status_code=405, headers=headers)(scope, receive, send)

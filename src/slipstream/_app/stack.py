"""What stands between the server and the routes: guards always, middleware where there is any.

Without middleware the application does it all: it has the handler chosen, awaits it and answers exceptions. With
middleware there are two: `InnerGuard` answers what comes out of the routes, so that middleware sees a response;
`OuterGuard` answers what middleware itself raises, and is the last resort for both. Each middleware adds itself and
nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from starlette.middleware import Middleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from slipstream._app.refresh import version
from slipstream._engine.entry.asgi import Choose, Fail, Target, make_chooser, make_direct_chooser
from slipstream._engine.entry.guard import HANDLERS, Guard, answer, crash
from slipstream._engine.runtime.watch import Watch

Handlers = Mapping[Any, Callable[..., Any]]
"""Exception handlers by exception class or status code; the application's own mapping, which may grow."""


class Registered:
    """The handlers of an application, sorted anew when something has changed."""

    def __init__(self, handlers: Handlers, debug: bool) -> None:
        self._handlers = handlers
        self.debug = debug
        self._seen = -1
        self._guard: Guard

    @property
    def guard(self) -> Guard:
        """The handlers as they are now."""
        seen = version.number
        if self._seen != seen:
            self._guard = Guard.of(self._handlers)
            self._seen = seen
        return self._guard

    async def answer(
        self, exc: Exception, scope: Scope, receive: Receive, send: Send, *, started: bool | None = None
    ) -> None:
        """Answer an exception; one that has no handler with a 500, after which it is raised again.

        Args:
            started: Whether the response has begun; None for what lies further in has left in the scope.
        """
        guard = self.guard
        scope[HANDLERS] = guard.pair  # a mounted application has put its own there
        try:
            await answer(exc, scope, receive, send, started=started)
        except Exception as unhandled:
            await crash(unhandled, scope, receive, send, self.debug, guard.server_error, started=started)


class Outermost(ServerErrorMiddleware):
    """What instrumentations of others take apart, and put together again around a layer of their own.

    They expect the class that Starlette puts outside, and go on with its `app`, `handler` and `debug`.
    """

    def __init__(self, app: ASGIApp, registered: Registered) -> None:
        self.app = app
        self.debug = registered.debug
        self._registered = registered

    @property
    def handler(self) -> Any:  # type: ignore[override]  # it may change until it is asked for
        """The handler of what no other handler serves."""
        return self._registered.guard.server_error


class SoleGuard(Outermost):
    """The whole stack of an application without middleware.

    Args:
        router: The routes.
        registered: The handlers of exceptions that come out of them.
    """

    def __init__(self, router: Any, registered: Registered) -> None:
        super().__init__(InnerGuard(router, registered), registered)
        self._router = router
        self._made_for: tuple[Any, ...] = ()
        self._choosers: tuple[Choose, Choose]
        self.fail: Fail = registered.answer
        self._registered = registered

    def choosers(self) -> tuple[Choose, Choose]:
        """Return the functions that look requests up in the routes as they are now: by ASGI, by the direct door."""
        table, guard = self._router.dispatcher.table(), self._registered.guard
        if self._made_for != (table, guard):
            choose = make_chooser(table, self._router, guard.pair)
            self._choosers = choose, make_direct_chooser(table, self._router, guard.pair, choose)
            self._made_for = table, guard
        return self._choosers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve; answer every exception, raise again those that nobody handles."""
        try:
            await self.choosers()[0](scope).handler(scope, receive, send)
        except Exception as exc:
            await self.fail(exc, scope, receive, send)


class InnerGuard:
    """Around the routes and beneath middleware: answers exceptions that a handler was registered for.

    Args:
        router: The routes.
        registered: The handlers.
    """

    def __init__(self, router: ASGIApp, registered: Registered) -> None:
        self._router = router
        self._registered = registered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve; what has no handler goes on to middleware."""
        if scope["type"] == "lifespan":
            await self._router(scope, receive, send)
            return
        scope[HANDLERS] = self._registered.guard.pair
        try:
            await self._router(scope, receive, send)
        except Exception as exc:
            scope[HANDLERS] = self._registered.guard.pair  # a mounted application has put its own there
            await answer(exc, scope, receive, send)


class OuterGuard(Outermost):
    """Around middleware: exceptions that it raises find their handlers here, and the rest is answered with a 500.

    Args:
        app: The outermost middleware.
        registered: The handlers.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve; answer every exception, raise again those that nobody handles."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        watch = Watch(send)
        scope[HANDLERS] = self._registered.guard.pair
        try:
            await self.app(scope, receive, watch)
        except Exception as exc:
            await self._registered.answer(exc, scope, receive, send, started=watch.started)


class Door(NamedTuple):
    """What an application does with a request.

    Args:
        choose: Says who serves it, and completes its scope.
        choose_direct: Says who serves it when it comes by the direct door.
        fail: Answers an exception.
    """

    choose: Choose
    choose_direct: Choose
    fail: Fail


def door_of(stack: ASGIApp, root_path: str = "") -> Door:
    """Return what an application does; without middleware, nothing stands between it and the handler of a route.

    Args:
        root_path: What every scope gets in place of the server's root path; "" leaves that.
    """
    fail: Fail = raise_again
    if isinstance(stack, SoleGuard):
        (choose, choose_direct), fail = stack.choosers(), stack.fail
    else:
        choose = choose_direct = always(stack)
    if root_path:
        choose = choose_direct = rooted(choose, root_path)
    return Door(choose, choose_direct, fail)


def always(app: ASGIApp) -> Choose:
    """Choose one app for every scope."""
    target = Target(None, None, app)
    return lambda scope: target


def rooted(choose: Choose, root_path: str) -> Choose:
    """Note a root path in the scope before choosing."""

    def note_and_choose(scope: Scope) -> Target:
        scope["root_path"] = root_path
        return choose(scope)

    return note_and_choose


async def raise_again(exc: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    """Let an exception out."""
    raise exc


def build_stack(router: Any, middleware: Sequence[Middleware], handlers: Handlers, *, debug: bool) -> ASGIApp:
    """Put the layers together, outermost first: guard, middleware in order, guard, router.

    Args:
        debug: Whether answers to unhandled exceptions show the traceback.
    """
    registered = Registered(handlers, debug)
    if not middleware:
        return SoleGuard(router, registered)
    app: ASGIApp = InnerGuard(router, registered)
    for cls, args, options in reversed(middleware):
        app = cls(app, *args, **options)
    return OuterGuard(app, registered)

"""What stands between the server and the routes: guards always, middleware where there is any.

Without middleware the application does it all: it has the handler chosen, awaits it and answers exceptions. With
middleware there are two: `InnerGuard` answers what comes out of the routes, so that middleware sees a response;
`OuterGuard` answers what middleware itself raises, and is the last resort for both. Each middleware adds itself and
nothing else.
"""

from collections.abc import Sequence
from typing import Protocol

from starlette.middleware import Middleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from slipstream._app.dispatch import Dispatcher
from slipstream._app.fail import Handlers, Registered
from slipstream._app.refresh import Latest
from slipstream._engine.entry.asgi import Choose, Fail, make_chooser, make_direct_chooser
from slipstream._engine.entry.guard import HANDLERS, ExceptionHandler, answer
from slipstream._engine.runtime.watch import Watch


class Dispatching(Protocol):
    """What the stack asks of a router."""

    dispatcher: Dispatcher

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as an ASGI app."""
        ...


class Outermost(ServerErrorMiddleware):
    """What instrumentations of others take apart, and put together again around a layer of their own.

    They expect the class that Starlette puts outside, and go on with its `app`, `handler` and `debug`.
    """

    def __init__(self, app: ASGIApp, registered: Registered) -> None:
        self.app = app
        self.debug = registered.debug
        self._registered = registered

    @property
    def handler(self) -> ExceptionHandler | None:  # type: ignore[override]  # it may change until it is asked for
        """The handler of what no other handler serves."""
        return self._registered.guard.server_error


class SoleGuard(Outermost):
    """The whole stack of an application without middleware.

    Args:
        router: The routes.
        registered: The handlers of exceptions that come out of them.
    """

    def __init__(self, router: Dispatching, registered: Registered) -> None:
        super().__init__(InnerGuard(router, registered), registered)
        self._router = router
        self._choosers = Latest(self._make_choosers)
        self.fail: Fail = registered.answer

    def choosers(self) -> tuple[Choose, Choose]:
        """Return the functions that look requests up in the routes as they are now: by ASGI, by the direct door."""
        return self._choosers.get()

    def _make_choosers(self) -> tuple[Choose, Choose]:
        table, pair = self._router.dispatcher.table(), self._registered.guard.pair
        choose = make_chooser(table, self._router, pair)
        return choose, make_direct_chooser(table, self._router, pair, choose)

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


def build_stack(router: Dispatching, middleware: Sequence[Middleware], handlers: Handlers, *, debug: bool) -> ASGIApp:
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

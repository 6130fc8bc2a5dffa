"""What stands between the server and the routes: guards always, middleware where there is any.

Without middleware it is one function; each middleware adds itself and nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from slipstream._engine.entry.asgi import make_entry
from slipstream._engine.entry.guard import HANDLERS, Guard, HandlerPair, Watch, answer, crash


class Core:
    """The innermost app: the routes, and the handlers of exceptions that come out of them.

    Args:
        app: The router.
        guard: The registered handlers.
    """

    def __init__(self, app: Any, guard: Guard) -> None:
        self.app = app
        self.guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve; answer exceptions that a handler was registered for."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        scope[HANDLERS] = self.guard.pair
        try:
            await self.app(scope, receive, send)
        except Exception as exc:
            scope[HANDLERS] = self.guard.pair  # a mounted application has put its own there
            await answer(exc, scope, receive, send)


class Bare:
    """The whole stack of an application without middleware.

    Args:
        app: The router.
        guard: The registered handlers.
        debug: Whether answers to unhandled exceptions show the traceback.
    """

    def __init__(self, app: Any, guard: Guard, debug: bool) -> None:
        self.app = app
        self.guard = guard
        self.debug = debug
        self._table: Any = None
        self._entry: ASGIApp | None = None

    def dispatch(self) -> ASGIApp:
        """Return one function that serves the routes as they are now, and answers every exception."""
        table = self.app.switch.table()
        if self._entry is None or self._table is not table:
            self._table, self._entry = table, make_entry(table, self.app, self)
        return self._entry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve; answer every exception, raise again those that nobody handles."""
        await self.dispatch()(scope, receive, send)

    @property
    def pair(self) -> HandlerPair:
        """The handlers as foreign routes look for them in the scope."""
        return self.guard.pair

    async def fail(self, exc: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an exception that came out of the routes."""
        scope[HANDLERS] = self.guard.pair  # a mounted application has put its own there
        try:
            await answer(exc, scope, receive, send)
        except Exception as unhandled:
            await crash(unhandled, scope, receive, send, self.debug, self.guard.server_error)


class Outer:
    """The outermost layer around middleware: exceptions that middleware raises find their handlers here.

    Args:
        app: The outermost middleware.
        guard: The registered handlers.
        debug: Whether answers to unhandled exceptions show the traceback.
    """

    def __init__(self, app: ASGIApp, guard: Guard, debug: bool) -> None:
        self.app = app
        self.guard = guard
        self.debug = debug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        watch = Watch(send)
        scope[HANDLERS] = self.guard.pair
        try:
            await self.app(scope, receive, watch)
        except Exception as exc:
            scope[HANDLERS] = self.guard.pair
            try:
                await answer(exc, scope, receive, send, started=watch.started)
            except Exception as unhandled:
                await crash(unhandled, scope, receive, send, self.debug, self.guard.server_error, started=watch.started)


def build_stack(
    router: Any, middleware: Sequence[Middleware], handlers: Mapping[Any, Callable[..., Any]], *, debug: bool
) -> ASGIApp:
    """Put the layers together, outermost first: guard, middleware in order, guard, router."""
    guard = Guard.of(handlers)
    if not middleware:
        return Bare(router, guard, debug)
    app: ASGIApp = Core(router, guard)
    for cls, args, options in reversed(middleware):
        app = cls(app, *args, **options)
    return Outer(app, guard, debug)

"""The layers between the server and the routes.

Without middleware there is one, `SoleGuard`. With middleware there are two guards: `InnerGuard` answers exceptions of
the routes, so that middleware sees a response; `OuterGuard` answers those of middleware, and those without a handler.
While a tool has replaced functions of the classes of Starlette that guards stand in for, an application has Starlette's
own.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from starlette.middleware import Middleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from slipstream._app.dispatch import Dispatcher
from slipstream._app.limits import held
from slipstream._app.refresh import Latest, is_as_written
from slipstream._engine.entry.asgi import Choose, make_chooser, make_direct_chooser
from slipstream._engine.entry.guard import HANDLERS, ExceptionHandler, Guard, answer, crash
from slipstream._engine.runtime.response import Watch, adder, are_any, reply_adding
from slipstream._engine.types import Fail, Reply
from slipstream.limits import COMPATIBLE, Limits

Handlers = Mapping[Any, Callable[..., Any]]
"""Exception handlers by exception class or status code; the application's own mapping, which may change."""


_UNHANDLED = "slipstream.unhandled"
"""Key in a scope for the exception that the inner guard has raised on, so that no handler gets it a second time."""


class Registered:
    """The exception handlers of an application, sorted again when something has changed."""

    def __init__(self, handlers: Handlers, debug: bool, limits: Limits = COMPATIBLE) -> None:
        self._sorted = Latest(partial(Guard.of, handlers))
        self.debug, self._limits = debug, limits

    @property
    def guard(self) -> Guard:
        return self._sorted.get()

    def adding(self, send: Send) -> Send:
        """Return a `send` that adds to responses, if anything is added."""
        return adder(send, self._limits) if are_any(self._limits) else send

    async def answer(
        self,
        exc: Exception,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        started: bool | None = None,
        reply: Reply | None = None,
    ) -> None:
        """Answer an exception, or without a handler answer 500 and raise it; `started` None: as the scope says."""
        guard = self.guard
        send = self.adding(send)
        scope[HANDLERS] = guard.pair  # in place of those of a mounted application
        try:
            reply = None if reply is None else reply_adding(reply, self._limits)
            await answer(exc, scope, receive, send, started=started, reply=reply)
        except Exception as unhandled:
            await crash(unhandled, scope, receive, send, self.debug, guard.server_error, started=started)


class Dispatching(Protocol):
    """The router as the stack uses it."""

    dispatcher: Dispatcher

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


def are_replaced() -> bool:
    """Whether a tool has put functions of its own into the classes of Starlette for which guards stand in."""
    return not all(map(is_as_written, (Middleware, ServerErrorMiddleware, ExceptionMiddleware, Router)))


class Outermost(ServerErrorMiddleware):
    """The outermost layer; instrumentations look for its class, and rebuild it from its attributes around their own."""

    def __init__(self, app: ASGIApp, registered: Registered) -> None:
        self.app = app
        self.debug = registered.debug
        self.registered = registered

    @property
    def handler(self) -> ExceptionHandler | None:  # type: ignore[override]  # an attribute in Starlette
        """The current handler for 500 and `Exception`."""
        return self.registered.guard.server_error


class SoleGuard(Outermost):
    """The whole stack of an application without middleware."""

    def __init__(self, router: Dispatching, registered: Registered) -> None:
        super().__init__(InnerGuard(router, registered), registered)
        self._router = router
        self.choosers = Latest(self._make_choosers)
        """The functions that look up the current target of a scope: for ASGI, and for the direct door."""
        self.fail: Fail = registered.answer

    def _make_choosers(self) -> tuple[Choose, Choose]:
        table, pair = self._router.dispatcher.table(), self.registered.guard.pair
        choose = make_chooser(table, self._router, pair)
        return choose, make_direct_chooser(table, self._router, pair, choose)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.choosers.get()[0](scope).handler(scope, receive, send)
        except Exception as exc:
            await self.fail(exc, scope, receive, send)


class InnerGuard(ExceptionMiddleware):
    """Between middleware and the routes: answers exceptions that have a handler, raises others on to middleware."""

    def __init__(self, router: ASGIApp, registered: Registered) -> None:
        super().__init__(router, debug=registered.debug)
        self.registered = registered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        scope[HANDLERS] = self.registered.guard.pair
        try:
            await self.app(scope, receive, send)
        except Exception as exc:
            scope[HANDLERS] = self.registered.guard.pair  # in place of those of a mounted application
            try:
                await answer(exc, scope, receive, send)
            except Exception as unhandled:
                scope[_UNHANDLED] = unhandled
                raise


class OuterGuard(Outermost):
    """Around middleware: answers exceptions that have a handler, and others with 500 before it raises them again."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        watch = Watch(send)
        scope[HANDLERS] = self.registered.guard.pair
        try:
            await self.app(scope, receive, watch)
        except Exception as exc:
            if scope.pop(_UNHANDLED, None) is exc:
                guard, send = self.registered.guard, self.registered.adding(send)
                await crash(exc, scope, receive, send, self.debug, guard.server_error, started=watch.started)
            await self.registered.answer(exc, scope, receive, send, started=watch.started)


def build_stack(
    router: Dispatching,
    middleware: Sequence[Middleware],
    handlers: Handlers,
    *,
    debug: bool,
    max_body_size: int | None = None,
    limits: Limits = COMPATIBLE,
) -> ASGIApp:
    """Put guards and middleware, the first outermost, around a router; `debug` shows tracebacks in answers."""
    registered = Registered(handlers, debug, limits)
    if not middleware and max_body_size is None:
        return SoleGuard(router, registered)
    app: ASGIApp = InnerGuard(router, registered)
    for cls, args, options in reversed(middleware):
        app = cls(app, *args, **options)
    return OuterGuard(held(app, limits), registered)
